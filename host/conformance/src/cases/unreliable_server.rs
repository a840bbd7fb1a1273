//! Far sides that are of no help. Nothing may be called delivered that nobody took, and nothing given up for what may
//! pass.

use std::time::Instant;

use tidings_domain::outcome::Outcome;

use super::{HUNG, NO_REQUEST, answered, said};
use crate::far::ServerBehaviour;
use crate::finding::CaseResult;
use crate::sample::{NoSettings, deliveries};
use crate::trial::{ConformanceRun, DEADLINE_MS, MUTE_DEADLINE_MS, TestChannel};

/// What went wrong with the far side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rude {
    Refuses,
    Mute,
    Closes,
    Garbage,
}

pub async fn all(trial: &mut ConformanceRun<'_>) {
    for (name, rude) in [
        ("the far side refuses connections", Rude::Refuses),
        ("the far side closes at once", Rude::Closes),
        ("the far side answers garbage", Rude::Garbage),
        ("the far side says nothing", Rude::Mute),
    ] {
        let began = Instant::now();
        let verdict = one(trial, rude).await;
        trial.note(name, began, verdict);
    }
}

async fn one(trial: &mut ConformanceRun<'_>, rude: Rude) -> CaseResult {
    if trial.seen.hung {
        return CaseResult::Skipped(HUNG.to_owned());
    }
    let channel = match rude {
        Rude::Refuses => trial.refused(),
        Rude::Mute => trial.channel(ServerBehaviour::Mute, MUTE_DEADLINE_MS).await,
        Rude::Closes => trial.channel(ServerBehaviour::Close, DEADLINE_MS).await,
        Rude::Garbage => trial.channel(ServerBehaviour::Garbage, DEADLINE_MS).await,
    };
    match channel {
        Ok(channel) if channel.setup.grants.reach.is_empty() => CaseResult::Skipped(channel.setup.out_of_reach()),
        Ok(channel) => judge(trial, &channel, rude).await,
        Err(NoSettings(why)) => CaseResult::Skipped(why),
    }
}

async fn judge(trial: &mut ConformanceRun<'_>, channel: &TestChannel, rude: Rude) -> CaseResult {
    let batch = [deliveries::single(&channel.setup.address, deliveries::usual("far"))];
    let report = trial.deliver(channel, &batch).await;
    if rude == Rude::Mute && report.crash.is_some() {
        // Known to be about the far side, so the other cases go on.
        trial.seen.hung = false;
        let advice = "set timeouts by `clock.remaining-ms`";
        return answered(&report).map_err(|why| format!("{why}; {advice}")).into();
    }
    if let Err(why) = answered(&report) {
        return CaseResult::Failed(why);
    }
    // A connection that is refused leaves no trace; whoever went to the helpful far side goes to this one.
    let met = if rude == Rude::Refuses { trial.seen.connects } else { channel.far.was_called().await };
    for outcome in &report.outcomes {
        match outcome {
            Outcome::Delivered { .. } => {
                return CaseResult::Failed("it said `delivered`, and nobody took it".to_owned());
            }
            // It is about something else than the far side.
            _ if !met => return CaseResult::Skipped(format!("{NO_REQUEST}: {}", said(outcome))),
            // What garbage means is for the protocol to say.
            Outcome::Rejected { .. } if rude == Rude::Garbage => {}
            Outcome::Rejected { .. } | Outcome::AddressGone { .. } => {
                return CaseResult::Failed(format!("a passing failure ends the delivery: {}", said(outcome)));
            }
            Outcome::Retry { .. } | Outcome::ChannelTrouble { .. } | Outcome::Crash { .. } => {}
        }
    }
    CaseResult::Passed
}
