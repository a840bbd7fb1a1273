//! The role `Maintenance`: pruning keeps the books balanced; the check writes and reads.

use tidings_domain::delivery::Acceptance;
use tidings_store::{Books, DeliveryStore, Maintenance, Outbox, StoreError, SubscriptionStore};

use crate::backend::{Backend, Fixture};
use crate::samples::{at, dead, delivered, message, subscription, to};

/// What the suite needs: the role, and the roles through which tests prepare and observe it.
pub trait MaintenanceBackend: Backend<Store: Maintenance + Outbox + DeliveryStore + SubscriptionStore> {}
impl<B: Backend<Store: Maintenance + Outbox + DeliveryStore + SubscriptionStore>> MaintenanceBackend for B {}

pub async fn pruning_deletes_settled_messages_only<B: MaintenanceBackend>() {
    let fixture = Fixture::<B>::new().await;
    fixture.accept(100, "unmatched", Vec::new()).await;
    fixture.accept(100, "over", vec![to("ann")]).await;
    fixture.accept(101, "dead", vec![to("bob")]).await;
    fixture.accept(102, "waiting", vec![to("cy"), to("dee")]).await;
    fixture.accept(5000, "young", vec![to("eve")]).await;
    let leases = fixture.lease(1000, 3).await;
    let outcomes = [delivered(), dead(), delivered()];
    fixture.store.settle(leases.into_iter().zip(outcomes).collect(), at(1000)).await.unwrap();
    let lease = fixture.lease(5000, 10).await.into_iter().find(|lease| lease.delivery().user == "eve").unwrap();
    fixture.settle(lease, delivered(), 5000).await;
    let before = fixture.books().await;
    assert_eq!(before, Books { accepted: 5, delivered: 3, dead: 1, cancelled: 0, pending: 1 });

    assert_eq!(fixture.store.prune(at(5000)).await.unwrap(), 2);
    let mut kept: Vec<String> = fixture.rows().await.into_iter().map(|row| row.message_id).collect();
    kept.dedup();
    assert_eq!(kept, ["dead", "waiting", "young"]);
    let after = fixture.store.books().await.unwrap().remove("email").unwrap();
    assert_eq!(after, before);
    assert_eq!(fixture.store.prune(at(5000)).await.unwrap(), 0);
    assert_eq!(fixture.accept(6000, "over", vec![to("ann")]).await, Acceptance::New { deliveries: 1 });
    assert_eq!(fixture.accept(6000, "dead", vec![to("bob")]).await, Acceptance::Duplicate);
}

pub async fn pruning_continues_over_many_messages<B: MaintenanceBackend>() {
    let fixture = Fixture::<B>::new().await;
    let accepts = (0..2500).map(|n| {
        let store = fixture.store.clone();
        let message = message(&format!("m{n}"), Vec::new());
        tokio::spawn(async move { store.accept(message, at(n % 7)).await.unwrap() })
    });
    for accept in accepts.collect::<Vec<_>>() {
        accept.await.unwrap();
    }
    assert_eq!(fixture.store.prune(at(7)).await.unwrap(), 2500);
}

pub async fn a_user_whose_queue_was_pruned_is_served_again<B: MaintenanceBackend>() {
    let fixture = Fixture::<B>::new().await;
    fixture.store.put_subscription(&subscription("ann", &["ann@example.org"]), at(1)).await.unwrap();
    fixture.accept(100, "m1", vec![to("ann")]).await;
    let lease = fixture.lease_one(200).await;
    fixture.settle(lease, dead(), 300).await;
    assert_eq!(fixture.store.prune(at(10_000)).await.unwrap(), 0);
    fixture.store.retry_dead(None, None, at(400)).await.unwrap();
    fixture.lease_one(400).await;
    fixture.store.delete_subscription("ann", "email", at(500)).await.unwrap();
    assert_eq!(fixture.store.prune(at(10_000)).await.unwrap(), 1);
    fixture.store.put_subscription(&subscription("ann", &["ann@example.org"]), at(600)).await.unwrap();
    fixture.accept(700, "m2", vec![to("ann")]).await;
    fixture.lease_one(700).await;
}

pub async fn the_check_passes_until_the_store_is_closed<B: MaintenanceBackend>() {
    let fixture = Fixture::<B>::new().await;
    fixture.store.check().await.unwrap();
    fixture.store.check().await.unwrap();
    fixture.store.close().await;
    assert!(matches!(fixture.store.check().await, Err(StoreError::Unavailable { .. })));
    fixture.store.close().await;
}

/// Instantiates this suite for a backend.
macro_rules! suite {
    ($backend:ty) => {
        cases! { $backend, [crate::maintenance]:
            pruning_deletes_settled_messages_only,
            pruning_continues_over_many_messages,
            a_user_whose_queue_was_pruned_is_served_again,
            the_check_passes_until_the_store_is_closed,
        }
    };
}
pub(crate) use suite;
