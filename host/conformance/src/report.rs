//! What came of the cases.

use std::time::Duration;

use serde::Serialize;

/// What came of one case.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "verdict", content = "why", rename_all = "snake_case")]
pub enum CaseResult {
    Passed,
    /// What was against the contract: one line for the plugin's author.
    Failed(String),
    /// Why it does not concern this plugin, or could not be tried.
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

    /// What there is to say about it; empty where it passed.
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

/// One thing that was tried.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CaseReport {
    /// The same in every version, e.g. `the far side refuses connections`.
    pub name: String,
    #[serde(flatten)]
    pub verdict: CaseResult,
    pub took: Duration,
}

/// All cases, in the order in which they ran.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ConformanceReport {
    pub cases: Vec<CaseReport>,
    /// What the plugin asks for that was not tried, as `host:port`: places that are no settings.
    pub unreached: Vec<String>,
}

impl ConformanceReport {
    /// Nothing was against the contract.
    pub fn passed(&self) -> bool {
        self.failures().next().is_none()
    }

    /// The cases that failed.
    pub fn failures(&self) -> impl Iterator<Item = &CaseReport> {
        self.cases.iter().filter(|case| matches!(case.verdict, CaseResult::Failed(_)))
    }
}
