//! The usual setting of a scenario: a daemon in a directory of its own, the channel `email` to a mail server in this
//! process, and a publisher.

use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::channel;
use crate::client::{ChannelBooks, TestClient};
use crate::daemon::{Daemon, Home};
use crate::port;
use crate::publisher::TestPublisher;
use crate::samples::SampleMessage;
use crate::settings::DaemonSettings;
use crate::sink::MailSink;
use crate::wait;

/// How long anything may take that is only waited for. Generous: it bounds a failure, not a success.
pub const LIMIT: Duration = Duration::from_secs(90);

/// A daemon, what it hears and where it delivers. Fields are dropped in their order: the daemon goes before its data.
pub struct Scene {
    pub daemon: Daemon,
    pub client: TestClient,
    pub token: String,
    pub publisher: TestPublisher,
    pub sink: MailSink,
    pub home: Home,
    pub dir: TempDir,
}

impl Scene {
    /// Everything set up and subscribed; nobody wants anything yet.
    pub async fn set() -> Result<Scene> {
        Scene::set_with(|_| {}).await
    }

    /// With a change of the daemon's settings before it starts.
    pub async fn set_with(change: impl FnOnce(&mut DaemonSettings)) -> Result<Scene> {
        let dir = tempfile::tempdir()?;
        let publisher = TestPublisher::bind(port::free()?).await?;
        let sink = MailSink::start("127.0.0.1:0".parse()?).await?;
        let mut settings = DaemonSettings::new(dir.path(), &[publisher.endpoint()])?;
        change(&mut settings);
        let home = Home::new(dir.path(), settings)?;
        let token = home.token("scenario").await?;
        let daemon = Daemon::start(&home, Some(&token)).await?;
        let client = daemon.client().clone();
        channel::install_email(&client, sink.smtp).await?;
        daemon.subscribed(LIMIT).await?;
        Ok(Scene { daemon, client, token, publisher, sink, home, dir })
    }

    /// From now on `user` wants every message on the channel, at these addresses.
    pub async fn wants_everything(&self, user: &str, channel: &str, addresses: &[&str]) -> Result<()> {
        let rule = json!({"rule": "regex_filter", "arguments": {"pattern": "."}});
        channel::subscribe(&self.client, &subscription(user, channel, addresses, rule)).await
    }

    /// Publishes one message about each name, in order; see [`about`].
    pub async fn publish(&mut self, names: impl IntoIterator<Item = String>) -> Result<()> {
        for name in names {
            self.publisher.send(&about(&name)).await?;
        }
        Ok(())
    }

    /// Waits until the daemon, since its start, has dealt with so many messages.
    pub async fn dealt_with(&self, messages: u64) -> Result<()> {
        wait::until("all messages are dealt with", LIMIT, async || {
            let seen = self.client.status().await?.messages;
            Ok((seen.settled() >= messages).then_some(()))
        })
        .await
    }

    /// The books of a channel; all zero where it has none yet.
    pub async fn books(&self, channel: &str) -> Result<ChannelBooks> {
        Ok(self.client.books().await?.remove(channel).unwrap_or_default())
    }

    /// Waits until nothing is pending on the channel, and returns its books.
    pub async fn queue_empty(&self, channel: &str) -> Result<ChannelBooks> {
        wait::until("an empty queue", LIMIT, async || {
            let books = self.books(channel).await?;
            Ok((books.pending == 0).then_some(books))
        })
        .await
    }

    /// kill -9, and the daemon again on the same data; returns when it is ready.
    pub async fn kill_and_restart(self) -> Result<Scene> {
        let Scene { daemon, client: _, token, publisher, sink, home, dir } = self;
        daemon.kill().await?;
        let daemon = Daemon::start(&home, Some(&token)).await?;
        let client = daemon.client().clone();
        Ok(Scene { daemon, client, token, publisher, sink, home, dir })
    }

    /// All deliveries of a channel as the API lists them, newest first.
    pub async fn deliveries(&self, channel: &str) -> Result<Vec<Value>> {
        let mut rows: Vec<Value> = Vec::new();
        loop {
            let after = match rows.last() {
                Some(row) => format!("&after={}", row["id"].as_str().context("a delivery without an id")?),
                None => String::new(),
            };
            let page: Vec<Value> =
                self.client.get(&format!("/api/v1/deliveries?channel={channel}&limit=1000{after}")).await?;
            if page.is_empty() {
                return Ok(rows);
            }
            rows.extend(page);
        }
    }
}

/// A message about a package of that name; the name is in its subject.
pub fn about(name: &str) -> SampleMessage {
    SampleMessage::new("org.fedoraproject.dev.git.branch", json!({"agent": "hyun", "name": name, "branch": "f22"}))
}

/// A subscription with one filter of one rule.
pub fn subscription(user: &str, channel: &str, addresses: &[&str], rule: Value) -> Value {
    let filters = json!([{"name": "All of it", "rules": [rule]}]);
    json!({"user": user, "channel": channel, "enabled": true, "addresses": addresses, "filters": filters})
}
