//! Rules: what a user may ask for, and the form in which it is tested. Compiling isolates: a rule that cannot be
//! understood silences its own filter and is reported, nothing else.

mod compiled;
mod generic;

use serde::Serialize;

use crate::catalogue::condition::Arguments;
use crate::facts::Event;

pub(crate) use compiled::{Compiled, RuleTest, Subject};
pub use generic::generic;

/// A rule as a rule editor shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RuleInfo {
    /// E.g. `koji_build_started`.
    pub name: String,
    /// The application it is about; none for the generic rules.
    pub application: Option<String>,
    /// One line for a list of rules.
    pub title: String,
    /// More about it; may be empty.
    pub help: String,
    /// Without one that has no default, the rule is false.
    pub arguments: Vec<RuleArgument>,
}

/// An argument of a rule. All are given as text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RuleArgument {
    pub name: String,
    pub kind: ArgumentKind,
    pub help: String,
    /// What counts where it is not given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default: Option<String>,
}

/// What an argument's text means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ArgumentKind {
    /// An account name.
    User,
    /// Account names, separated by commas.
    Users,
    Package,
    Group,
    /// A regular expression.
    Pattern,
    Text,
    /// Texts, separated by commas.
    List,
}

/// What is wrong with one rule of a user. The other filters are not affected.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RuleProblem {
    pub user: String,
    pub channel: String,
    pub filter: String,
    /// The rule's name; empty where the filter or the subscription as a whole is meant.
    pub rule: String,
    pub reason: String,
}

/// The names of all rules without arguments that hold for a message, sorted. A rule that cannot be tested does not hold.
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
