//! Edits through the API while messages come in: how soon the next message is matched by the new rule, and what matching
//! feels of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use hyper::Method;
use serde_json::Value;
use tokio::time::sleep;

use super::population::Population;
use super::{OUTSTANDING, quantile, tell};
use crate::channel;
use crate::client::TestClient;
use crate::daemon::Daemon;
use crate::port;
use crate::publisher::TestPublisher;
use crate::samples::SampleMessage;
use crate::scene::{about, rule, subscription};

/// Messages a second that are offered; fewer come where the daemon does not keep up.
const RATE: f64 = 10_000.0;
/// Turns of the load without edits and with them.
const TURNS: usize = 4;
const EDITS_PER_TURN: usize = 60;
/// Of a turn without edits.
const TURN: Duration = Duration::from_secs(6);
/// Between two edits.
const PAUSE: Duration = Duration::from_millis(50);
const LIMIT: Duration = Duration::from_secs(30);

/// The load of ten thousand people's default filters, with and without one user's edits. An edit's time runs from the
/// API's answer until the deliveries show a message that was published after it; most of it is the way of that message,
/// of which the same message without an edit before it is the baseline.
pub(super) async fn edits() -> Result<()> {
    let population = Population::read()?;
    let dir = tempfile::tempdir()?;
    let (stream, mut single) = (TestPublisher::bind(port::free()?).await?, TestPublisher::bind(port::free()?).await?);
    let home = population.home(dir.path(), &[stream.endpoint(), single.endpoint()]).await?;
    let token = home.token("bench").await?;
    let daemon = Daemon::start(&home, Some(&token)).await?;
    let client = daemon.client();
    daemon.subscribed(LIMIT).await?;
    sleep(Duration::from_millis(300)).await;
    let stop = Arc::new(AtomicBool::new(false));
    let load = tokio::spawn(load(stream, population.messages, client.clone(), Arc::clone(&stop)));

    wants(client, "same").await?;
    sleep(Duration::from_secs(2)).await;
    let (began, first) = (Instant::now(), client.status().await?.messages.settled());
    let (mut alone, mut beside) = (Buckets::default(), Buckets::default());
    let (mut puts, mut visible, mut unedited) = (Vec::new(), Vec::new(), Vec::new());
    for turn in 0..TURNS {
        let before = Buckets::read(client).await?;
        let end = Instant::now() + TURN;
        while Instant::now() < end {
            unedited.push(matched(client, &mut single, "same").await?);
            sleep(PAUSE).await;
        }
        let between = Buckets::read(client).await?;
        alone.add(&before, &between);
        for edit in 0..EDITS_PER_TURN {
            let package = format!("edited-{turn}-{edit}");
            let asked = Instant::now();
            wants(client, &package).await?;
            puts.push(millis(asked));
            visible.push(matched(client, &mut single, &package).await?);
            sleep(PAUSE).await;
        }
        beside.add(&between, &Buckets::read(client).await?);
        wants(client, "same").await?;
    }
    let rate = (client.status().await?.messages.settled() - first) as f64 / began.elapsed().as_secs_f64();
    stop.store(true, Ordering::Relaxed);
    load.await??;
    tell("edit_load_per_s", rate, "messages/s");
    for (name, share) in [("p50", 0.5), ("p99", 0.99)] {
        let [put, visible, unedited] = [&mut puts, &mut visible, &mut unedited].map(|times| quantile(times, share));
        tell(&format!("edit_put_ms_{name}"), put, "ms");
        tell(&format!("edit_visible_ms_{name}"), visible, "ms");
        tell(&format!("edit_visible_ms_{name}_without_edit"), unedited, "ms");
        tell(&format!("edit_visible_{name}_vs_without_edit"), visible / unedited, "ratio");
    }
    let [alone, beside] = [alone, beside].map(|buckets| buckets.quantile(0.99) * 1e6);
    tell("match_p99_us_alone", alone, "us");
    tell("match_p99_us_with_edits", beside, "us");
    tell("match_p99_with_edits_ratio", beside / alone, "ratio");
    daemon.terminate().await.map(drop)
}

