//! The cases, in the order in which a failure says most: what the plugin says of itself, what it makes of addresses, of
//! deliveries, of far sides; at last what was seen over all calls.

mod address;
mod content;
mod far;
mod overall;
mod status;

use tidings_domain::outcome::Outcome;
use tidings_sandbox::CallReport;

use crate::finding::ConformanceReport;
use crate::trial::ConformanceRun;

/// Runs them all.
pub async fn all(mut trial: ConformanceRun<'_>) -> ConformanceReport {
    overall::describe(&mut trial).await;
    address::all(&mut trial).await;
    content::all(&mut trial).await;
    far::all(&mut trial).await;
    status::all(&mut trial).await;
    overall::judge(&mut trial);
    trial.end()
}

/// Why nothing more is delivered.
const HUNG: &str = "a call before this did not end by itself";
/// Why a far side that is of no help proves nothing.
const NO_REQUEST: &str = "with these settings it connects to nobody";

/// That the call gave an answer.
fn answered(report: &CallReport) -> Result<(), String> {
    match &report.crash {
        None => Ok(()),
        Some((kind, detail)) => Err(format!("no answer ({}): {detail}", kind.as_str())),
    }
}

/// The outcome in a few words.
fn said(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Delivered { .. } => "delivered".to_owned(),
        Outcome::Retry { reason, .. } => format!("retry ({reason})"),
        Outcome::Rejected { reason } => format!("rejected ({reason})"),
        Outcome::AddressGone { reason, .. } => format!("address-gone ({reason})"),
        Outcome::ChannelTrouble { reason, .. } => format!("channel-trouble ({reason})"),
        Outcome::Crash { detail, .. } => format!("no answer ({detail})"),
    }
}
