//! Messages per second from the bus to their commit.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use tokio::time::sleep;
use zeromq::{Socket, SocketRecv, SubSocket};

use super::{LIMIT, OUTSTANDING, everything, report, start_harness};
use crate::channel;
use crate::publisher::TestPublisher;
use crate::samples::{self, SampleMessage};

/// The number of messages.
const MESSAGES: u64 = 40_000;

/// Measures messages per second from the ZeroMQ socket to their commit; a quarter of them has a recipient. The baseline is a
/// subscriber that only counts the same messages.
pub(super) async fn intake() -> Result<()> {
    let messages = samples::messages()?;
    let bare = bare_subscriber(&messages).await?;
    let harness = start_harness().await?;
    channel::switch(&harness.client, "email", false).await?;
    channel::subscribe(&harness.client, &everything("git")).await?;
    let mut publisher = harness.publisher;
    let client = &harness.client;
    let began = Instant::now();
    publish(&mut publisher, &messages, async || Ok(client.status().await?.messages.settled())).await?;
    let rate = MESSAGES as f64 / began.elapsed().as_secs_f64();
    let books = client.books().await?.remove("email").unwrap_or_default();
    ensure!(books.balance() && books.accepted > 0, "the books after the run: {books:?}");
    report("zeromq_to_committed_per_s", rate, "messages/s");
    report("zeromq_bare_subscriber_per_s", bare, "messages/s");
    report("zeromq_to_committed_vs_bare", rate / bare, "ratio");
    harness.daemon.terminate().await.map(drop)
}

/// Messages per second of a subscriber that only counts.
async fn bare_subscriber(messages: &[SampleMessage]) -> Result<f64> {
    let mut publisher = TestPublisher::bind(0).await?;
    let mut socket = SubSocket::new();
    socket.connect(publisher.endpoint()).await.context("connecting")?;
    socket.subscribe("").await.context("subscribing")?;
    sleep(Duration::from_millis(300)).await;
    let received = Arc::new(AtomicU64::new(0));
    let counter = received.clone();
    let task = tokio::spawn(async move {
        while socket.recv().await.is_ok() {
            counter.fetch_add(1, Ordering::Relaxed);
        }
    });
    let began = Instant::now();
    publish(&mut publisher, messages, async || Ok(received.load(Ordering::Relaxed))).await?;
    task.abort();
    Ok(MESSAGES as f64 / began.elapsed().as_secs_f64())
}

/// Publishes all messages, no faster than they are received; returns when all are.
async fn publish(
    publisher: &mut TestPublisher,
    messages: &[SampleMessage],
    received: impl AsyncFn() -> Result<u64>,
) -> Result<()> {
    let deadline = Instant::now() + LIMIT;
    let mut sent = 0;
    let mut done = 0;
    while done < MESSAGES {
        ensure!(Instant::now() < deadline, "{done} of {MESSAGES} messages were received within {LIMIT:?}");
        while sent < MESSAGES && sent < done + OUTSTANDING {
            publisher.send(&messages[sent as usize % messages.len()]).await?;
            sent += 1;
        }
        sleep(Duration::from_millis(1)).await;
        done = received().await?;
    }
    Ok(())
}
