//! `deliver` with every kind of content, to a server that accepts everything.

use std::time::Instant;

use tidings_domain::delivery::Delivery;
use tidings_domain::outcome::Outcome;
use tidings_sandbox::CallReport;

use super::{HUNG, answered, describe};
use crate::remote_server::ServerBehaviour;
use crate::report::CaseResult;
use crate::run::{ConformanceRun, DEADLINE_MS, TestChannel};
use crate::sample::{SettingsError, deliveries};

/// Deliveries of the largest batch.
const BATCH: usize = 100;
/// Events of the largest digest.
const DIGEST: usize = 500;

/// What a batch tests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Expectation {
    /// Whether the plugin delivers with these settings: the first case.
    Works,
    /// That it delivers this kind of content.
    DeliversKind,
    /// That it returns any answer.
    Answers,
}

pub async fn all(run: &mut ConformanceRun<'_>) {
    for (name, expectation, batch) in batches() {
        let started = Instant::now();
        let result = one(run, expectation, &batch).await;
        run.record(&name, started, result);
    }
}

/// The batches without their address, which the channel determines.
fn batches() -> Vec<(String, Expectation, Vec<Delivery>)> {
    let number = |number: usize| deliveries::single("", deliveries::ordinary(&format!("ordinary-{number}")));
    let mixed = vec![number(0), deliveries::confirmation(""), deliveries::digest("", 3), number(1)];
    let batches = [
        ("a single message", Expectation::Works, vec![number(0)]),
        ("a digest", Expectation::DeliversKind, vec![deliveries::digest("", 3)]),
        ("a digest of 500 messages", Expectation::DeliversKind, vec![deliveries::digest("", DIGEST)]),
        ("a confirmation", Expectation::DeliversKind, vec![deliveries::confirmation("")]),
        ("an empty batch", Expectation::Answers, Vec::new()),
        ("a mixed batch", Expectation::DeliversKind, mixed),
        ("a batch of 100", Expectation::DeliversKind, (0..BATCH).map(number).collect()),
        ("texts of 1 MiB and 10,000 packages", Expectation::Answers, vec![deliveries::single("", deliveries::huge())]),
    ];
    let unusual = deliveries::UNUSUAL_TEXTS.iter().map(|(what, text)| {
        (format!("text with {what}"), Expectation::Answers, vec![deliveries::single("", deliveries::unusual(text))])
    });
    batches.into_iter().map(|(name, expectation, batch)| (name.to_owned(), expectation, batch)).chain(unusual).collect()
}

async fn one(run: &mut ConformanceRun<'_>, expectation: Expectation, batch: &[Delivery]) -> CaseResult {
    if run.observed.hung {
        return CaseResult::Skipped(HUNG.to_owned());
    }
    match run.channel(ServerBehaviour::accept_all(), DEADLINE_MS).await {
        Ok(channel) => {
            let address = channel.setup.address.clone();
            let batch: Vec<_> =
                batch.iter().map(|delivery| Delivery { address: address.clone(), ..delivery.clone() }).collect();
            let report = run.deliver(&channel, &batch).await;
            judge(run, &channel, &report, expectation).await
        }
        Err(SettingsError(reason)) => CaseResult::Skipped(reason),
    }
}

async fn judge(
    run: &mut ConformanceRun<'_>,
    channel: &TestChannel,
    report: &CallReport,
    expectation: Expectation,
) -> CaseResult {
    if expectation == Expectation::Works {
        run.observed.connects = channel.server.was_connected().await;
    }
    if let Err(why) = answered(report) {
        return CaseResult::Failed(why);
    }
    let delivered = |outcome: &Outcome| matches!(outcome, Outcome::Delivered { .. });
    let claims_delivery = report.outcomes.iter().any(delivered);
    if claims_delivery
        && run.delivery_is_observable(channel)
        && channel.host.take_entries().is_empty()
        && !channel.server.has_received().await
    {
        return CaseResult::Failed("it answered `delivered`, but sent nothing".to_owned());
    }
    let is_final = |outcome: &&Outcome| matches!(outcome, Outcome::Rejected { .. } | Outcome::AddressGone { .. });
    match (expectation, report.outcomes.first()) {
        (Expectation::Works, Some(outcome)) if !delivered(outcome) => {
            // A schema does not determine what a server accepts.
            CaseResult::Skipped(format!("with these settings nothing is delivered: {}", describe(outcome)))
        }
        (Expectation::Works, _) => {
            run.observed.delivers = true;
            CaseResult::Passed
        }
        (Expectation::DeliversKind, _) if run.observed.delivers => match report.outcomes.iter().find(is_final) {
            Some(outcome) => CaseResult::Failed(format!(
                "it delivers single messages, but ends this delivery: {}",
                describe(outcome)
            )),
            None => CaseResult::Passed,
        },
        (Expectation::DeliversKind | Expectation::Answers, _) => CaseResult::Passed,
    }
}
