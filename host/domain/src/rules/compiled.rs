//! The compiled form of one rule, and its test against one message.

use std::cell::OnceCell;
use std::sync::Arc;

use regex::Regex;

use super::generic;
use crate::acl::{Acl, Kinds};
use crate::canonical;
use crate::catalogue::Catalogue;
use crate::catalogue::condition::{Arguments, Condition, ConditionError};
use crate::catalogue::source::MessageView;
use crate::event::Event;
use crate::facts::Facts;
use crate::limits;
use crate::subscription::Rule;

/// A rule without its negation, ready to be tested.
#[derive(Debug)]
pub struct CompiledRule {
    pub test: RuleTest,
    /// Arguments that are missing: the rule never holds.
    pub missing: Vec<String>,
}

/// What a rule tests.
#[derive(Debug)]
pub enum RuleTest {
    Never,
    User(String),
    NotUsers(Vec<String>),
    GroupMember(String),
    UserPackage(String, Kinds),
    Package(String),
    PackageMatches(Regex),
    PayloadMatches(Regex),
    LinkContains(Vec<String>),
    Named(Arc<Condition>, Arguments),
}

/// A message as rules are tested against it.
pub struct Subject<'s> {
    event: &'s Event<'s>,
    message: MessageView<'s>,
    acl: &'s dyn Acl,
    payload: OnceCell<String>,
}

impl<'s> Subject<'s> {
    pub fn new(event: &'s Event<'s>, acl: &'s dyn Acl) -> Subject<'s> {
        Subject { event, message: event.message(), acl, payload: OnceCell::new() }
    }

    /// The message as sources and conditions see it.
    pub const fn message(&self) -> &MessageView<'s> {
        &self.message
    }

    pub fn facts(&self) -> &'s Facts {
        self.event.facts()
    }

    /// The text that patterns are searched in.
    pub fn payload(&self) -> &str {
        self.payload.get_or_init(|| canonical::to_string(self.event.envelope().msg()))
    }
}

impl CompiledRule {
    /// Compiles a user's rule against the catalogue; returns the reason if it is invalid.
    pub fn new(catalogue: &Catalogue, rule: &Rule) -> Result<CompiledRule, String> {
        let size: usize = rule.arguments.iter().map(|(key, value)| key.len() + value.len()).sum();
        if size > limits::ARGUMENTS_BYTES {
            return Err(format!("its arguments have over {} bytes", limits::ARGUMENTS_BYTES));
        }
        let Some(info) = catalogue.rule(&rule.rule) else { return Err("there is no rule with this name".to_owned()) };
        let known = |name: &str| info.arguments.iter().any(|argument| argument.name == name);
        if let Some(unknown) = rule.arguments.keys().find(|name| !known(name)) {
            return Err(format!("it has no argument `{unknown}`"));
        }
        let mut arguments = rule.arguments.clone();
        let mut missing = Vec::new();
        for argument in &info.arguments {
            let given = arguments.get(&argument.name).is_some_and(|value| !value.is_empty());
            match &argument.default {
                _ if given => {}
                Some(default) => drop(arguments.insert(argument.name.clone(), default.clone())),
                None => missing.push(argument.name.clone()),
            }
        }
        let test = match (generic::compile(&rule.rule, &rule.arguments), catalogue.named(&rule.rule)) {
            _ if !missing.is_empty() => RuleTest::Never,
            (Some(test), _) => test?,
            (None, Some(named)) => RuleTest::Named(Arc::clone(&named.condition), arguments),
            (None, None) => return Err("there is no rule with this name".to_owned()),
        };
        Ok(CompiledRule { test, missing })
    }

    /// Whether the rule holds for a message.
    pub fn holds(&self, subject: &Subject<'_>) -> Result<bool, ConditionError> {
        let facts = subject.event.facts();
        Ok(match &self.test {
            RuleTest::Never => false,
            RuleTest::User(user) => has(&facts.usernames, user),
            RuleTest::NotUsers(users) => !users.is_empty() && !users.iter().any(|user| has(&facts.usernames, user)),
            RuleTest::GroupMember(group) => facts.usernames.iter().any(|user| subject.acl.is_member(group, user)),
            RuleTest::UserPackage(user, kinds) => {
                facts.packages.iter().any(|name| subject.acl.holds(user, name, *kinds))
            }
            RuleTest::Package(package) => has(&facts.packages, package),
            RuleTest::PackageMatches(pattern) => facts.packages.iter().any(|package| pattern.is_match(package)),
            RuleTest::PayloadMatches(pattern) => pattern.is_match(subject.payload()),
            RuleTest::LinkContains(parts) => {
                let link = subject.event.text().link.as_deref().unwrap_or_default();
                parts.iter().any(|part| link.contains(part.as_str()))
            }
            RuleTest::Named(condition, arguments) => condition.holds(&subject.message, arguments)?,
        })
    }
}

/// Facts are sorted.
fn has(sorted: &[String], name: &str) -> bool {
    sorted.binary_search_by(|item| item.as_str().cmp(name)).is_ok()
}
