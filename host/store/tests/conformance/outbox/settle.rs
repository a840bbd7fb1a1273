//! Settling leases: what each outcome stores, and what a stale lease may still change.

use tidings_domain::delivery::DeliveryState;
use tidings_domain::outcome::Settlement;
use tidings_store::{Outbox, SubscriptionStore};

use super::OutboxBackend;
use crate::backend::{Fixture, LIFETIME};
use crate::samples::{again, at, dead, delivered, gone, messages, subscription, to};

pub async fn each_settlement_is_stored_as_its_state<B: OutboxBackend>() {
    let untried = Settlement::Again { not_before: at(5000), reason: "channel down".into(), counts: false };
    let held = Settlement::Held { reason: "channel rests".into() };
    let cases = [
        (delivered(), DeliveryState::Delivered, 1, "250 ok", None),
        (dead(), DeliveryState::Dead, 1, "550 no", None),
        (again(5000), DeliveryState::Pending, 1, "450 later", Some(at(5000))),
        (untried, DeliveryState::Pending, 0, "channel down", Some(at(5000))),
        // It is due as before, and the user's turn comes after all users who were ready when it was leased.
        (held, DeliveryState::Pending, 0, "channel rests", Some(at(1000))),
    ];
    for (settlement, state, attempts, note, next) in cases {
        let fixture = Fixture::<B>::new().await;
        fixture.accept(100, "m1", vec![to("ann")]).await;
        let lease = fixture.lease_one(1000).await;
        assert!(fixture.settle(lease, settlement.clone(), 2000).await);
        let row = fixture.rows().await.remove(0);
        assert_eq!((row.state, row.attempts, row.updated_at), (state, attempts, at(2000)), "{settlement:?}");
        assert_eq!(row.note.as_deref(), Some(note), "{settlement:?}");
        assert_eq!(fixture.store.next_due("email").await.unwrap(), next, "{settlement:?}");
        fixture.books().await;
    }
}

pub async fn held_deliveries_come_before_later_ones<B: OutboxBackend>() {
    let fixture = Fixture::<B>::new().await;
    for (now, name) in [(100, "m1"), (100, "m2"), (200, "m3"), (300, "m4")] {
        fixture.accept(now, name, vec![to("ann")]).await;
    }
    let first = fixture.lease(1000, 2).await;
    for lease in first {
        fixture.settle(lease, Settlement::Held { reason: "channel rests".into() }, 2000).await;
    }
    let order: Vec<String> = fixture.lease(2000, 4).await.iter().flat_map(|lease| messages(lease).0).collect();
    assert_eq!(order, ["m1", "m2", "m3", "m4"]);
}

pub async fn the_next_attempt_has_the_same_id_and_the_next_number<B: OutboxBackend>() {
    let fixture = Fixture::<B>::new().await;
    fixture.accept(100, "m1", vec![to("ann")]).await;
    let first = fixture.lease_one(1000).await;
    let id = first.delivery().id.clone();
    fixture.settle(first, again(5000), 2000).await;
    let second = fixture.lease_one(5000).await;
    assert_eq!((&second.delivery().id, second.delivery().attempt), (&id, 2));
}

pub async fn a_lease_that_was_taken_over_changes_nothing_unless_delivered<B: OutboxBackend>() {
    let settlements = [
        (again(9), DeliveryState::Pending),
        (dead(), DeliveryState::Pending),
        (gone(None), DeliveryState::Pending),
        (gone(Some("new@x")), DeliveryState::Pending),
        (delivered(), DeliveryState::Delivered),
    ];
    for (settlement, state) in settlements {
        let fixture = Fixture::<B>::new().await;
        fixture.store.put_subscription(&subscription("ann", &["ann@example.org"]), at(1)).await.unwrap();
        fixture.accept(100, "m1", vec![to("ann")]).await;
        let stale = fixture.lease_one(1000).await;
        let fresh = fixture.lease_one(1000 + LIFETIME).await;
        let counted = fixture.settle(stale, settlement.clone(), 1001 + LIFETIME).await;
        assert_eq!(counted, state == DeliveryState::Delivered, "{settlement:?}");
        assert_eq!(fixture.rows().await[0].state, state, "{settlement:?}");
        assert_eq!(fixture.subscriptions().await[0].addresses, ["ann@example.org"]);
        // The outcome of the second lease counts unless the delivery is settled already.
        assert_eq!(
            fixture.settle(fresh, dead(), 1002 + LIFETIME).await,
            state == DeliveryState::Pending,
            "{settlement:?}"
        );
        fixture.books().await;
    }
}

pub async fn an_expired_lease_that_was_not_taken_over_still_counts<B: OutboxBackend>() {
    let fixture = Fixture::<B>::new().await;
    fixture.accept(100, "m1", vec![to("ann")]).await;
    let lease = fixture.lease_one(1000).await;
    assert!(fixture.settle(lease.clone(), dead(), 1000 + 2 * LIFETIME).await);
    assert!(!fixture.settle(lease, again(1), 1000 + 2 * LIFETIME).await, "a lease is used up");
}

pub async fn a_stale_and_a_valid_lease_of_one_delivery_may_be_settled_together<B: OutboxBackend>() {
    let fixture = Fixture::<B>::new().await;
    fixture.accept(100, "m1", vec![to("ann")]).await;
    let stale = fixture.lease_one(1000).await;
    let fresh = fixture.lease_one(1000 + LIFETIME).await;
    let both = vec![(stale, dead()), (fresh, delivered())];
    assert_eq!(fixture.store.settle(both, at(1001 + LIFETIME)).await.unwrap(), 1);
    assert_eq!(fixture.rows().await[0].state, DeliveryState::Delivered);
}

pub async fn many_leases_are_settled_at_once_each_by_its_own_outcome<B: OutboxBackend>() {
    let fixture = Fixture::<B>::new().await;
    for n in 0..6 {
        fixture.accept(100, &format!("m{n}"), vec![to(&format!("user{n}"))]).await;
    }
    let leases = fixture.lease(1000, 6).await;
    let outcomes = [delivered(), dead(), again(9000), delivered(), gone(None), again(8000)];
    let settled: Vec<_> = leases.into_iter().zip(outcomes).collect();
    assert_eq!(fixture.store.settle(settled, at(2000)).await.unwrap(), 0);
    let books = fixture.books().await;
    assert_eq!((books.delivered, books.dead, books.pending), (2, 2, 2));
    assert_eq!(fixture.store.next_due("email").await.unwrap(), Some(at(8000)));
}

/// Instantiates this suite for a backend.
macro_rules! suite {
    ($backend:ty) => {
        cases! { $backend, [crate::outbox::settle]:
            each_settlement_is_stored_as_its_state,
            held_deliveries_come_before_later_ones,
            the_next_attempt_has_the_same_id_and_the_next_number,
            a_lease_that_was_taken_over_changes_nothing_unless_delivered,
            an_expired_lease_that_was_not_taken_over_still_counts,
            a_stale_and_a_valid_lease_of_one_delivery_may_be_settled_together,
            many_leases_are_settled_at_once_each_by_its_own_outcome,
        }
    };
}
pub(crate) use suite;
