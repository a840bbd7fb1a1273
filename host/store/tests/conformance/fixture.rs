//! A store of its own for each test, and short ways to make messages, recipients and subscriptions.

use std::sync::Arc;
use std::time::Duration;

use tempfile::TempDir;
use tidings_domain::delivery::{Acceptance, Content, DeliveryState, NewMessage, Recipient};
use tidings_domain::message::MessageId;
use tidings_domain::outcome::Settlement;
use tidings_domain::subscription::{DigestOptions, Filter, Rule, Style, Subscription};
use tidings_domain::testing::{recipient, stored_event};
use tidings_domain::time::Timestamp;
use tidings_store::{Books, DeliveryQuery, DeliveryRow, Lease, LeaseRequest, Mode, Store};

/// How long leases of these tests live, in milliseconds.
pub const LIFETIME: u64 = 180_000;

pub struct Fixture {
    pub store: Arc<dyn Store>,
    directory: TempDir,
}

/// An empty store.
pub async fn store() -> Fixture {
    let directory = tempfile::tempdir().unwrap();
    let store = tidings_store::open(&directory.path().join("tidings.db"), Mode::Daemon).await.unwrap();
    Fixture { store, directory }
}

pub fn at(millis: u64) -> Timestamp {
    Timestamp::from_millis(millis)
}

pub fn message_id(text: &str) -> MessageId {
    MessageId::made(text)
}

/// A message for these recipients; its content follows from its id.
pub fn message(id: &str, recipients: Vec<Recipient>) -> NewMessage {
    let event = stored_event(id);
    let mut digest = [0; 32];
    for (place, byte) in digest.iter_mut().zip(id.bytes()) {
        *place = byte;
    }
    NewMessage {
        id: message_id(id),
        topic: event.topic.clone(),
        digest,
        event: (!recipients.is_empty()).then(|| Arc::new(event)),
        recipients: recipients.into(),
    }
}

/// A user's address on the channel `email`.
pub fn to(user: &str) -> Recipient {
    recipient(user, "email")
}

/// The same, gathered into digests.
pub fn gathered(user: &str, interval_seconds: u64, count: Option<u32>) -> Recipient {
    Recipient { digest: Some(DigestOptions { interval_seconds, count }), ..to(user) }
}

pub fn filter(name: &str, oneshot: bool) -> Filter {
    let arguments = [("fasnick".to_owned(), "ralph".to_owned())].into();
    let rules = vec![Rule { rule: "user_filter".into(), arguments, negated: false }];
    Filter { name: name.into(), oneshot, active: true, rules }
}

/// A subscription for the channel `email` with these addresses and the filter `mine`.
pub fn subscription(user: &str, addresses: &[&str]) -> Subscription {
    Subscription {
        user: user.into(),
        channel: "email".into(),
        enabled: true,
        addresses: addresses.iter().map(|address| (*address).to_owned()).collect(),
        digest: None,
        style: Style::default(),
        filters: vec![filter("mine", false)],
    }
}

impl Fixture {
    /// The same database in another process's hands.
    pub async fn tool(&self) -> Arc<dyn Store> {
        tidings_store::open(&self.directory.path().join("tidings.db"), Mode::Tool).await.unwrap()
    }

    pub async fn accept(&self, now: u64, id: &str, recipients: Vec<Recipient>) -> Acceptance {
        self.store.accept(message(id, recipients), at(now)).await.unwrap()
    }

    pub async fn lease(&self, now: u64, max: usize) -> Vec<Lease> {
        self.lease_showing(now, max, 500).await
    }

    pub async fn lease_showing(&self, now: u64, max: usize, digest_events: usize) -> Vec<Lease> {
        let lifetime = Duration::from_millis(LIFETIME);
        let request = LeaseRequest { channel: "email".into(), now: at(now), lifetime, max, digest_events };
        self.store.lease(request).await.unwrap()
    }

    /// Leases the only unit that is due.
    pub async fn lease_one(&self, now: u64) -> Lease {
        let mut leases = self.lease(now, 10).await;
        assert_eq!(leases.len(), 1, "{leases:?}");
        leases.remove(0)
    }

    /// Settles one lease; returns whether it still counted.
    pub async fn settle(&self, lease: Lease, settlement: Settlement, now: u64) -> bool {
        self.store.settle(vec![(lease, settlement)], at(now)).await.unwrap() == 0
    }

    /// Everybody's subscriptions, by user and channel.
    pub async fn subscriptions(&self) -> Vec<Subscription> {
        let mut all: Vec<Subscription> = Vec::new();
        loop {
            let after = all.last().map(|last| (last.user.clone(), last.channel.clone()));
            let after = after.as_ref().map(|(user, channel)| (user.as_str(), channel.as_str()));
            let page = self.store.subscription_page(after, 2).await.unwrap();
            if page.is_empty() {
                return all;
            }
            all.extend(page.iter().map(|row| row.read().unwrap()));
        }
    }

    /// All deliveries, oldest first.
    pub async fn rows(&self) -> Vec<DeliveryRow> {
        let query = DeliveryQuery { limit: 10_000, ..DeliveryQuery::default() };
        let mut rows = self.store.deliveries(query).await.unwrap();
        rows.reverse();
        rows
    }

    /// Message, address and state of all deliveries, oldest first.
    pub async fn states(&self) -> Vec<(String, String, DeliveryState)> {
        self.rows().await.into_iter().map(|row| (row.message_id, row.address, row.state)).collect()
    }

    /// The books of the channel `email`, which must balance and agree with the rows (as long as nothing was pruned).
    pub async fn books(&self) -> Books {
        let books = self.store.books().await.unwrap().remove("email").unwrap_or_default();
        assert!(books.balance(), "{books:?}");
        let rows = self.rows().await;
        let counted = |state| rows.iter().filter(|row| row.state == state && row.channel == "email").count() as u64;
        assert_eq!(books.pending, counted(DeliveryState::Pending));
        assert_eq!(books.delivered, counted(DeliveryState::Delivered));
        assert_eq!(books.dead, counted(DeliveryState::Dead));
        assert_eq!(books.cancelled, counted(DeliveryState::Cancelled));
        books
    }
}

pub fn delivered() -> Settlement {
    Settlement::Delivered { receipt: Some("250 ok".into()) }
}

pub fn dead() -> Settlement {
    Settlement::Dead { reason: "550 no".into() }
}

pub fn again(not_before: u64) -> Settlement {
    Settlement::Again { not_before: at(not_before), reason: "450 later".into(), counts: true }
}

pub fn gone(replacement: Option<&str>) -> Settlement {
    Settlement::AddressGone { replacement: replacement.map(str::to_owned), reason: "moved".into() }
}

/// The ids of the messages in a lease, and how many more its digest has.
pub fn messages(lease: &Lease) -> (Vec<String>, u32) {
    match &lease.delivery().content {
        Content::Single(event) => (vec![event.id.to_string()], 0),
        Content::Digest { events, omitted } => (events.iter().map(|event| event.id.to_string()).collect(), *omitted),
        Content::Confirmation(_) => unreachable!("the store makes no confirmations"),
    }
}

pub fn users(leases: &[Lease]) -> Vec<&str> {
    leases.iter().map(|lease| lease.delivery().user.as_str()).collect()
}
