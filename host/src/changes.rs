//! Announces changes of users' rules on the bus, as FMN did: `<prefix>.<environment>.fmn.preference.update` with the user. The
//! store's feed says what changed, so every change is announced, also one by another process. The announcement is for other
//! programs; this daemon follows the feed itself.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tidings_bus::Publisher;
use tidings_domain::message::Envelope;
use tidings_store::{Change, ChangeFeed, Changes, Revision, StoreError};
use tokio_util::sync::CancellationToken;

use crate::telemetry::chain;

/// How often the feed is asked for what other processes changed.
const FEED_EVERY: Duration = Duration::from_secs(1);

/// Announces changes, where `bus.publish` is set.
pub struct Announcer {
    publisher: Publisher,
    topic: String,
    feed: Arc<dyn ChangeFeed>,
    upto: Revision,
}

impl Announcer {
    /// One that announces changes from now on. `topic_prefix` includes the environment.
    pub async fn new(
        publisher: Publisher,
        topic_prefix: &str,
        feed: Arc<dyn ChangeFeed>,
    ) -> Result<Announcer, StoreError> {
        let upto = feed.revision().await?;
        Ok(Announcer { publisher, topic: format!("{topic_prefix}.fmn.preference.update"), feed, upto })
    }

    /// Follows the feed until `stop`. A failure is logged: the change is committed and in force here.
    pub async fn run(mut self, stop: CancellationToken) {
        let mut changed = self.feed.changed();
        loop {
            if let Err(error) = self.announce().await {
                tracing::warn!(error = %chain(&error), "changes cannot be read; they are announced on the bus later");
            }
            tokio::select! {
                () = stop.cancelled() => break,
                moved = changed.changed() => if moved.is_err() { break },
                () = tokio::time::sleep(FEED_EVERY) => {}
            }
        }
        if let Err(error) = self.announce().await {
            tracing::warn!(error = %chain(&error), "the latest changes were not announced on the bus");
        }
        self.publisher.close().await;
    }

    async fn announce(&mut self) -> Result<(), StoreError> {
        loop {
            match self.feed.changes(self.upto).await? {
                Changes::These { changes, .. } if changes.is_empty() => return Ok(()),
                Changes::These { changes, upto } => {
                    for change in changes {
                        if let Change::User(user) = change {
                            self.user(&user).await;
                        }
                    }
                    self.upto = upto;
                }
                // Too many to name.
                Changes::Everything { upto } => self.upto = upto,
            }
        }
    }

    async fn user(&self, user: &str) {
        let msg = json!({ "openid": format!("{user}.id.fedoraproject.org"), "user": user });
        if let Err(error) = self.publisher.publish(&self.topic, msg).await {
            tracing::warn!(user, error = %error, "a change of a user's rules was not announced on the bus; it is in force here");
        }
    }
}

