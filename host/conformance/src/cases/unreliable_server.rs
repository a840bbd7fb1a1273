//! Servers that fail. The plugin must not report a delivery that no server accepted, and must not end a delivery for a
//! temporary failure.

use std::time::Instant;

use tidings_domain::outcome::Outcome;

use super::{HUNG, NOT_CONNECTED, answered, describe};
use crate::remote_server::ServerBehaviour;
use crate::report::CaseResult;
use crate::run::{ConformanceRun, DEADLINE_MS, SILENT_DEADLINE_MS, TestChannel};
use crate::sample::{SettingsError, deliveries};

/// How the server fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ServerFailure {
    Refuses,
    Silent,
    Closes,
    Garbage,
}

pub async fn all(run: &mut ConformanceRun<'_>) {
    for (name, failure) in [
        ("the server refuses connections", ServerFailure::Refuses),
        ("the server closes at once", ServerFailure::Closes),
        ("the server answers garbage", ServerFailure::Garbage),
        ("the server sends nothing", ServerFailure::Silent),
    ] {
        let started = Instant::now();
        let result = one(run, failure).await;
        run.record(name, started, result);
    }
}

async fn one(run: &mut ConformanceRun<'_>, failure: ServerFailure) -> CaseResult {
    if run.observed.hung {
        return CaseResult::Skipped(HUNG.to_owned());
    }
    let channel = match failure {
        ServerFailure::Refuses => run.refusing_channel(),
        ServerFailure::Silent => run.channel(ServerBehaviour::Silent, SILENT_DEADLINE_MS).await,
        ServerFailure::Closes => run.channel(ServerBehaviour::Close, DEADLINE_MS).await,
        ServerFailure::Garbage => run.channel(ServerBehaviour::Garbage, DEADLINE_MS).await,
    };
    match channel {
        Ok(channel) if channel.setup.grants.reach.is_empty() => CaseResult::Skipped(channel.setup.no_network_reason()),
        Ok(channel) => judge(run, &channel, failure).await,
        Err(SettingsError(reason)) => CaseResult::Skipped(reason),
    }
}

async fn judge(run: &mut ConformanceRun<'_>, channel: &TestChannel, failure: ServerFailure) -> CaseResult {
    let batch = [deliveries::single(&channel.setup.address, deliveries::ordinary("server"))];
    let report = run.deliver(channel, &batch).await;
    if failure == ServerFailure::Silent && report.crash.is_some() {
        // The silent server explains it, so the other cases run.
        run.observed.hung = false;
        let advice = "set timeouts with `clock.remaining-ms`";
        return answered(&report).map_err(|why| format!("{why}; {advice}")).into();
    }
    if let Err(why) = answered(&report) {
        return CaseResult::Failed(why);
    }
    // A refused connection leaves no trace. A plugin that connected to the accepting server connects to this one.
    let connected =
        if failure == ServerFailure::Refuses { run.observed.connects } else { channel.server.was_connected().await };
    for outcome in &report.outcomes {
        match outcome {
            Outcome::Delivered { .. } => {
                return CaseResult::Failed("it answered `delivered`, but no server accepted it".to_owned());
            }
            // The outcome does not concern the server.
            _ if !connected => return CaseResult::Skipped(format!("{NOT_CONNECTED}: {}", describe(outcome))),
            // The protocol decides what garbage means.
            Outcome::Rejected { .. } if failure == ServerFailure::Garbage => {}
            Outcome::Rejected { .. } | Outcome::AddressGone { .. } => {
                return CaseResult::Failed(format!("a temporary failure ends the delivery: {}", describe(outcome)));
            }
            Outcome::Retry { .. } | Outcome::ChannelTrouble { .. } | Outcome::Crash { .. } => {}
        }
    }
    CaseResult::Passed
}
