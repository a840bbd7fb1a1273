//! The implementation under test, and a store of its own for each test with short ways to use its roles.

use std::sync::Arc;
use std::time::Duration;

use tidings_domain::delivery::{Acceptance, DeliveryState, Recipient};
use tidings_domain::outcome::Settlement;
use tidings_domain::subscription::Subscription;
use tidings_store::{Books, DeliveryQuery, DeliveryRow, DeliveryStore, Lease, LeaseRequest, Outbox, SubscriptionStore};

use crate::samples::{at, message};

/// How long leases of these tests live, in milliseconds.
pub const LIFETIME: u64 = 180_000;

/// An implementation of the store. Each suite says which roles it needs of `Store`.
pub trait Backend: Sized + Send + Sync + 'static {
    /// `dyn Store` for an implementation of all roles; the implementation's own type where it has only some.
    type Store: ?Sized + Send + Sync + 'static;

    /// Creates an empty database, which is deleted when the backend is dropped, and opens it.
    async fn create() -> (Self, Arc<Self::Store>);
    /// Opens the same database as another process would, while the first store is open.
    async fn open_beside(&self) -> Arc<Self::Store>;
}

/// An empty store.
pub struct Fixture<B: Backend> {
    pub store: Arc<B::Store>,
    pub backend: B,
}

impl<B: Backend> Fixture<B> {
    pub async fn new() -> Fixture<B> {
        let (backend, store) = B::create().await;
        Fixture { store, backend }
    }
}

impl<B: Backend<Store: Outbox>> Fixture<B> {
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

    /// Leases the only delivery that is due.
    pub async fn lease_one(&self, now: u64) -> Lease {
        let mut leases = self.lease(now, 10).await;
        assert_eq!(leases.len(), 1, "{leases:?}");
        leases.remove(0)
    }

    /// Settles one lease; returns whether it was not stale.
    pub async fn settle(&self, lease: Lease, settlement: Settlement, now: u64) -> bool {
        self.store.settle(vec![(lease, settlement)], at(now)).await.unwrap() == 0
    }
}

impl<B: Backend<Store: SubscriptionStore>> Fixture<B> {
    /// All subscriptions, by user and channel.
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
}

impl<B: Backend<Store: DeliveryStore>> Fixture<B> {
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
