//! Upgrades under load: a working version is promoted, and one that traps is rolled back twice, as a canary and as the active
//! version. Reports lost and repeated deliveries, and how long the version that traps was in use.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use tidings_api_types::{SubscriptionRequest, UpgradeRequest};
use tidings_domain::plugin_life::EventKind;
use tokio::task::JoinHandle;
use tokio::time::{interval, sleep};

use super::{LIMIT, everything, report, start_harness_with};
use crate::client::TestClient;
use crate::harness::Harness;
use crate::paths;
use crate::publisher::TestPublisher;
use crate::samples::{self, SampleMessage};
use crate::sink::{Phase, ScriptRule, SmtpFault};
use crate::{channel, wait};

/// The time that the mail server needs for a mail, so that calls are in flight when versions change.
const COMMIT: Duration = Duration::from_millis(1);
/// The recipients of each message.
const USERS: u64 = 10;
/// The time between two messages; with these users, 1,000 deliveries a second.
const PAUSE: Duration = Duration::from_millis(10);
/// The time before, between and after the upgrades.
const PAUSE_BETWEEN: Duration = Duration::from_secs(3);
/// The number of mails before the first upgrade.
const WARM: u64 = 1_000;

/// Measures three upgrades during deliveries at a steady rate.
pub(super) async fn upgrade() -> Result<()> {
    let harness = start_harness_with(|settings| settings.dispatch.batch = 50).await?;
    harness.sink.script.add(ScriptRule::at(Phase::Body, SmtpFault::Wait(COMMIT)));
    let Harness { daemon, client, publisher, sink, home: _home, dir: _dir, .. } = harness;
    for user in 0..USERS {
        let request = SubscriptionRequest {
            user: Some(format!("bench-{user}")),
            addresses: vec![format!("bench-{user}@tidings.example")],
            ..everything("git")
        };
        channel::subscribe(&client, &request).await?;
    }
    let email = std::fs::read(paths::plugin("email")?)?;
    // A custom section without meaning makes another component with the same code.
    let working = client.install([&email[..], &[0, 5, 4], b"next"].concat()).await?.digest;
    let faulty = client.install(std::fs::read(paths::plugin("faulty")?)?).await?.digest;

    let load = SteadyPublisher::start(publisher)?;
    wait::until("the first mails", LIMIT, async || Ok((sink.mails.count() >= WARM).then_some(()))).await?;
    let (began, before) = (Instant::now(), sink.mails.count());
    sleep(PAUSE_BETWEEN).await;
    change(&client, &working, false, &working).await?;
    let waiting = client.books().await?.remove("email").unwrap_or_default().pending;
    sleep(PAUSE_BETWEEN).await;
    change(&client, &faulty, false, &working).await?;
    let canary = seconds_in_use(&client, EventKind::FellBack, 0).await?;
    sleep(PAUSE_BETWEEN).await;
    let lines = client.channel_log("email").await?.last().map_or(0, |line| line.number);
    change(&client, &faulty, true, &working).await?;
    let active = seconds_in_use(&client, EventKind::RolledBack, lines).await?;
    sleep(PAUSE_BETWEEN).await;
    let rate = (sink.mails.count() - before) as f64 / began.elapsed().as_secs_f64();
    let sent = load.stop().await?;

    let books = wait::until("an empty queue", LIMIT, async || {
        let books = client.books().await?.remove("email").unwrap_or_default();
        Ok((books.pending == 0 && books.accepted > 0).then_some(books))
    })
    .await?;
    let mails = sink.mails.all();
    let ids: BTreeSet<&str> = mails.iter().map(|mail| mail.message_id.as_str()).collect();
    ensure!(books.accepted == sent * USERS, "{sent} messages were sent, and the counts are {books:?}");
    ensure!(sink.mails.count() == mails.len() as u64, "more mails arrived than the sink stores");
    report("upgrade_per_s", rate, "deliveries/s");
    report("upgrade_pending_at_promotion", waiting as f64, "deliveries");
    report("upgrade_lost", (books.accepted - ids.len() as u64) as f64, "deliveries");
    report("upgrade_doubled", (mails.len() - ids.len()) as f64, "deliveries");
    report("upgrade_dead", books.dead as f64, "deliveries");
    report("rollback_s", canary.max(active), "s");
    daemon.terminate().await.map(drop)
}

/// Publishes messages at a steady rate until it is stopped.
struct SteadyPublisher {
    stop: Arc<AtomicBool>,
    task: JoinHandle<Result<u64>>,
}

impl SteadyPublisher {
    fn start(mut publisher: TestPublisher) -> Result<SteadyPublisher> {
        let message: Option<SampleMessage> = samples::messages()?.into_iter().find(|one| one.topic.contains(".git."));
        let message = message.context("the samples have no message of git")?;
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let task = tokio::spawn(async move {
            let (mut clock, mut sent) = (interval(PAUSE), 0);
            while !stopped.load(Ordering::Relaxed) {
                clock.tick().await;
                publisher.send(&message).await?;
                sent += 1;
            }
            // Dropping the socket discards messages that are not sent yet.
            sleep(PAUSE_BETWEEN).await;
            Ok(sent)
        });
        Ok(SteadyPublisher { stop, task })
    }

    /// Stops, and returns the number of published messages.
    async fn stop(self) -> Result<u64> {
        self.stop.store(true, Ordering::Relaxed);
        self.task.await?
    }
}

/// Upgrades without the conformance test, and waits until `end` is active and there is no candidate.
async fn change(client: &TestClient, component: &str, now: bool, end: &str) -> Result<()> {
    let known = client.channel_events("email").await?.len();
    let request = UpgradeRequest { component: component.to_owned(), now, unproven: true, ..UpgradeRequest::default() };
    client.post("/api/v1/channels/email/upgrade", serde_json::to_vec(&request)?).await?;
    wait::until("the upgrade has ended", LIMIT, async || {
        let channel = client.channel("email").await?;
        let settled = channel.component == end && channel.candidate.is_none();
        // The upgrade has two events, for its start and its end.
        Ok((settled && client.channel_events("email").await?.len() >= known + 2).then_some(()))
    })
    .await
}

/// The seconds from the first log line of the faulty version after the line `behind` until the event that ended its use.
async fn seconds_in_use(client: &TestClient, event: EventKind, behind: u64) -> Result<f64> {
    let last = client.channel_events("email").await?.into_iter().next().context("the channel has no events")?;
    ensure!(last.event == event, "expected {event:?}, got {last:?}");
    let lines = client.channel_log("email").await?;
    let first = lines.iter().find(|line| line.number > behind && line.line.contains("about to trap"));
    let first = first.context("the faulty version was not called")?.at;
    Ok(last.at.since(first).as_secs_f64())
}
