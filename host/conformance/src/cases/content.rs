//! `deliver` with everything that may be in a batch, to a far side that takes all.

use std::time::Instant;

use tidings_domain::delivery::Delivery;
use tidings_domain::outcome::Outcome;
use tidings_sandbox::CallReport;

use super::{HUNG, answered, said};
use crate::far::ServerBehaviour;
use crate::finding::CaseResult;
use crate::sample::{NoSettings, deliveries};
use crate::trial::{ConformanceRun, DEADLINE_MS, TestChannel};

/// Deliveries in the largest batch that is tried.
const BATCH: usize = 100;
/// Events of the largest digest that is tried.
const DIGEST: usize = 500;

/// What a batch shows of the plugin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shows {
    /// Whether it works with the settings of the trial: the first case.
    Works,
    /// That it delivers whatever the daemon makes of messages.
    Kind,
    /// That it gives an answer, whatever that is.
    Answers,
}

pub async fn all(trial: &mut ConformanceRun<'_>) {
    for (name, shows, batch) in batches() {
        let began = Instant::now();
        let verdict = one(trial, shows, &batch).await;
        trial.note(&name, began, verdict);
    }
}

/// To nobody yet: the address is known with the channel.
fn batches() -> Vec<(String, Shows, Vec<Delivery>)> {
    let number = |number: usize| deliveries::single("", deliveries::usual(&format!("usual-{number}")));
    let mixed = vec![number(0), deliveries::confirmation(""), deliveries::digest("", 3), number(1)];
    let batches = [
        ("a single message", Shows::Works, vec![number(0)]),
        ("a digest", Shows::Kind, vec![deliveries::digest("", 3)]),
        ("a digest of 500 messages", Shows::Kind, vec![deliveries::digest("", DIGEST)]),
        ("a confirmation", Shows::Kind, vec![deliveries::confirmation("")]),
        ("an empty batch", Shows::Answers, Vec::new()),
        ("a mixed batch", Shows::Kind, mixed),
        ("a batch of 100", Shows::Kind, (0..BATCH).map(number).collect()),
        ("texts of 1 MiB and 10,000 packages", Shows::Answers, vec![deliveries::single("", deliveries::huge())]),
    ];
    let odd = deliveries::ODD.iter().map(|(what, text)| {
        (format!("text with {what}"), Shows::Answers, vec![deliveries::single("", deliveries::odd(text))])
    });
    batches.into_iter().map(|(name, shows, batch)| (name.to_owned(), shows, batch)).chain(odd).collect()
}

async fn one(trial: &mut ConformanceRun<'_>, shows: Shows, batch: &[Delivery]) -> CaseResult {
    if trial.seen.hung {
        return CaseResult::Skipped(HUNG.to_owned());
    }
    match trial.channel(ServerBehaviour::helpful(), DEADLINE_MS).await {
        Ok(channel) => {
            let address = channel.setup.address.clone();
            let batch: Vec<_> =
                batch.iter().map(|delivery| Delivery { address: address.clone(), ..delivery.clone() }).collect();
            let report = trial.deliver(&channel, &batch).await;
            judge(trial, &channel, &report, shows).await
        }
        Err(NoSettings(why)) => CaseResult::Skipped(why),
    }
}

async fn judge(trial: &mut ConformanceRun<'_>, channel: &TestChannel, report: &CallReport, shows: Shows) -> CaseResult {
    if shows == Shows::Works {
        trial.seen.connects = channel.far.was_called().await;
    }
    if let Err(why) = answered(report) {
        return CaseResult::Failed(why);
    }
    let delivered = |outcome: &Outcome| matches!(outcome, Outcome::Delivered { .. });
    let said_so = report.outcomes.iter().any(delivered);
    if said_so
        && trial.can_be_heard(channel)
        && channel.host.take_entries().is_empty()
        && !channel.far.has_heard().await
    {
        return CaseResult::Failed("it said `delivered`, and nothing was sent".to_owned());
    }
    let last = |outcome: &&Outcome| matches!(outcome, Outcome::Rejected { .. } | Outcome::AddressGone { .. });
    match (shows, report.outcomes.first()) {
        (Shows::Works, Some(outcome)) if !delivered(outcome) => {
            // Nobody can say from a schema what a far side wants to hear.
            CaseResult::Skipped(format!("with these settings nothing is delivered: {}", said(outcome)))
        }
        (Shows::Works, _) => {
            trial.seen.delivers = true;
            CaseResult::Passed
        }
        (Shows::Kind, _) if trial.seen.delivers => match report.outcomes.iter().find(last) {
            Some(outcome) => {
                CaseResult::Failed(format!("it delivers single messages and ends this: {}", said(outcome)))
            }
            None => CaseResult::Passed,
        },
        (Shows::Kind | Shows::Answers, _) => CaseResult::Passed,
    }
}
