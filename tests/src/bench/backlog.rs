//! A backlog from a file to committed deliveries, with FMN's load.

use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::population::Population;
use super::{LIMIT, tell};
use crate::daemon::Daemon;
use tidings_api_types::MessageCounts;

const MESSAGES: usize = 300_000;

/// The time of the whole command, from the start of its process to its end; the baseline is what parsing the same file
/// takes one thread.
pub(super) async fn backlog() -> Result<()> {
    let population = Population::read()?;
    let dir = tempfile::tempdir()?;
    // Nobody is there: the file is all that is heard.
    let home = population.home(dir.path(), &["tcp://127.0.0.1:1"]).await?;
    let file = dir.path().join("backlog.jsonl");
    population.write(&file, MESSAGES)?;
    let parse = parse(&file)?;

    let began = Instant::now();
    let arguments = ["replay", file.to_str().context("the path is text")?, "--json"];
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
    tell("backlog_300k_s", took.as_secs_f64(), "s");
    tell("backlog_per_s", MESSAGES as f64 / took.as_secs_f64(), "messages/s");
    tell("backlog_matched", counts.matched as f64, "messages");
    tell("backlog_deliveries", deliveries as f64, "deliveries");
    tell("backlog_deliveries_per_s", deliveries as f64 / took.as_secs_f64(), "deliveries/s");
    tell("backlog_parse_s", parse.as_secs_f64(), "s");
    tell("backlog_vs_parse", took.as_secs_f64() / parse.as_secs_f64(), "ratio");
    daemon.terminate().await.map(drop)
}

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
