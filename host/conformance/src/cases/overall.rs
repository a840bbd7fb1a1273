//! Cases about the plugin as a whole.

use std::time::Instant;

use crate::remote_server::ServerBehaviour;
use crate::report::CaseResult;
use crate::run::{ConformanceRun, DEADLINE_MS};
use crate::sample::{self, SettingsError};

/// `describe` answers the same every time.
pub async fn describe(run: &mut ConformanceRun<'_>) {
    let started = Instant::now();
    let result = match run.channel(ServerBehaviour::accept_all(), DEADLINE_MS).await {
        Err(SettingsError(reason)) => CaseResult::Skipped(reason),
        Ok(channel) => match channel.plugin.describe().await {
            Ok(manifest) if manifest == *run.manifest() => CaseResult::Passed,
            Ok(_) => CaseResult::Failed("a second `describe` returned another manifest".to_owned()),
            Err((kind, detail)) => CaseResult::Failed(format!("no answer ({}): {detail}", kind.as_str())),
        },
    };
    run.record("it describes itself the same every time", started, result);
}

/// Judges what was observed over all calls.
pub fn judge(run: &mut ConformanceRun<'_>) {
    let started = Instant::now();
    let leaks = match run.observed.leaks.first() {
        Some(kind) => Err(format!("a secret is in {kind}")),
        None => Ok(()),
    };
    run.record("secrets stay out of log and outcomes", started, leaks);
    let egress = egress(run);
    run.record("it reaches only for what it asks for", started, egress);
}

/// Every denied host must be one that the manifest, or the address, asks for.
fn egress(run: &ConformanceRun<'_>) -> CaseResult {
    let unreached = run.unreached();
    let asked = |reason: &&String| unreached.iter().any(|host| reason.ends_with(&format!(" {host}")));
    match (run.observed.denied.iter().find(|reason| !asked(reason)), run.observed.denied.is_empty()) {
        (Some(reason), _) => CaseResult::Failed(reason.clone()),
        (None, true) => CaseResult::Passed,
        (None, false) => CaseResult::Skipped(sample::unreached_text(&unreached)),
    }
}
