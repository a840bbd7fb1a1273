//! Upgrades while deliveries flow: a good version is promoted, and one that traps is taken back twice, from its trial and
//! from its place. What was lost, what came twice, and how long a version that traps was in use.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use tidings_api_types::{SubscriptionRequest, UpgradeRequest};
use tidings_domain::plugin_life::EventKind;
use tokio::task::JoinHandle;
use tokio::time::{interval, sleep};

use super::{LIMIT, everything, stage_with, tell};
use crate::client::TestClient;
use crate::paths;
use crate::publisher::TestPublisher;
use crate::samples::{self, SampleMessage};
use crate::scene::Scene;
use crate::sink::{Act, Phase, ScriptRule};
use crate::{channel, wait};

/// How long the mail server takes for a mail, so that calls are under way at every moment, also when versions are exchanged.
const COMMIT: Duration = Duration::from_millis(1);
/// Users who are told of each message.
const USERS: u64 = 10;
/// The time between two messages: with as many users, 1,000 deliveries a second.
const PAUSE: Duration = Duration::from_millis(10);
/// How long deliveries flow before, between and after the upgrades.
const CALM: Duration = Duration::from_secs(3);
/// Mails that have arrived when it begins.
const WARM: u64 = 1_000;

/// Deliveries at a steady rate to the mail server, and three upgrades beneath them.
pub(super) async fn upgrade() -> Result<()> {
    let stage = stage_with(|settings| settings.dispatch.batch = 50).await?;
    stage.sink.script.add(ScriptRule::at(Phase::Body, Act::Wait(COMMIT)));
    let Scene { daemon, client, publisher, sink, home: _home, dir: _dir, .. } = stage;
    for user in 0..USERS {
        let request = SubscriptionRequest {
            user: Some(format!("bench-{user}")),
            addresses: vec![format!("bench-{user}@tidings.example")],
            ..everything("git")
        };
        channel::subscribe(&client, &request).await?;
    }
    let email = std::fs::read(paths::plugin("email")?)?;
    // A custom section that nobody reads: the same code, and another version.
    let good = client.install([&email[..], &[0, 5, 4], b"next"].concat()).await?.digest;
    let bad = client.install(std::fs::read(paths::plugin("faulty")?)?).await?.digest;

    let flow = Flow::start(publisher)?;
    wait::until("the first mails", LIMIT, async || Ok((sink.mails.count() >= WARM).then_some(()))).await?;
    let (began, before) = (Instant::now(), sink.mails.count());
    sleep(CALM).await;
    change(&client, &good, false, &good).await?;
    let waiting = client.books().await?.remove("email").unwrap_or_default().pending;
    sleep(CALM).await;
    change(&client, &bad, false, &good).await?;
    let from_trial = broken_for(&client, EventKind::FellBack, 0).await?;
    sleep(CALM).await;
    let lines = client.channel_log("email").await?.last().map_or(0, |line| line.number);
    change(&client, &bad, true, &good).await?;
    let from_place = broken_for(&client, EventKind::RolledBack, lines).await?;
    sleep(CALM).await;
    let rate = (sink.mails.count() - before) as f64 / began.elapsed().as_secs_f64();
    let sent = flow.stop().await?;

    let books = wait::until("an empty queue", LIMIT, async || {
        let books = client.books().await?.remove("email").unwrap_or_default();
        Ok((books.pending == 0 && books.accepted > 0).then_some(books))
    })
    .await?;
    let mails = sink.mails.all();
    let ids: BTreeSet<&str> = mails.iter().map(|mail| mail.message_id.as_str()).collect();
    ensure!(books.accepted == sent * USERS, "{sent} messages were sent, and the books say {books:?}");
    ensure!(sink.mails.count() == mails.len() as u64, "more mails came than are kept");
    tell("upgrade_per_s", rate, "deliveries/s");
    tell("upgrade_pending_at_promotion", waiting as f64, "deliveries");
    tell("upgrade_lost", (books.accepted - ids.len() as u64) as f64, "deliveries");
    tell("upgrade_doubled", (mails.len() - ids.len()) as f64, "deliveries");
    tell("upgrade_dead", books.dead as f64, "deliveries");
    tell("rollback_s", from_trial.max(from_place), "s");
    daemon.terminate().await.map(drop)
}

/// Messages at a steady rate, until it is stopped.
struct Flow {
    stop: Arc<AtomicBool>,
    task: JoinHandle<Result<u64>>,
}

impl Flow {
    fn start(mut publisher: TestPublisher) -> Result<Flow> {
        let message: Option<SampleMessage> = samples::messages()?.into_iter().find(|one| one.topic.contains(".git."));
        let message = message.context("there is a sample of git")?;
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let task = tokio::spawn(async move {
            let (mut clock, mut sent) = (interval(PAUSE), 0);
            while !stopped.load(Ordering::Relaxed) {
                clock.tick().await;
                publisher.send(&message).await?;
                sent += 1;
            }
            // What is on the way must not be lost with its socket.
            sleep(CALM).await;
            Ok(sent)
        });
        Ok(Flow { stop, task })
    }

    /// Returns how many were sent.
    async fn stop(self) -> Result<u64> {
        self.stop.store(true, Ordering::Relaxed);
        self.task.await?
    }
}

/// Upgrades without the trial against the contract, and waits until `end` is active with nothing on trial.
async fn change(client: &TestClient, component: &str, now: bool, end: &str) -> Result<()> {
    let known = client.channel_events("email").await?.len();
    let request = UpgradeRequest { component: component.to_owned(), now, unproven: true, ..UpgradeRequest::default() };
    client.post("/api/v1/channels/email/upgrade", serde_json::to_vec(&request)?).await?;
    wait::until("the upgrade has ended", LIMIT, async || {
        let channel = client.channel("email").await?;
        let settled = channel.component == end && channel.candidate.is_none();
        // Its beginning and its end are told.
        Ok((settled && client.channel_events("email").await?.len() >= known + 2).then_some(()))
    })
    .await
}

/// Seconds from the bad version's first word behind that line of the log to the event that took it out of use.
async fn broken_for(client: &TestClient, event: EventKind, behind: u64) -> Result<f64> {
    let last = client.channel_events("email").await?.into_iter().next().context("no events")?;
    ensure!(last.event == event, "expected {event:?}, got {last:?}");
    let lines = client.channel_log("email").await?;
    let first = lines.iter().find(|line| line.number > behind && line.line.contains("about to trap"));
    let first = first.context("it was never called")?.at;
    Ok(last.at.since(first).as_secs_f64())
}
