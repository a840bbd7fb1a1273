//! Edits of subscriptions under load: how soon a new rule matches, and how much edits slow matching.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use hyper::Method;
use serde_json::Value;
use tokio::time::sleep;

use super::population::Population;
use super::{OUTSTANDING, quantile, report};
use crate::channel;
use crate::client::TestClient;
use crate::daemon::Daemon;
use crate::harness::{about, rule, subscription};
use crate::publisher::TestPublisher;
use crate::samples::SampleMessage;

/// The largest rate of messages, per second; it is lower if the daemon is slower.
const RATE: f64 = 10_000.0;
/// The number of rounds, each without and then with edits.
const TURNS: usize = 4;
const EDITS_PER_TURN: usize = 60;
/// The time without edits in each round.
const TURN: Duration = Duration::from_secs(6);
/// The time between two edits.
const PAUSE: Duration = Duration::from_millis(50);
/// The time limit of waits.
const LIMIT: Duration = Duration::from_secs(30);

/// Measures with the default filters of ten thousand users, with and without edits of one user. The time of an edit is from
/// the response of the API until a message that was published after it is listed as a delivery. Most of that is the time of
/// the message itself, so the baseline is a message without an edit before it.
pub(super) async fn edits() -> Result<()> {
    let population = Population::read()?;
    let dir = tempfile::tempdir()?;
    let (stream, mut single) = (TestPublisher::bind(0).await?, TestPublisher::bind(0).await?);
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
            let requested = Instant::now();
            wants(client, &package).await?;
            puts.push(millis(requested));
            visible.push(matched(client, &mut single, &package).await?);
            sleep(PAUSE).await;
        }
        beside.add(&between, &Buckets::read(client).await?);
        wants(client, "same").await?;
    }
    let rate = (client.status().await?.messages.settled() - first) as f64 / began.elapsed().as_secs_f64();
    stop.store(true, Ordering::Relaxed);
    load.await??;
    report("edit_load_per_s", rate, "messages/s");
    for (name, share) in [("p50", 0.5), ("p99", 0.99)] {
        let [put, visible, unedited] = [&mut puts, &mut visible, &mut unedited].map(|times| quantile(times, share));
        report(&format!("edit_put_ms_{name}"), put, "ms");
        report(&format!("edit_visible_ms_{name}"), visible, "ms");
        report(&format!("edit_visible_ms_{name}_without_edit"), unedited, "ms");
        report(&format!("edit_visible_{name}_vs_without_edit"), visible / unedited, "ratio");
    }
    let [alone, beside] = [alone, beside].map(|buckets| buckets.quantile(0.99) * 1e6);
    report("match_p99_us_alone", alone, "us");
    report("match_p99_us_with_edits", beside, "us");
    report("match_p99_with_edits_ratio", beside / alone, "ratio");
    daemon.terminate().await.map(drop)
}

/// Subscribes the user to messages about this package only.
async fn wants(client: &TestClient, package: &str) -> Result<()> {
    let rule = rule("package_filter", Some(("package", package)));
    channel::subscribe(client, &subscription("editor", "edits", &["editor@example.org"], rule)).await
}

/// The time from the publication of a message about the package until it is listed as a delivery, in milliseconds.
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

/// Publishes messages at the rate, no faster than they are received, until `stop` is set.
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
        let received = client.status().await?.messages.received;
        due += last.elapsed().as_secs_f64() * RATE;
        last = Instant::now();
        // Messages that could not be sent in time are skipped.
        due = due.min(OUTSTANDING as f64);
        while due >= 1.0 && sent < received + OUTSTANDING {
            publisher.send(messages.next().context("there are no messages to publish")?).await?;
            (sent, due) = (sent + 1, due - 1.0);
        }
        sleep(Duration::from_millis(4)).await;
    }
    Ok(())
}

/// The daemon's histogram of matching times: upper bounds in seconds, and cumulative counts.
#[derive(Default)]
struct Buckets(Vec<(f64, f64)>);

impl Buckets {
    async fn read(client: &TestClient) -> Result<Buckets> {
        let text = client.send(Method::GET, "/metrics", Bytes::new()).await?.success()?;
        let text = String::from_utf8(text.to_vec()).context("the metrics are not UTF-8")?;
        let lines = text.lines().filter_map(|line| line.strip_prefix("tidings_match_seconds_bucket{le=\""));
        let bucket = |line: &str| {
            let (bound, count) = line.split_once("\"} ").context("a bucket of the metrics is invalid")?;
            Ok((bound.parse().unwrap_or(f64::INFINITY), count.parse()?))
        };
        Ok(Buckets(lines.map(bucket).collect::<Result<_>>()?))
    }

    /// Adds the difference of two readings.
    fn add(&mut self, before: &Buckets, after: &Buckets) {
        self.0.resize(after.0.len(), (0.0, 0.0));
        for (sum, (before, after)) in self.0.iter_mut().zip(before.0.iter().zip(&after.0)) {
            *sum = (after.0, sum.1 + after.1 - before.1);
        }
    }

    /// The quantile for this share, interpolated within its bucket.
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
