//! The test harness of a scenario: a daemon with its own directory, the channel `email` with a mail server in this process,
//! and a publisher.

use std::time::Duration;

use anyhow::Result;
use serde_json::json;
use tempfile::TempDir;

use crate::channel;
use crate::client::TestClient;
use crate::daemon::{Daemon, Home};
use crate::publisher::TestPublisher;
use crate::samples::SampleMessage;
use crate::settings::DaemonSettings;
use crate::sink::MailSink;
use crate::wait;
use tidings_api_types::{BooksInfo, DeliveryInfo, ListPage, SubscriptionRequest};
use tidings_domain::subscription::{Filter, Rule, Style};

/// The time limit of waits in scenarios. It is long because only a failure reaches it.
pub const LIMIT: Duration = Duration::from_secs(90);

/// A daemon with its publisher and its mail server. Fields are dropped in order, so the daemon ends before its directory is
/// removed.
pub struct Harness {
    pub daemon: Daemon,
    pub client: TestClient,
    pub token: String,
    pub publisher: TestPublisher,
    pub sink: MailSink,
    pub home: Home,
    pub dir: TempDir,
}

impl Harness {
    /// Starts everything, without any subscription of a user.
    pub async fn start() -> Result<Harness> {
        Harness::start_with(|_| {}).await
    }

    /// Like [`Harness::start`], with other settings of the daemon.
    pub async fn start_with(change: impl FnOnce(&mut DaemonSettings)) -> Result<Harness> {
        let dir = tempfile::tempdir()?;
        let publisher = TestPublisher::bind(0).await?;
        let sink = MailSink::start("127.0.0.1:0".parse()?).await?;
        let mut settings = DaemonSettings::new(dir.path(), &[publisher.endpoint()])?;
        change(&mut settings);
        let home = Home::new(dir.path(), settings)?;
        let token = home.token("scenario").await?;
        let daemon = Daemon::start(&home, Some(&token)).await?;
        let client = daemon.client().clone();
        channel::install_email(&client, "email", sink.smtp).await?;
        daemon.subscribed(LIMIT).await?;
        Ok(Harness { daemon, client, token, publisher, sink, home, dir })
    }

    /// Subscribes a user to every message on the channel, with these addresses.
    pub async fn wants_everything(&self, user: &str, channel: &str, addresses: &[&str]) -> Result<()> {
        let rule = rule("regex_filter", Some(("pattern", ".")));
        channel::subscribe(&self.client, &subscription(user, channel, addresses, rule)).await
    }

    /// Publishes one message for each package name, in order; see [`about`].
    pub async fn publish(&mut self, names: impl IntoIterator<Item = String>) -> Result<()> {
        for name in names {
            self.publisher.send(&about(&name)).await?;
        }
        Ok(())
    }

    /// Waits until the daemon has processed this number of messages since its start.
    pub async fn wait_processed(&self, messages: u64) -> Result<()> {
        wait::until("all messages are processed", LIMIT, async || {
            let counts = self.client.status().await?.messages;
            Ok((counts.settled() >= messages).then_some(()))
        })
        .await
    }

    /// The counts of deliveries of a channel; zero if it has none.
    pub async fn books(&self, channel: &str) -> Result<BooksInfo> {
        Ok(self.client.books().await?.remove(channel).unwrap_or_default())
    }

    /// Waits until no delivery of the channel is pending, and returns its counts.
    pub async fn queue_empty(&self, channel: &str) -> Result<BooksInfo> {
        wait::until("an empty queue", LIMIT, async || {
            let books = self.books(channel).await?;
            Ok((books.pending == 0).then_some(books))
        })
        .await
    }

    /// Kills the daemon with SIGKILL and starts it with the same data; returns when it is ready.
    pub async fn kill_and_restart(self) -> Result<Harness> {
        let Harness { daemon, client: _, token, publisher, sink, home, dir } = self;
        daemon.kill().await?;
        let daemon = Daemon::start(&home, Some(&token)).await?;
        let client = daemon.client().clone();
        Ok(Harness { daemon, client, token, publisher, sink, home, dir })
    }

    /// All deliveries of a channel, newest first.
    pub async fn deliveries(&self, channel: &str) -> Result<Vec<DeliveryInfo>> {
        let mut rows: Vec<DeliveryInfo> = Vec::new();
        let mut after = String::new();
        loop {
            let path = format!("/api/v1/deliveries?channel={channel}&limit=1000{after}");
            let page: ListPage<DeliveryInfo> = self.client.get(&path).await?;
            rows.extend(page.data);
            match page.next {
                Some(next) => after = format!("&after={next}"),
                None => return Ok(rows),
            }
        }
    }
}

/// A message about a package of that name. The name is in its title.
pub fn about(name: &str) -> SampleMessage {
    SampleMessage::new("org.fedoraproject.dev.git.branch", json!({"agent": "hyun", "name": name, "branch": "f22"}))
}

/// A subscription with one filter, which has one rule.
pub fn subscription(user: &str, channel: &str, addresses: &[&str], rule: Rule) -> SubscriptionRequest {
    let filter = Filter { name: "All of it".into(), oneshot: false, active: true, rules: vec![rule] };
    SubscriptionRequest {
        user: Some(user.into()),
        channel: Some(channel.into()),
        enabled: true,
        addresses: addresses.iter().map(|address| (*address).to_owned()).collect(),
        digest: None,
        style: Style::default(),
        filters: vec![filter],
    }
}

/// A rule with at most one argument, not negated.
pub fn rule(name: &str, argument: Option<(&str, &str)>) -> Rule {
    let arguments = argument.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    Rule { rule: name.into(), arguments, negated: false }
}
