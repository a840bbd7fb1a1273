//! What concerns the plugin as a whole.

use std::time::Instant;

use crate::far::Manner;
use crate::finding::Verdict;
use crate::sample::{Refused, Setup};
use crate::trial::{DEADLINE_MS, Trial};

/// `describe` answers the same every time.
pub async fn describe(trial: &mut Trial<'_>) {
    let began = Instant::now();
    let verdict = match trial.channel(Manner::helpful(), DEADLINE_MS).await {
        Err(Refused(why)) => Verdict::Skipped(why),
        Ok(channel) => match channel.plugin.describe().await {
            Ok(manifest) if manifest == *trial.manifest() => Verdict::Passed,
            Ok(_) => Verdict::Failed("asked again, it described itself in another way".to_owned()),
            Err((kind, detail)) => Verdict::Failed(format!("no answer ({}): {detail}", kind.as_str())),
        },
    };
    trial.note("it describes itself the same every time", began, verdict);
}

/// What was seen over all calls.
pub fn judge(trial: &mut Trial<'_>) {
    let began = Instant::now();
    let texts = match trial.seen.odd_texts.first() {
        Some(text) => Err(format!("a reason or receipt has control characters: {text}")),
        None => Ok(()),
    };
    trial.note("outcomes are one line", began, texts);
    let leaks = match trial.seen.leaks.first() {
        Some(place) => Err(format!("a secret stands in {place}")),
        None => Ok(()),
    };
    trial.note("secrets stay out of log and outcomes", began, leaks);
    let egress = egress(trial);
    trial.note("it reaches only for what it asks for", began, egress);
}

fn egress(trial: &Trial<'_>) -> Verdict {
    let Some(why) = trial.seen.denied.first() else { return Verdict::Passed };
    match trial.foreign() {
        Some(foreign) if why.contains(&foreign) => {
            Verdict::Skipped(format!("it reaches for {foreign}, which a trial does not grant"))
        }
        _ => Verdict::Failed(why.clone()),
    }
}

impl Trial<'_> {
    /// A place beyond loopback that the manifest, or the address of the trial, asks for.
    fn foreign(&self) -> Option<String> {
        self.setup_at(1).ok().and_then(|Setup { foreign, .. }| foreign)
    }
}