/// From now on the user wants this package, and no other.
async fn wants(client: &TestClient, package: &str) -> Result<()> {
    let rule = rule("package_filter", Some(("package", package)));
    channel::subscribe(client, &subscription("editor", "edits", &["editor@example.org"], rule)).await
}

/// From the publication of a message about the package until it is a delivery, in milliseconds.
async fn matched(client: &TestClient, publisher: &mut TestPublisher, package: &str) -> Result<f64> {
    let began = Instant::now();
    let id = publisher.send(&about(package)).await?;
    loop {
        let rows = client.deliveries("channel=edits&user=editor&limit=1").await?;
        if rows.first().is_some_and(|row| row.message_id == id) {
            return Ok(millis(began));
        }
        ensure!(began.elapsed() < LIMIT, "a message about {package} was not matched");
        sleep(Duration::from_millis(1)).await;
    }
}

fn millis(since: Instant) -> f64 {
    since.elapsed().as_secs_f64() * 1000.0
}

/// Publishes at the rate, but no faster than they are taken.
async fn load(
    mut publisher: TestPublisher,
    messages: Vec<Value>,
    client: TestClient,
    stop: Arc<AtomicBool>,
) -> Result<()> {
    let message = |value: &Value| Some(SampleMessage::new(value["topic"].as_str()?, value["msg"].clone()));
    let messages: Vec<SampleMessage> = messages.iter().filter_map(message).collect();
    let mut messages = messages.iter().cycle();
    let (mut sent, mut due, mut last) = (0_u64, 0.0, Instant::now());
    while !stop.load(Ordering::Relaxed) {
        let taken = client.status().await?.messages.received;
        due += last.elapsed().as_secs_f64() * RATE;
        last = Instant::now();
        // What could not be sent in time is not made up for.
        due = due.min(OUTSTANDING as f64);
        while due >= 1.0 && sent < taken + OUTSTANDING {
            publisher.send(messages.next().context("there are messages")?).await?;
            (sent, due) = (sent + 1, due - 1.0);
        }
        sleep(Duration::from_millis(4)).await;
    }
    Ok(())
}

/// The daemon's histogram of the time that matching takes: upper bounds in seconds, and how many were not above.
#[derive(Default)]
struct Buckets(Vec<(f64, f64)>);

impl Buckets {
    async fn read(client: &TestClient) -> Result<Buckets> {
        let text = client.send(Method::GET, "/metrics", Bytes::new()).await?.success()?;
        let text = String::from_utf8(text.to_vec()).context("the metrics")?;
        let lines = text.lines().filter_map(|line| line.strip_prefix("tidings_match_seconds_bucket{le=\""));
        let bucket = |line: &str| {
            let (bound, count) = line.split_once("\"} ").context("a bucket")?;
            Ok((bound.parse().unwrap_or(f64::INFINITY), count.parse()?))
        };
        Ok(Buckets(lines.map(bucket).collect::<Result<_>>()?))
    }

    /// Adds what came between two readings.
    fn add(&mut self, before: &Buckets, after: &Buckets) {
        self.0.resize(after.0.len(), (0.0, 0.0));
        for (sum, (before, after)) in self.0.iter_mut().zip(before.0.iter().zip(&after.0)) {
            *sum = (after.0, sum.1 + after.1 - before.1);
        }
    }

    /// Within its bucket taken as even.
    fn quantile(&self, share: f64) -> f64 {
        let wanted = self.0.last().map_or(0.0, |last| last.1 * share);
        let (mut bound, mut count) = (0.0, 0.0);
        for &(upper, below) in &self.0 {
            if below >= wanted {
                return bound + (upper - bound) * (wanted - count) / (below - count).max(1.0);
            }
            (bound, count) = (upper, below);
        }
        bound
    }
}
