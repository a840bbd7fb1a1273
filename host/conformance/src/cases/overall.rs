//! What concerns the plugin as a whole.

use std::time::Instant;

use crate::far::ServerBehaviour;
use crate::finding::CaseResult;
use crate::sample::{self, NoSettings};
use crate::trial::{ConformanceRun, DEADLINE_MS};

/// `describe` answers the same every time.
pub async fn describe(trial: &mut ConformanceRun<'_>) {
    let began = Instant::now();
    let verdict = match trial.channel(ServerBehaviour::helpful(), DEADLINE_MS).await {
        Err(NoSettings(why)) => CaseResult::Skipped(why),
        Ok(channel) => match channel.plugin.describe().await {
            Ok(manifest) if manifest == *trial.manifest() => CaseResult::Passed,
            Ok(_) => CaseResult::Failed("asked again, it described itself in another way".to_owned()),
            Err((kind, detail)) => CaseResult::Failed(format!("no answer ({}): {detail}", kind.as_str())),
        },
    };
    trial.note("it describes itself the same every time", began, verdict);
}

/// What was seen over all calls.
pub fn judge(trial: &mut ConformanceRun<'_>) {
    let began = Instant::now();
    let leaks = match trial.seen.leaks.first() {
        Some(place) => Err(format!("a secret stands in {place}")),
        None => Ok(()),
    };
    trial.note("secrets stay out of log and outcomes", began, leaks);
    let egress = egress(trial);
    trial.note("it reaches only for what it asks for", began, egress);
}

/// Every place that was refused must be one that the manifest, or the address of the trial, asks for.
fn egress(trial: &ConformanceRun<'_>) -> CaseResult {
    let unreached = trial.unreached();
    let asked = |why: &&String| unreached.iter().any(|place| why.ends_with(&format!(" {place}")));
    match (trial.seen.denied.iter().find(|why| !asked(why)), trial.seen.denied.is_empty()) {
        (Some(why), _) => CaseResult::Failed(why.clone()),
        (None, true) => CaseResult::Passed,
        (None, false) => CaseResult::Skipped(sample::beyond(&unreached)),
    }
}
