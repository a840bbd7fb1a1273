//! The results of the cases.

use std::time::Duration;

use serde::Serialize;

/// The result of one case.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "verdict", content = "why", rename_all = "snake_case")]
pub enum CaseResult {
    Passed,
    /// How the plugin breaks the contract, in one line for its author.
    Failed(String),
    /// Why the case does not concern this plugin, or could not be run.
    Skipped(String),
}

impl CaseResult {
    /// The word for a table.
    pub const fn as_str(&self) -> &'static str {
        match self {
            CaseResult::Passed => "passed",
            CaseResult::Failed(_) => "failed",
            CaseResult::Skipped(_) => "skipped",
        }
    }

    /// The reason of a failed or skipped case; empty if it passed.
    pub fn why(&self) -> &str {
        match self {
            CaseResult::Passed => "",
            CaseResult::Failed(why) | CaseResult::Skipped(why) => why,
        }
    }
}

impl From<Result<(), String>> for CaseResult {
    fn from(result: Result<(), String>) -> Self {
        result.map_or_else(CaseResult::Failed, |()| CaseResult::Passed)
    }
}

/// One case with its result.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CaseReport {
    /// A description, e.g. `the server refuses connections`.
    pub name: String,
    #[serde(flatten)]
    pub verdict: CaseResult,
    pub took: Duration,
}

/// All cases, in the order in which they ran.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ConformanceReport {
    pub cases: Vec<CaseReport>,
    /// What the plugin asks to reach that was not tried, as `host:port`: hosts that are not settings.
    pub unreached: Vec<String>,
}

impl ConformanceReport {
    /// Whether no case failed.
    pub fn passed(&self) -> bool {
        self.failures().next().is_none()
    }

    /// The cases that failed.
    pub fn failures(&self) -> impl Iterator<Item = &CaseReport> {
        self.cases.iter().filter(|case| matches!(case.verdict, CaseResult::Failed(_)))
    }
}
