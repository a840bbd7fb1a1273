//! Conversions between the daemon's types and those of the API.

use std::collections::BTreeMap;
use std::time::Duration;

use tidings_api_types::{
    BooksInfo, BusEndpointState, ChannelInfo, ChannelStateInfo, CredentialRequestInfo, DeliveryInfo, EndpointInfo,
    GrantRequestInfo, LatencyBucket, LogLineInfo, MessageCounts, RefusedMessages, ResidentInfo, TestOutcome,
    TestSendResult, VersionInfo, VersionUse,
};
use tidings_bus::{EndpointState, EndpointStatus};
use tidings_domain::message::Refusal;
use tidings_domain::outcome::Outcome;
use tidings_store::{Books, DeliveryRow};

use crate::channels::{self, ChannelState, ChannelView, ResidentView, VersionView};
use crate::telemetry::{Metrics, ReasonLabel, VersionStats};

/// The counts of messages. A message that a source refused was received as well, though it never reached intake.
pub fn message_counts(metrics: &Metrics, bus: &[EndpointStatus]) -> MessageCounts {
    let at_source = |refusal: Refusal| -> u64 {
        bus.iter().flat_map(|endpoint| &endpoint.refused).filter(|r| r.reason == refusal).map(|r| r.count).sum()
    };
    let refused = Refusal::ALL.into_iter().filter_map(|refusal| {
        let reason = refusal.as_str();
        let by_intake = metrics.refused.get(&ReasonLabel { reason }).map_or(0, |counter| counter.get());
        let count = by_intake + at_source(refusal);
        (count > 0).then(|| (reason.to_owned(), count))
    });
    let refused_at_source: u64 = Refusal::ALL.into_iter().map(at_source).sum();
    MessageCounts {
        received: metrics.received.get() + refused_at_source,
        matched: metrics.matched.get(),
        unmatched: metrics.unmatched.get(),
        duplicate: metrics.duplicate.get(),
        conflict: metrics.conflict.get(),
        poison: metrics.poison.get(),
        refused: refused.collect::<BTreeMap<_, _>>(),
    }
}

pub(super) fn endpoint(status: EndpointStatus) -> EndpointInfo {
    EndpointInfo {
        name: status.name,
        state: match status.state {
            EndpointState::Connecting => BusEndpointState::Connecting,
            EndpointState::Subscribed => BusEndpointState::Subscribed,
            EndpointState::BackingOff => BusEndpointState::BackingOff,
            EndpointState::Ended => BusEndpointState::Ended,
        },
        since: status.since,
        trouble: status.trouble,
        messages: status.messages,
        bytes: status.bytes,
        refused: status
            .refused
            .into_iter()
            .map(|refused| RefusedMessages { reason: refused.reason.as_str().to_owned(), count: refused.count })
            .collect(),
        reconnects: status.reconnects,
        renewals: status.renewals,
        waits: status.waits,
        gaps: status.gaps,
        missing: status.missing,
        restarts: status.restarts,
        started_at: status.started_at,
        last_message_at: status.last_message_at,
    }
}

pub(super) fn delivery(row: DeliveryRow) -> DeliveryInfo {
    DeliveryInfo {
        id: row.id.to_string(),
        channel: row.channel,
        user: row.user,
        address: row.address,
        filter: row.filter,
        state: row.state,
        attempts: row.attempts,
        accepted_at: row.accepted_at,
        not_before: row.not_before,
        updated_at: row.updated_at,
        note: row.note,
        message_id: row.message_id,
        topic: row.topic,
        subtitle: row.subtitle,
    }
}

pub(super) fn books(channel: String, books: &Books) -> BooksInfo {
    let Books { accepted, delivered, dead, cancelled, pending } = *books;
    BooksInfo { channel, accepted, delivered, dead, cancelled, pending }
}

