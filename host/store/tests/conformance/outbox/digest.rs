//! Digests: deliveries that are collected, become due together, and stay together.

use tidings_domain::delivery::{DeliveryId, DeliveryState, StoredEvent};
use tidings_domain::subscription::DigestOptions;
use tidings_store::{Outbox, SubscriptionStore};

use super::OutboxBackend;
use crate::backend::{Fixture, LIFETIME};
use crate::samples::{again, at, dead, delivered, in_digests, message, message_id, messages, subscription, to};

const MINUTE: u64 = 60_000;

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

pub async fn a_digest_is_due_when_the_interval_since_its_first_delivery_is_over<B: OutboxBackend>() {
    let fixture = Fixture::<B>::new().await;
    for (now, id) in [(1000, "m1"), (2000, "m2"), (30_000, "m3")] {
        fixture.accept(now, id, vec![in_digests("ann", 60, None), to("bob")]).await;
    }
    assert_eq!(fixture.lease(30_000, 10).await.len(), 3, "bob's are due, ann's are collected");
    assert!(fixture.lease(1000 + MINUTE - 1, 10).await.is_empty());
    let lease = fixture.lease_one(1000 + MINUTE).await;
    assert_eq!(messages(&lease), (names(&["m1", "m2", "m3"]), 0));
    let first = DeliveryId::derive(&message_id("m1"), "email", "ann@example.org");
    assert_eq!(lease.delivery().id, DeliveryId::digest_of(&first));
    assert_eq!((lease.delivery().accepted_at, lease.delivery().filter.as_deref()), (at(1000), Some("mine")));
    assert!(fixture.settle(lease, delivered(), 2 * MINUTE).await);
    let books = fixture.books().await;
    assert_eq!((books.delivered, books.pending), (3, 3));
}

pub async fn a_digest_is_due_before_its_time_when_its_count_is_reached<B: OutboxBackend>() {
    // In several transactions, and in one.
    for together in [false, true] {
        let fixture = Fixture::<B>::new().await;
        let accept = async |now: u64, id: &str| fixture.accept(now, id, vec![in_digests("ann", 600, Some(3))]).await;
        if together {
            tokio::join!(accept(1, "m1"), accept(2, "m2"), accept(3, "m3"));
        } else {
            accept(1, "m1").await;
            accept(2, "m2").await;
            assert!(fixture.lease(10, 10).await.is_empty());
            accept(3, "m3").await;
        }
        accept(4, "m4").await;
        let lease = fixture.lease_one(10).await;
        assert_eq!(messages(&lease), (names(&["m1", "m2", "m3", "m4"]), 0), "together: {together}");
    }
}

pub async fn a_claimed_digest_keeps_its_members_and_id_and_later_arrivals_form_another<B: OutboxBackend>() {
    let fixture = Fixture::<B>::new().await;
    fixture.accept(1, "m1", vec![in_digests("ann", 60, None)]).await;
    fixture.accept(2, "m2", vec![in_digests("ann", 60, None)]).await;
    let first = fixture.lease_one(MINUTE + 1).await;
    let id = first.delivery().id.clone();
    fixture.accept(MINUTE + 2, "m3", vec![in_digests("ann", 60, None)]).await;
    fixture.accept(MINUTE + 3, "m4", vec![in_digests("ann", 60, None)]).await;
    fixture.settle(first, again(3 * MINUTE), MINUTE + 4).await;
    let leases = fixture.lease(3 * MINUTE, 10).await;
    let contents: Vec<_> = leases.iter().map(|lease| messages(lease).0).collect();
    assert_eq!(contents, [names(&["m3", "m4"]), names(&["m1", "m2"])]);
    assert_eq!((&leases[1].delivery().id, leases[1].delivery().attempt), (&id, 2));
    // The lease expires without an outcome: the same digest is due again.
    let leases = fixture.lease(3 * MINUTE + LIFETIME, 10).await;
    assert!(leases.iter().any(|lease| lease.delivery().id == id && messages(lease).0 == names(&["m1", "m2"])));
}

pub async fn a_digest_of_one_is_a_single_delivery_with_its_own_id<B: OutboxBackend>() {
    let fixture = Fixture::<B>::new().await;
    fixture.accept(1, "m1", vec![in_digests("ann", 60, None)]).await;
    let lease = fixture.lease_one(MINUTE + 1).await;
    assert!(matches!(lease.delivery().content, tidings_domain::delivery::Content::Single(_)));
    assert_eq!(lease.delivery().id, DeliveryId::derive(&message_id("m1"), "email", "ann@example.org"));
    fixture.accept(MINUTE + 2, "m2", vec![in_digests("ann", 60, None)]).await;
    fixture.settle(lease, again(4 * MINUTE), MINUTE + 3).await;
    assert_eq!(fixture.lease(4 * MINUTE, 10).await.len(), 2, "it is not collected again");
}

