//! Rules as a rule editor shows them: names, texts and arguments. How a rule is tested is in `rules`.

mod generic;

use serde::{Deserialize, Serialize};

pub use generic::GenericRule;

/// A rule as a rule editor shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RuleInfo {
    /// E.g. `koji_build_started`.
    pub name: String,
    /// The application that it belongs to; none for the generic rules.
    pub application: Option<String>,
    /// One line for a list of rules.
    pub title: String,
    /// A longer description; may be empty.
    pub help: String,
    /// If one without a default is missing, the rule is false.
    pub arguments: Vec<RuleArgument>,
}

/// An argument of a rule. All are given as text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RuleArgument {
    pub name: String,
    pub kind: ArgumentKind,
    pub help: String,
    /// The value if it is not given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default: Option<String>,
}

/// What an argument's text means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
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
