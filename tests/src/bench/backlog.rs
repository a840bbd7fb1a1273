//! A backlog from a file to committed deliveries, with the load of FMN.

use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::population::Population;
use super::{LIMIT, report};
use crate::daemon::Daemon;
use tidings_api_types::MessageCounts;

const MESSAGES: usize = 300_000;

/// Measures the time of the whole command `replay`, from the start to the end of its process. The baseline is the time in
/// which one thread parses the same file.
pub(super) async fn backlog() -> Result<()> {
    let population = Population::read()?;
    let dir = tempfile::tempdir()?;
    // No publisher is at this endpoint: all messages come from the file.
    let home = population.home(dir.path(), &["tcp://127.0.0.1:1"]).await?;
    let file = dir.path().join("backlog.jsonl");
    population.write(&file, MESSAGES)?;
    let parse = parse(&file)?;

    let began = Instant::now();
    let arguments = ["replay", file.to_str().context("the path is not UTF-8")?, "--json"];
    let output = home.command_within(&arguments, LIMIT).await?;
    let took = began.elapsed();
    ensure!(output.status.success(), "tidings replay: {}", String::from_utf8_lossy(&output.stderr));
    let counts: MessageCounts = serde_json::from_slice(&output.stdout).context("the counts")?;
    let all = MESSAGES as u64;
    ensure!(counts.received == all && counts.matched + counts.unmatched == all, "the counts: {counts:?}");

    let token = home.token("bench").await?;
    let daemon = Daemon::start(&home, Some(&token)).await?;
    let books = daemon.client().books().await?;
    let deliveries: u64 = books.values().map(|one| one.accepted).sum();
    ensure!(books.values().all(|one| one.balance() && one.pending == one.accepted), "the books: {books:?}");
    ensure!(deliveries >= counts.matched && counts.matched > 0, "{deliveries} deliveries of {counts:?}");
    report("backlog_300k_s", took.as_secs_f64(), "s");
    report("backlog_per_s", MESSAGES as f64 / took.as_secs_f64(), "messages/s");
    report("backlog_matched", counts.matched as f64, "messages");
    report("backlog_deliveries", deliveries as f64, "deliveries");
    report("backlog_deliveries_per_s", deliveries as f64 / took.as_secs_f64(), "deliveries/s");
    report("backlog_parse_s", parse.as_secs_f64(), "s");
    report("backlog_vs_parse", took.as_secs_f64() / parse.as_secs_f64(), "ratio");
    daemon.terminate().await.map(drop)
}

/// The time in which one thread parses the file.
fn parse(file: &Path) -> Result<Duration> {
    let began = Instant::now();
    let mut topics = 0;
    for line in BufReader::new(File::open(file)?).lines() {
        let message: Value = serde_json::from_str(&line?)?;
        topics += usize::from(message["topic"].is_string());
    }
    ensure!(topics == MESSAGES, "{topics} messages have a topic");
    Ok(began.elapsed())
}