pub async fn a_digest_shows_a_limited_number_of_events_and_counts_the_rest<B: OutboxBackend>() {
    let fixture = Fixture::<B>::new().await;
    for n in 0..7 {
        fixture.accept(n, &format!("m{n}"), vec![in_digests("ann", 60, None)]).await;
    }
    let lease = fixture.lease_showing(MINUTE, 10, 3).await.remove(0);
    assert_eq!(messages(&lease), (names(&["m0", "m1", "m2"]), 4));
    fixture.settle(lease, dead(), MINUTE).await;
    assert_eq!(fixture.books().await.dead, 7, "omitted deliveries have the same outcome");
}

pub async fn a_digest_of_huge_events_shows_what_fits_in_memory<B: OutboxBackend>() {
    let fixture = Fixture::<B>::new().await;
    for n in 0..20 {
        let mut huge = message(&format!("m{n}"), vec![in_digests("ann", 60, None)]);
        let event = huge.event.take().unwrap();
        huge.event = Some(StoredEvent { body: "x".repeat(1024 * 1024), ..(*event).clone() }.into());
        fixture.store.accept(huge, at(n)).await.unwrap();
    }
    let lease = fixture.lease_one(MINUTE * 2).await;
    let (shown, omitted) = messages(&lease);
    assert!((10..=17).contains(&shown.len()), "{}", shown.len());
    assert_eq!(shown.len() + omitted as usize, 20);
}

pub async fn a_digest_counts_as_one_delivery_of_a_lease_request<B: OutboxBackend>() {
    let fixture = Fixture::<B>::new().await;
    for n in 0..5 {
        fixture.accept(n, &format!("m{n}"), vec![in_digests("ann", 0, None)]).await;
        fixture.accept(n, &format!("n{n}"), vec![to("bob")]).await;
    }
    let leases = fixture.lease(100, 3).await;
    assert_eq!(leases.len(), 3);
    assert_eq!(leases.iter().filter(|lease| messages(lease).0.len() == 5).count(), 1);
}

pub async fn an_open_digest_is_due_at_once_when_its_options_are_removed<B: OutboxBackend>() {
    let fixture = Fixture::<B>::new().await;
    let mut desired = subscription("ann", &["ann@example.org"]);
    desired.digest = Some(DigestOptions { interval_seconds: 3600, count: None });
    fixture.store.put_subscription(&desired, at(1)).await.unwrap();
    fixture.accept(1000, "m1", vec![in_digests("ann", 3600, None)]).await;
    fixture.accept(2000, "m2", vec![in_digests("ann", 3600, None)]).await;
    assert!(fixture.lease(3000, 10).await.is_empty());
    // A shorter interval counts from the first delivery of the digest.
    desired.digest = Some(DigestOptions { interval_seconds: 60, count: None });
    fixture.store.put_subscription(&desired, at(3000)).await.unwrap();
    assert_eq!(fixture.store.next_due("email").await.unwrap(), Some(at(1000 + MINUTE)));
    desired.digest = None;
    fixture.store.put_subscription(&desired, at(4000)).await.unwrap();
    let lease = fixture.lease_one(4000).await;
    assert_eq!(messages(&lease).0, names(&["m1", "m2"]));
}

pub async fn deleting_a_subscription_cancels_its_open_and_leased_digests<B: OutboxBackend>() {
    let fixture = Fixture::<B>::new().await;
    fixture.store.put_subscription(&subscription("ann", &["ann@example.org"]), at(1)).await.unwrap();
    for n in 0..2 {
        fixture.accept(n, &format!("m{n}"), vec![in_digests("ann", 60, None)]).await;
    }
    let in_flight = fixture.lease_one(MINUTE).await;
    for n in 2..4 {
        fixture.accept(MINUTE + n, &format!("m{n}"), vec![in_digests("ann", 60, None)]).await;
    }
    assert!(fixture.store.delete_subscription("ann", "email", at(MINUTE + 5)).await.unwrap());
    assert_eq!(fixture.books().await.cancelled, 4);
    assert_eq!(fixture.store.next_due("email").await.unwrap(), None);
    assert!(!fixture.settle(in_flight.clone(), again(1), MINUTE + 6).await);
    assert!(fixture.settle(in_flight, delivered(), MINUTE + 7).await, "it was sent before it was cancelled");
    let states: Vec<DeliveryState> = fixture.rows().await.into_iter().map(|row| row.state).collect();
    assert_eq!(
        states,
        [DeliveryState::Delivered, DeliveryState::Delivered, DeliveryState::Cancelled, DeliveryState::Cancelled]
    );
}

/// Instantiates this suite for a backend.
macro_rules! suite {
    ($backend:ty) => {
        cases! { $backend, [crate::outbox::digest]:
            a_digest_is_due_when_the_interval_since_its_first_delivery_is_over,
            a_digest_is_due_before_its_time_when_its_count_is_reached,
            a_claimed_digest_keeps_its_members_and_id_and_later_arrivals_form_another,
            a_digest_of_one_is_a_single_delivery_with_its_own_id,
            a_digest_shows_a_limited_number_of_events_and_counts_the_rest,
            a_digest_of_huge_events_shows_what_fits_in_memory,
            a_digest_counts_as_one_delivery_of_a_lease_request,
            an_open_digest_is_due_at_once_when_its_options_are_removed,
            deleting_a_subscription_cancels_its_open_and_leased_digests,
        }
    };
}
pub(crate) use suite;