pub(super) fn channel(view: ChannelView) -> ChannelInfo {
    let asks =
        view.asks.into_iter().map(|ask| GrantRequestInfo { grant: ask.grant, why: ask.why, granted: ask.granted });
    let credential_asks = view.credential_asks.into_iter().map(|ask| CredentialRequestInfo {
        name: ask.name,
        kind: ask.kind,
        host: ask.host,
        required: ask.required,
        why: ask.why,
        granted: ask.granted,
    });
    ChannelInfo {
        name: view.name,
        component: view.component,
        manifest: view.manifest,
        enabled: view.enabled,
        state: channel_state(view.state),
        config: view.config,
        secrets_set: view.secrets_set,
        reach: view.reach,
        credentials: view.credentials,
        asks: asks.collect(),
        credential_asks: credential_asks.collect(),
        limits: view.limits,
        resident: view.resident.map(resident),
        may: view.may,
        candidate: view.candidate,
        previous: view.previous,
        policy: view.policy,
    }
}

pub(super) fn channel_state(state: ChannelState) -> ChannelStateInfo {
    match state {
        ChannelState::Disabled => ChannelStateInfo::Disabled,
        ChannelState::Running => ChannelStateInfo::Running,
        ChannelState::Resting { until, reason } => ChannelStateInfo::Resting { until, reason },
        ChannelState::Quarantined { since, reason } => ChannelStateInfo::Quarantined { since, reason },
        ChannelState::Failed { reason } => ChannelStateInfo::Failed { reason },
    }
}

fn resident(view: ResidentView) -> ResidentInfo {
    let ResidentView { alive, starts, crashes, last_crash, wakes, held } = view;
    ResidentInfo { alive, starts, crashes, last_crash, wakes, held }
}

pub(super) fn version(view: VersionView) -> VersionInfo {
    let VersionView { component, version, state, since, stats } = view;
    VersionInfo { component, version, state, since, stats: stats.map(version_use) }
}

fn version_use(stats: VersionStats) -> VersionUse {
    let latency = stats.latency.iter().map(|bucket| LatencyBucket { up_to: bucket.up_to, count: bucket.count });
    VersionUse {
        calls: stats.calls,
        crashes: stats.crashes.into_iter().map(|(kind, count)| (kind.to_owned(), count)).collect(),
        seconds: stats.seconds,
        latency: latency.collect(),
        cpu_seconds: stats.cpu_seconds,
        memory_peak_bytes: stats.memory_peak_bytes,
        host_calls: stats.host_calls,
        egress_denials: stats.egress_denials,
        network_bytes: stats.network_bytes,
        log_lines: stats.log_lines,
        log_lines_dropped: stats.log_lines_dropped,
    }
}

pub(super) fn log_line(line: channels::LogLine) -> LogLineInfo {
    LogLineInfo {
        number: line.number,
        at: line.at,
        level: line.level.to_owned(),
        version: line.version,
        line: line.line,
    }
}

pub(super) fn test_result(outcome: Outcome) -> TestSendResult {
    let plain = |outcome, detail| TestSendResult { outcome, detail, retry_after_seconds: None, replacement: None };
    let seconds = |after: Option<Duration>| after.map(|after| after.as_secs());
    match outcome {
        Outcome::Delivered { receipt } => plain(TestOutcome::Delivered, receipt),
        Outcome::Retry { after, reason } => {
            TestSendResult { retry_after_seconds: seconds(after), ..plain(TestOutcome::Retry, Some(reason)) }
        }
        Outcome::Rejected { reason } => plain(TestOutcome::Rejected, Some(reason)),
        Outcome::AddressGone { replacement, reason } => {
            TestSendResult { replacement, ..plain(TestOutcome::AddressGone, Some(reason)) }
        }
        Outcome::ChannelTrouble { after, reason } => {
            TestSendResult { retry_after_seconds: seconds(after), ..plain(TestOutcome::ChannelTrouble, Some(reason)) }
        }
        Outcome::Crash { kind, detail } => plain(TestOutcome::Crash, Some(format!("{}: {detail}", kind.as_str()))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_those_of_the_metrics() {
        let metrics = Metrics::default();
        metrics.received.inc_by(3);
        metrics.matched.inc();
        metrics.refuse(Refusal::NotJson);
        metrics.refuse(Refusal::NotJson);
        let counts = message_counts(&metrics, &[]);
        assert_eq!((counts.received, counts.matched, counts.unmatched), (3, 1, 0));
        assert_eq!(counts.refused, BTreeMap::from([("not_json".to_owned(), 2)]));
    }
}
