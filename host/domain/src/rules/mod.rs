//! Rules in the form in which they are tested. Compilation isolates: an invalid rule disables its own filter and is
//! reported, and affects nothing else.

mod compiled;
mod generic;

use serde::Serialize;

use crate::catalogue::condition::Arguments;
use crate::event::Event;

pub(crate) use compiled::{CompiledRule, RuleTest, Subject};

/// A problem with one rule of a user. The user's other filters are not affected.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RuleProblem {
    pub user: String,
    pub channel: String,
    pub filter: String,
    /// The rule's name; empty where the filter or the subscription as a whole is meant.
    pub rule: String,
    pub reason: String,
}

/// The names of all rules without arguments that hold for a message, sorted. A rule that cannot be tested does not
/// hold.
pub fn holding(event: &Event<'_>) -> Vec<String> {
    let catalogue = event.catalogue();
    let plain = catalogue.rules().iter().filter(|info| info.arguments.is_empty());
    let message = event.message();
    let holds = |name: &str| {
        let named = catalogue.named(name);
        named.is_some_and(|rule| rule.condition.holds(&message, &Arguments::new()).unwrap_or(false))
    };
    plain.filter(|info| holds(&info.name)).map(|info| info.name.clone()).collect()
}
