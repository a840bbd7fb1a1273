//! Evaluates every filter of a user, and reports which rule decides it: each rule is tested in the user's order,
//! without the index. Tests compare the index with it.

use serde::Serialize;

use crate::acl::Acl;
use crate::catalogue::Catalogue;
use crate::catalogue::condition::ConditionError;
use crate::event::Event;
use crate::limits;
use crate::rules::{CompiledRule, Subject};
use crate::subscription::{Filter, Subscription};

/// Why a filter does or does not match a message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Explained {
    pub user: String,
    pub channel: String,
    pub filter: String,
    #[serde(flatten)]
    pub verdict: FilterVerdict,
}

/// The result of one filter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "verdict", rename_all = "snake_case")]
pub enum FilterVerdict {
    /// All its rules hold.
    Matched,
    /// An earlier filter of the subscription matched.
    NotReached,
    /// This rule does not hold.
    Failed { rule: String, negated: bool },
    /// This rule fails with an error, which fails the filter.
    Broken { rule: String, reason: String },
    /// The filter or its subscription is disabled.
    Inactive,
    /// It has no rules.
    Empty,
}

/// The result of every filter of a subscription, in their order.
pub fn explain(catalogue: &Catalogue, subscription: &Subscription, event: &Event<'_>, acl: &dyn Acl) -> Vec<Explained> {
    let subject = Subject::new(event, acl);
    let Subscription { user, channel, enabled, filters, .. } = subscription;
    let mut matched = false;
    let one = |filter: &Filter| {
        let verdict = match self::verdict(catalogue, filter, &subject) {
            _ if !filter.active || !enabled => FilterVerdict::Inactive,
            _ if matched => FilterVerdict::NotReached,
            verdict => verdict,
        };
        matched |= verdict == FilterVerdict::Matched;
        Explained { user: user.clone(), channel: channel.clone(), filter: filter.name.clone(), verdict }
    };
    filters.iter().take(limits::FILTERS_PER_SUBSCRIPTION).map(one).collect()
}

fn verdict(catalogue: &Catalogue, filter: &Filter, subject: &Subject<'_>) -> FilterVerdict {
    let Filter { rules, .. } = filter;
    if rules.is_empty() {
        return FilterVerdict::Empty;
    }
    if rules.len() > limits::RULES_PER_FILTER {
        let reason = format!("the filter has {} rules, over {}", rules.len(), limits::RULES_PER_FILTER);
        return FilterVerdict::Broken { rule: String::new(), reason };
    }
    let mut compiled = Vec::with_capacity(rules.len());
    for rule in rules {
        match CompiledRule::new(catalogue, rule) {
            Ok(test) => compiled.push((rule, test)),
            Err(reason) => return FilterVerdict::Broken { rule: rule.rule.clone(), reason },
        }
    }
    for (rule, test) in compiled {
        let name = rule.rule.clone();
        match test.holds(subject) {
            Ok(holds) if holds != rule.negated => {}
            Ok(_) => return FilterVerdict::Failed { rule: name, negated: rule.negated },
            Err(broken @ ConditionError::NoCategory) => {
                return FilterVerdict::Broken { rule: name, reason: broken.to_string() };
            }
        }
    }
    FilterVerdict::Matched
}
