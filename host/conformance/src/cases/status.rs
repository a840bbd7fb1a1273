//! The classes of HTTP's answers, for plugins that ask for HTTP.

use std::time::{Duration, Instant};

use tidings_domain::manifest::Capability;
use tidings_domain::outcome::Outcome;

use super::{HUNG, NO_REQUEST, answered, said};
use crate::far::{FirstSpeaker, RemoteServer, ServerBehaviour, TOLD};
use crate::finding::CaseResult;
use crate::sample::{NoSettings, deliveries};
use crate::trial::{ConformanceRun, DEADLINE_MS};

/// What the far side asks for in `Retry-After`, in seconds.
const REST_SECONDS: u64 = 77;

/// What an outcome may not be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rule {
    /// The plugin may make of it what it likes.
    Any,
    /// The far side did not take it.
    NotDelivered,
    /// It may pass.
    Passing,
    /// It may pass, not before `REST_SECONDS`.
    Rest,
}

const STATUSES: [(u16, Rule); 18] = [
    (200, Rule::Any),
    (202, Rule::Any),
    (204, Rule::Any),
    (301, Rule::NotDelivered),
    (302, Rule::NotDelivered),
    (307, Rule::NotDelivered),
    (400, Rule::NotDelivered),
    (401, Rule::NotDelivered),
    (403, Rule::NotDelivered),
    (404, Rule::NotDelivered),
    (410, Rule::NotDelivered),
    (413, Rule::NotDelivered),
    (422, Rule::NotDelivered),
    (429, Rule::Rest),
    (500, Rule::Passing),
    (502, Rule::Passing),
    (503, Rule::Rest),
    (504, Rule::Passing),
];

pub async fn all(trial: &mut ConformanceRun<'_>) {
    for (status, rule) in STATUSES {
        let began = Instant::now();
        let verdict = one(trial, status, rule).await;
        trial.note(&name(status), began, verdict);
    }
}

fn name(status: u16) -> String {
    match status {
        300..=399 => format!("HTTP {status} to somewhere else"),
        429 | 503 => format!("HTTP {status} with Retry-After"),
        _ => format!("HTTP {status}"),
    }
}

async fn one(trial: &mut ConformanceRun<'_>, status: u16, rule: Rule) -> CaseResult {
    if trial.seen.hung {
        return CaseResult::Skipped(HUNG.to_owned());
    }
    match ask(trial, status, rule).await {
        Ok(verdict) => verdict,
        Err(NoSettings(why)) => CaseResult::Skipped(why),
    }
}

async fn ask(trial: &mut ConformanceRun<'_>, status: u16, rule: Rule) -> Result<CaseResult, NoSettings> {
    // Where a redirect leads: a place without a grant.
    let elsewhere = RemoteServer::start(ServerBehaviour::helpful(), FirstSpeaker::Client)
        .await
        .map_err(|error| NoSettings(error.to_string()))?;
    let headers = match status {
        300..=399 => vec![("location", format!("http://127.0.0.1:{}/", elsewhere.port()))],
        429 | 503 => vec![("retry-after", REST_SECONDS.to_string())],
        _ => Vec::new(),
    };
    let channel = trial.channel(ServerBehaviour::Polite { status, headers, body: TOLD }, DEADLINE_MS).await?;
    if !channel.setup.grants.reach.iter().any(|grant| grant.capability == Capability::Http) {
        let http = trial.manifest().grants.iter().any(|grant| grant.capability == Capability::Http);
        let why = if http { channel.setup.out_of_reach() } else { "it asks for no HTTP".to_owned() };
        return Ok(CaseResult::Skipped(why));
    }
    let batch = [deliveries::single(&channel.setup.address, deliveries::usual("status"))];
    let denied_before = trial.seen.denied.len();
    let report = trial.deliver(&channel, &batch).await;
    if (300..400).contains(&status) {
        // The far side's idea, not the plugin's.
        trial.seen.denied.truncate(denied_before);
    }
    if let Err(why) = answered(&report) {
        return Ok(CaseResult::Failed(why));
    }
    if !channel.far.was_called().await {
        let outcome = report.outcomes.first().map(said).unwrap_or_default();
        return Ok(CaseResult::Skipped(format!("{NO_REQUEST}: {outcome}")));
    }
    Ok(report.outcomes.iter().try_for_each(|outcome| judge(outcome, rule)).into())
}

fn judge(outcome: &Outcome, rule: Rule) -> Result<(), String> {
    let after = match outcome {
        Outcome::Delivered { .. } if rule != Rule::Any => {
            return Err("it said `delivered`, and the far side did not take it".to_owned());
        }
        Outcome::Rejected { .. } | Outcome::AddressGone { .. } if matches!(rule, Rule::Passing | Rule::Rest) => {
            return Err(format!("a passing failure ends the delivery: {}", said(outcome)));
        }
        Outcome::Retry { after, .. } | Outcome::ChannelTrouble { after, .. } => *after,
        _ => return Ok(()),
    };
    if rule == Rule::Rest && after.is_none_or(|after| after < Duration::from_secs(REST_SECONDS)) {
        return Err(format!("Retry-After: {REST_SECONDS} is not heeded: {}", said(outcome)));
    }
    Ok(())
}
