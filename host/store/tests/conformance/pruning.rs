//! Forgetting what is over, with the books still balanced.

use tidings_domain::delivery::Acceptance;
use tidings_store::Books;

use crate::fixture::{at, dead, delivered, store, subscription, to};

#[tokio::test]
async fn pruning_forgets_what_is_over_and_keeps_what_is_not() {
    let fixture = store().await;
    fixture.accept(100, "unmatched", Vec::new()).await;
    fixture.accept(100, "over", vec![to("ann")]).await;
    fixture.accept(101, "dead", vec![to("bob")]).await;
    fixture.accept(102, "waiting", vec![to("cy"), to("dee")]).await;
    fixture.accept(5000, "young", vec![to("eve")]).await;
    let leases = fixture.lease(1000, 3).await;
    let words = [delivered(), dead(), delivered()];
    fixture.store.settle(leases.into_iter().zip(words).collect(), at(1000)).await.unwrap();
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

#[tokio::test]
async fn pruning_goes_on_over_many_messages() {
    let fixture = store().await;
    let accepts = (0..2500).map(|n| {
        let store = fixture.store.clone();
        let message = crate::fixture::message(&format!("m{n}"), Vec::new());
        tokio::spawn(async move { store.accept(message, at(n % 7)).await.unwrap() })
    });
    for accept in accepts.collect::<Vec<_>>() {
        accept.await.unwrap();
    }
    assert_eq!(fixture.store.prune(at(7)).await.unwrap(), 2500);
}

#[tokio::test]
async fn a_user_whose_queue_was_forgotten_is_served_when_it_comes_back() {
    let fixture = store().await;
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
