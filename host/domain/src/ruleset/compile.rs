//! From a subscription as it is stored to its compiled form. Whatever is wrong silences one filter and is reported.

use std::sync::Arc;

use super::memo::{Interned, Interner};
use crate::catalogue::Catalogue;
use crate::limits;
use crate::rules::Problem;
use crate::subscription::{self, Subscription};

/// A subscription, compiled.
#[derive(Debug)]
pub struct Subscribed {
    /// As it is stored, without its filters.
    pub subscription: Subscription,
    pub filters: Vec<Filter>,
}

#[derive(Debug)]
pub struct Filter {
    pub name: String,
    pub oneshot: bool,
    pub active: bool,
    pub rules: Rules,
}

#[derive(Debug)]
pub enum Rules {
    /// Joined by AND; none never match.
    Good(Vec<Part>),
    /// One of them can never be tested, so the filter never matches.
    Broken { rule: String, reason: String },
}

/// One rule of a filter.
#[derive(Debug)]
pub struct Part {
    pub rule: Arc<Interned>,
    pub negated: bool,
}

/// Compiles one subscription and notes what is wrong in it.
pub fn subscription(
    catalogue: &Catalogue,
    interner: &Interner,
    mut subscription: Subscription,
    problems: &mut Vec<Problem>,
) -> Subscribed {
    let mut filters = std::mem::take(&mut subscription.filters);
    let problem = |filter: &str, rule: &str, reason: String| Problem {
        user: subscription.user.clone(),
        channel: subscription.channel.clone(),
        filter: filter.to_owned(),
        rule: rule.to_owned(),
        reason,
    };
    for (what, count, limit) in [
        ("filters", filters.len(), limits::FILTERS_PER_SUBSCRIPTION),
        ("addresses", subscription.addresses.len(), limits::ADDRESSES_PER_SUBSCRIPTION),
    ] {
        if count > limit {
            problems.push(problem("", "", format!("it has {count} {what}; those beyond {limit} are ignored")));
        }
    }
    filters.truncate(limits::FILTERS_PER_SUBSCRIPTION);
    let compile = |filter| {
        let mut note = |filter: &str, rule: &str, reason| problems.push(problem(filter, rule, reason));
        self::filter(catalogue, interner, filter, &mut note)
    };
    let filters = filters.into_iter().map(compile).collect();
    subscription.addresses.truncate(limits::ADDRESSES_PER_SUBSCRIPTION);
    Subscribed { subscription, filters }
}

fn filter(
    catalogue: &Catalogue,
    interner: &Interner,
    filter: subscription::Filter,
    note: &mut dyn FnMut(&str, &str, String),
) -> Filter {
    let subscription::Filter { name, oneshot, active, rules } = filter;
    if rules.len() > limits::RULES_PER_FILTER {
        let reason = format!("it has {} rules, over {}", rules.len(), limits::RULES_PER_FILTER);
        note(&name, "", reason.clone());
        return Filter { name, oneshot, active, rules: Rules::Broken { rule: String::new(), reason } };
    }
    let mut parts = Vec::with_capacity(rules.len());
    let mut broken = None;
    for rule in &rules {
        match interner.intern(catalogue, rule) {
            Ok(interned) => {
                if !interned.missing().is_empty() {
                    note(&name, &rule.rule, format!("without {} it never holds", interned.missing().join(", ")));
                }
                parts.push(Part { rule: interned, negated: rule.negated });
            }
            Err(reason) => {
                note(&name, &rule.rule, reason.clone());
                broken.get_or_insert(Rules::Broken { rule: rule.rule.clone(), reason });
            }
        }
    }
    Filter { name, oneshot, active, rules: broken.unwrap_or(Rules::Good(parts)) }
}
