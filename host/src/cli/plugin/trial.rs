//! `plugin test` and `plugin run`: run the plugin in the real sandbox, against the contract or with one message.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, anyhow};
use clap::Args;
use serde_json::json;
use tidings_conformance::sample::{deliveries, unreached_text};
use tidings_conformance::{CaseResult, DryRun, dry_run, run_with};
use tidings_domain::delivery::StoredEvent;
use tidings_domain::event::Event;
use tidings_domain::message::{Envelope, Frame};
use tidings_domain::outcome::Outcome;

use super::super::messages::ReferenceArgs;
use super::super::output::Output;
use super::{AdmittedComponent, TrialArgs, admit};
use crate::clock;

/// The most that is shown of one connection, in characters.
const SHOWN_CHARS: usize = 4000;

#[derive(Debug, Args)]
pub(super) struct RunArgs {
    #[command(flatten)]
    trial: TrialArgs,
    /// A bus message as JSON; by default a sample
    #[arg(long, value_name = "FILE")]
    event: Option<PathBuf>,
    #[command(flatten)]
    references: ReferenceArgs,
}

/// Runs all test cases. Fails unless all of them pass.
pub(super) async fn test(args: &TrialArgs, out: &mut Output) -> anyhow::Result<ExitCode> {
    let AdmittedComponent { sandbox, admitted, .. } = &admit(&args.file.file).await?;
    let findings = run_with(sandbox, admitted, &args.sample()?).await;
    if out.is_json() {
        out.json(&findings)?;
    } else {
        let rows = findings.cases.iter().map(|case| {
            let took = format!("{} ms", case.took.as_millis());
            [case.verdict.as_str().to_owned(), took, case.name.clone(), case.verdict.why().to_owned()]
        });
        out.table(["verdict", "took", "case", ""], &rows.collect::<Vec<_>>())?;
        // A table cuts long cells; failures are printed in full.
        for case in findings.failures() {
            out.line(&format!("FAILED {}: {}", case.name, case.verdict.why()))?;
        }
        unreached(&findings.unreached, out)?;
        let count =
            |wanted: fn(&CaseResult) -> bool| findings.cases.iter().filter(|case| wanted(&case.verdict)).count();
        let (passed, failed) =
            (count(|v| matches!(v, CaseResult::Passed)), count(|v| matches!(v, CaseResult::Failed(_))));
        out.line(&format!("{passed} passed, {failed} failed, {} skipped", findings.cases.len() - passed - failed))?;
    }
    Ok(if findings.passed() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Delivers one message to a server that accepts everything.
pub(super) async fn run(args: &RunArgs, out: &mut Output) -> anyhow::Result<ExitCode> {
    let event = event(args)?;
    let AdmittedComponent { sandbox, admitted, .. } = &admit(&args.trial.file.file).await?;
    let deliveries = |address: &str| vec![deliveries::single(address, event)];
    let dry_run = dry_run(sandbox, admitted, &args.trial.sample()?, deliveries).await;
    let DryRun { report, sent, entries, log, unreached: untried } = dry_run.map_err(|why| anyhow!(why))?;
    let outcome = report.outcomes.first().context("the plugin returned no outcome")?;
    let sent: Vec<String> = sent.iter().map(|bytes| shown(bytes)).collect();
    if out.is_json() {
        let log: Vec<_> =
            log.iter().map(|(level, line)| json!({"level": format!("{level:?}"), "line": line})).collect();
        let entries: Vec<_> = entries.iter().map(|entry| &entry.data).collect();
        let result = json!({"outcome": outcome, "sent": sent, "entries": entries, "log": log, "unreached": untried});
        out.json(&result)?;
    } else {
        for (number, text) in sent.iter().enumerate() {
            out.line(&format!("--- connection {}", number + 1))?;
            text.lines().try_for_each(|line| out.line(line))?;
        }
        for entry in &entries {
            out.line(&format!("--- entry of {}: {}", entry.address, entry.data))?;
        }
        for (level, line) in &log {
            out.line(&format!("--- log {level:?}: {line}"))?;
        }
        out.line(&format!("--- {}", describe(outcome)))?;
        let (millis, memory) = (report.stats.duration.as_millis(), report.stats.peak_memory_bytes.div_ceil(1024));
        out.line(&format!("    {millis} ms, {memory} KiB of memory, {} host calls", report.stats.host_calls))?;
        unreached(&untried, out)?;
    }
    let delivered = matches!(outcome, Outcome::Delivered { .. });
    Ok(if delivered { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The message with its facts and texts from the catalogue.
fn event(args: &RunArgs) -> anyhow::Result<StoredEvent> {
    let Some(path) = &args.event else { return Ok(deliveries::ordinary("sample")) };
    let body = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    let envelope = Envelope::read(&Frame { topic: None, body }).with_context(|| format!("{}", path.display()))?;
    let references = args.references.read()?;
    Ok(Event::new(&references.catalogue, &references.aliases, &envelope).stored(clock::now()))
}

/// Prints what the run did not reach, and what to do about it.
fn unreached(untried: &[String], out: &mut Output) -> anyhow::Result<()> {
    if !untried.is_empty() {
        out.line(&format!("NOT TRIED: {}", unreached_text(untried)))?;
    }
    Ok(())
}

/// Bytes as text without control characters, for a terminal.
fn shown(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let safe = |c: char| if c == '\n' || !c.is_control() { c } else { ' ' };
    text.replace("\r\n", "\n").chars().take(SHOWN_CHARS).map(safe).collect()
}

/// The outcome as text.
pub(super) fn describe(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Delivered { receipt: None } => "delivered".to_owned(),
        Outcome::Delivered { receipt: Some(receipt) } => format!("delivered: {receipt}"),
        Outcome::Retry { reason, .. } => format!("retry: {reason}"),
        Outcome::Rejected { reason } => format!("rejected: {reason}"),
        Outcome::AddressGone { reason, .. } => format!("the address is gone: {reason}"),
        Outcome::ChannelTrouble { reason, .. } => format!("the channel is in trouble: {reason}"),
        Outcome::Crash { kind, detail } => format!("crashed ({}): {detail}", kind.as_str()),
    }
}
