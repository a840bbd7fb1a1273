//! The cases, in the order in which a failure is most informative: the manifest, addresses, deliveries, unreliable
//! servers, HTTP statuses, and what was observed over all calls.

mod address;
mod content;
mod overall;
mod status;
mod unreliable_server;

use tidings_domain::outcome::Outcome;
use tidings_sandbox::CallReport;

use crate::report::ConformanceReport;
use crate::run::ConformanceRun;

/// Runs them all.
pub async fn all(mut run: ConformanceRun<'_>) -> ConformanceReport {
    overall::describe(&mut run).await;
    address::all(&mut run).await;
    content::all(&mut run).await;
    unreliable_server::all(&mut run).await;
    status::all(&mut run).await;
    overall::judge(&mut run);
    run.finish()
}

/// Why a case is skipped after a call that never ended.
const HUNG: &str = "an earlier call did not end before its deadline";
/// Why a case is skipped if the plugin does not use the server.
const NOT_CONNECTED: &str = "with these settings it does not connect to the server";

/// Fails if the call returned no answer.
fn answered(report: &CallReport) -> Result<(), String> {
    match &report.crash {
        None => Ok(()),
        Some((kind, detail)) => Err(format!("no answer ({}): {detail}", kind.as_str())),
    }
}

/// The outcome in a few words.
fn describe(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Delivered { .. } => "delivered".to_owned(),
        Outcome::Retry { reason, .. } => format!("retry ({reason})"),
        Outcome::Rejected { reason } => format!("rejected ({reason})"),
        Outcome::AddressGone { reason, .. } => format!("address-gone ({reason})"),
        Outcome::ChannelTrouble { reason, .. } => format!("channel-trouble ({reason})"),
        Outcome::Crash { detail, .. } => format!("no answer ({detail})"),
    }
}
