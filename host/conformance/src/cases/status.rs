//! HTTP statuses, for plugins that ask for HTTP.

use std::time::{Duration, Instant};

use tidings_domain::manifest::Capability;
use tidings_domain::outcome::Outcome;

use super::{HUNG, NOT_CONNECTED, answered, describe};
use crate::remote_server::{ERROR_BODY, FirstSpeaker, RemoteServer, ServerBehaviour};
use crate::report::CaseResult;
use crate::run::{ConformanceRun, DEADLINE_MS};
use crate::sample::{SettingsError, deliveries};

/// The server's `Retry-After`, in seconds.
const RETRY_AFTER_SECONDS: u64 = 77;

/// Which outcomes a status permits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rule {
    /// Any outcome.
    Any,
    /// Any outcome but `delivered`.
    NotDelivered,
    /// Only outcomes that try again.
    Temporary,
    /// Only outcomes that try again, not before `RETRY_AFTER_SECONDS`.
    RetryAfter,
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
    (429, Rule::RetryAfter),
    (500, Rule::Temporary),
    (502, Rule::Temporary),
    (503, Rule::RetryAfter),
    (504, Rule::Temporary),
];

pub async fn all(run: &mut ConformanceRun<'_>) {
    for (status, rule) in STATUSES {
        let started = Instant::now();
        let result = one(run, status, rule).await;
        run.record(&name(status), started, result);
    }
}

fn name(status: u16) -> String {
    match status {
        300..=399 => format!("HTTP {status} to somewhere else"),
        429 | 503 => format!("HTTP {status} with Retry-After"),
        _ => format!("HTTP {status}"),
    }
}

async fn one(run: &mut ConformanceRun<'_>, status: u16, rule: Rule) -> CaseResult {
    if run.observed.hung {
        return CaseResult::Skipped(HUNG.to_owned());
    }
    match ask(run, status, rule).await {
        Ok(verdict) => verdict,
        Err(SettingsError(reason)) => CaseResult::Skipped(reason),
    }
}

async fn ask(run: &mut ConformanceRun<'_>, status: u16, rule: Rule) -> Result<CaseResult, SettingsError> {
    // The target of redirects, without a grant.
    let elsewhere = RemoteServer::start(ServerBehaviour::accept_all(), FirstSpeaker::Client)
        .await
        .map_err(|error| SettingsError(error.to_string()))?;
    let headers = match status {
        300..=399 => vec![("location", format!("http://127.0.0.1:{}/", elsewhere.port()))],
        429 | 503 => vec![("retry-after", RETRY_AFTER_SECONDS.to_string())],
        _ => Vec::new(),
    };
    let channel = run.channel(ServerBehaviour::Answer { status, headers, body: ERROR_BODY }, DEADLINE_MS).await?;
    if !channel.setup.grants.reach.iter().any(|grant| grant.capability == Capability::Http) {
        let http = run.manifest().grants.iter().any(|grant| grant.capability == Capability::Http);
        let reason = if http { channel.setup.no_network_reason() } else { "it asks for no HTTP".to_owned() };
        return Ok(CaseResult::Skipped(reason));
    }
    let batch = [deliveries::single(&channel.setup.address, deliveries::ordinary("status"))];
    let denied_before = run.observed.denied.len();
    let report = run.deliver(&channel, &batch).await;
    if (300..400).contains(&status) {
        // The server caused the denial, not the plugin.
        run.observed.denied.truncate(denied_before);
    }
    if let Err(why) = answered(&report) {
        return Ok(CaseResult::Failed(why));
    }
    if !channel.server.was_connected().await {
        let outcome = report.outcomes.first().map(describe).unwrap_or_default();
        return Ok(CaseResult::Skipped(format!("{NOT_CONNECTED}: {outcome}")));
    }
    Ok(report.outcomes.iter().try_for_each(|outcome| judge(outcome, rule)).into())
}

fn judge(outcome: &Outcome, rule: Rule) -> Result<(), String> {
    let after = match outcome {
        Outcome::Delivered { .. } if rule != Rule::Any => {
            return Err("it answered `delivered`, but the server did not accept it".to_owned());
        }
        Outcome::Rejected { .. } | Outcome::AddressGone { .. }
            if matches!(rule, Rule::Temporary | Rule::RetryAfter) =>
        {
            return Err(format!("a temporary failure ends the delivery: {}", describe(outcome)));
        }
        Outcome::Retry { after, .. } | Outcome::ChannelTrouble { after, .. } => *after,
        _ => return Ok(()),
    };
    if rule == Rule::RetryAfter && after.is_none_or(|after| after < Duration::from_secs(RETRY_AFTER_SECONDS)) {
        return Err(format!("Retry-After: {RETRY_AFTER_SECONDS} is ignored: {}", describe(outcome)));
    }
    Ok(())
}
