//! The usual setting of a scenario: a daemon in a directory of its own, the channel `email` to a mail server in this
//! process, and a publisher.

use std::time::Duration;

use anyhow::Result;
use serde_json::json;
use tempfile::TempDir;

use crate::channel;
use crate::client::TestClient;
use crate::daemon::{Daemon, Home};
use crate::port;
use crate::publisher::TestPublisher;
use crate::samples::SampleMessage;
use crate::settings::DaemonSettings;
use crate::sink::MailSink;
use crate::wait;
use tidings_api_types::{BooksInfo, DeliveryInfo, ListPage, SubscriptionRequest};
use tidings_domain::subscription::{Filter, Rule, Style};

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
        let rule = rule("regex_filter", Some(("pattern", ".")));
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
    pub async fn books(&self, channel: &str) -> Result<BooksInfo> {
        Ok(self.client.books().await?.remove(channel).unwrap_or_default())
    }

    /// Waits until nothing is pending on the channel, and returns its books.
    pub async fn queue_empty(&self, channel: &str) -> Result<BooksInfo> {
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

/// A message about a package of that name; the name is in its subject.
pub fn about(name: &str) -> SampleMessage {
    SampleMessage::new("org.fedoraproject.dev.git.branch", json!({"agent": "hyun", "name": name, "branch": "f22"}))
}

/// A subscription with one filter of one rule.
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