/// The user whose rules have changed according to a message: old FMN's `fmn.<class>.update` and new FMN's `fmn.rule.*`.
pub fn changed_user(envelope: &Envelope) -> Option<&str> {
    let (_, kind) = envelope.topic().split_once(".fmn.")?;
    let msg = envelope.msg();
    if kind.starts_with("rule.") && kind.ends_with(".v1") {
        return msg.pointer("/user/name").and_then(Value::as_str);
    }
    let openid = kind.ends_with(".update").then(|| msg.get("openid")).flatten().and_then(Value::as_str)?;
    Some(openid.split_once('.').map_or(openid, |(user, _)| user))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use tidings_bus::{Source as _, ZmqSettings, ZmqSource, ZmqSubscription};
    use tidings_domain::message::Frame;
    use tidings_domain::subscription::{Edit, Style, Subscription};
    use tidings_domain::time::Timestamp;
    use tidings_store::Mode;

    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);

    fn subscription(user: &str) -> Subscription {
        let (user, channel) = (user.to_owned(), "email".to_owned());
        let style = Style::default();
        Subscription { user, channel, enabled: true, addresses: Vec::new(), digest: None, style, filters: Vec::new() }
    }

    /// FMN announced neither filters that were renamed or deleted nor changes by a command.
    #[tokio::test]
    async fn o3_every_way_of_changing_a_subscription_is_announced_on_the_bus() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let database = dir.path().join("tidings.db");
        let store = tidings_store::open(&database, Mode::Daemon).await.expect("a new database");
        let publisher = Publisher::bind("tcp://127.0.0.1:0", "tidings").await.expect("a free port");
        let listen = ZmqSubscription { address: publisher.endpoint().to_owned(), topics: vec![String::new()] };
        let source = ZmqSource::new(vec![listen], ZmqSettings::default()).expect("it is an endpoint");
        let (stop, (sink, mut announcements)) = (CancellationToken::new(), tidings_bus::buffer());
        let listening = tokio::spawn(Box::new(source).run(sink, stop.clone()));
        publisher.joined().await;
        let announcer = Announcer::new(publisher, "org.example.test", store.clone()).await.expect("the store answers");
        let announcing = tokio::spawn(announcer.run(stop.clone()));

        let mut announced = async || {
            let received = tokio::time::timeout(Duration::from_secs(30), announcements.recv())
                .await
                .expect("in time")
                .expect("open");
            let envelope = Envelope::read(&received.frame).expect("a message");
            assert_eq!(envelope.topic(), "org.example.test.fmn.preference.update");
            changed_user(&envelope).expect("a user").to_owned()
        };
        store.put_subscription(&subscription("ann"), NOW).await.expect("stored");
        assert_eq!(announced().await, "ann", "created or replaced");
        store.edit_subscription("ann", "email", &Edit::Enable(false), NOW).await.expect("stored");
        assert_eq!(announced().await, "ann", "edited");
        store.delete_subscription("ann", "email", NOW).await.expect("stored");
        assert_eq!(announced().await, "ann", "deleted");
        store.put_subscriptions(&[subscription("bob"), subscription("cid")], NOW).await.expect("stored");
        let both = BTreeSet::from([announced().await, announced().await]);
        assert_eq!(both, BTreeSet::from(["bob".to_owned(), "cid".to_owned()]));
        let tool = tidings_store::open(&database, Mode::Tool).await.expect("a tool may open it");
        tool.put_subscription(&subscription("dot"), NOW).await.expect("stored");
        assert_eq!(announced().await, "dot", "by another process");
        stop.cancel();
        announcing.await.expect("it ends");
        listening.await.expect("it ends").expect("without an error");
    }

    #[test]
    fn a_change_names_its_user() {
        for (topic, msg, user) in [
            ("org.fedoraproject.prod.fmn.filter.update", r#"{"openid":"ralph.id.fedoraproject.org"}"#, Some("ralph")),
            ("org.fedoraproject.prod.fmn.rule.update", r#"{"openid":"ralph"}"#, Some("ralph")),
            ("org.fedoraproject.prod.fmn.rule.update.v1", r#"{"user":{"name":"lena"},"rule":{"id":1}}"#, Some("lena")),
            ("org.fedoraproject.prod.fmn.rule.delete.v1", r#"{"user":{"name":"lena"}}"#, Some("lena")),
            ("org.fedoraproject.prod.fmn.filter.update", r#"{"openid":7}"#, None),
            ("org.fedoraproject.prod.fmn.filter.update", "[]", None),
            ("org.fedoraproject.prod.git.receive", r#"{"openid":"ralph"}"#, None),
        ] {
            let body = format!(r#"{{"topic":"{topic}","msg":{msg}}}"#);
            let envelope = Envelope::read(&Frame { topic: None, body: body.into_bytes() }).expect("it is a message");
            assert_eq!(changed_user(&envelope), user, "{topic} {msg}");
        }
    }
}
