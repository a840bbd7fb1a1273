//! Leasing: which deliveries are due, in which order, and for how long they are leased.

use std::collections::BTreeMap;

use tidings_domain::delivery::Recipient;
use tidings_store::Outbox;

use super::OutboxBackend;
use crate::backend::{Fixture, LIFETIME};
use crate::samples::{again, at, delivered, in_digests, messages, to, users};

async fn backlog<B: OutboxBackend>(fixture: &Fixture<B>, user: &str, count: usize, now: u64) {
    for n in 0..count {
        fixture.accept(now, &format!("{user}{n}"), vec![to(user)]).await;
    }
}

pub async fn due_deliveries_are_leased_oldest_first_with_their_content<B: OutboxBackend>() {
    let fixture = Fixture::<B>::new().await;
    fixture.accept(300, "m3", vec![to("cy")]).await;
    fixture.accept(100, "m1", vec![to("ann")]).await;
    fixture.accept(200, "m2", vec![to("bob")]).await;
    fixture.accept(5000, "m4", vec![to("dee")]).await;
    let leases = fixture.lease(1000, 10).await;
    assert_eq!(users(&leases), ["ann", "bob", "cy"]);
    let delivery = leases[0].delivery();
    assert_eq!(delivery.id, fixture.rows().await[1].id);
    assert_eq!((delivery.attempt, delivery.accepted_at), (1, at(100)));
    assert_eq!(delivery.address, "ann@example.org");
    assert_eq!(delivery.filter.as_deref(), Some("mine"));
    assert_eq!(delivery.style, to("ann").style);
    assert_eq!(messages(&leases[0]).0, ["m1"]);
    assert_eq!(leases[0].until(), at(1000 + LIFETIME));
}

pub async fn a_channel_gets_only_its_own_deliveries<B: OutboxBackend>() {
    let fixture = Fixture::<B>::new().await;
    let irc = Recipient { channel: "irc".into(), ..to("ann") };
    fixture.accept(100, "m1", vec![irc]).await;
    assert!(fixture.lease(1000, 10).await.is_empty());
    assert_eq!(fixture.store.next_due("email").await.unwrap(), None);
    assert_eq!(fixture.store.next_due("irc").await.unwrap(), Some(at(100)));
}

/// Row 16 (c) of the list of failures: the worker has ended, its lease expires.
pub async fn a_leased_delivery_is_not_leased_again_until_the_lease_expires<B: OutboxBackend>() {
    let fixture = Fixture::<B>::new().await;
    fixture.accept(100, "m1", vec![to("ann")]).await;
    let first = fixture.lease_one(1000).await;
    assert!(fixture.lease(1000, 10).await.is_empty());
    assert!(fixture.lease(999 + LIFETIME, 10).await.is_empty());
    assert_eq!(fixture.store.next_due("email").await.unwrap(), Some(at(1000 + LIFETIME)));
    let second = fixture.lease_one(1000 + LIFETIME).await;
    assert_eq!(first.delivery().id, second.delivery().id);
    assert_eq!(second.delivery().attempt, 1, "it is unknown whether the first holder tried");
}

pub async fn released_leases_are_due_as_before<B: OutboxBackend>() {
    let fixture = Fixture::<B>::new().await;
    fixture.accept(100, "m1", vec![to("ann")]).await;
    let lease = fixture.lease_one(1000).await;
    fixture.store.release(vec![lease]).await.unwrap();
    assert_eq!(fixture.rows().await[0].not_before, at(100));
    let lease = fixture.lease_one(1001).await;
    assert_eq!(lease.delivery().attempt, 1);
    // A released lease does not release the later lease of another holder.
    let stale = lease.clone();
    fixture.store.release(vec![lease]).await.unwrap();
    fixture.lease_one(1002).await;
    fixture.store.release(vec![stale]).await.unwrap();
    assert!(fixture.lease(1003, 10).await.is_empty());
}

pub async fn all_leases_are_given_up_at_start<B: OutboxBackend>() {
    let fixture = Fixture::<B>::new().await;
    backlog(&fixture, "ann", 3, 100).await;
    fixture.accept(100, "d1", vec![in_digests("bob", 0, None)]).await;
    fixture.accept(100, "d2", vec![in_digests("bob", 0, None)]).await;
    assert_eq!(fixture.lease(1000, 10).await.len(), 4);
    assert_eq!(fixture.store.release_all().await.unwrap(), 4);
    assert_eq!(fixture.store.release_all().await.unwrap(), 0);
    assert_eq!(fixture.lease(1000, 10).await.len(), 4);
}

/// Row 12 of the list of failures: one user with a long queue.
pub async fn a_user_with_a_long_queue_does_not_starve_the_others<B: OutboxBackend>() {
    let fixture = Fixture::<B>::new().await;
    backlog(&fixture, "heavy", 40, 100).await;
    for user in ["ann", "bob", "cy"] {
        backlog(&fixture, user, 2, 200).await;
    }
    let leases = fixture.lease(1000, 8).await;
    let mut shares = BTreeMap::new();
    for user in users(&leases) {
        *shares.entry(user).or_insert(0) += 1;
    }
    assert_eq!(shares, BTreeMap::from([("ann", 2), ("bob", 2), ("cy", 2), ("heavy", 2)]));
    assert_eq!(fixture.lease(1000, 30).await.len(), 30, "users with more deliveries fill the batch");
}

pub async fn many_users_with_long_queues_do_not_starve_a_new_user<B: OutboxBackend>() {
    let fixture = Fixture::<B>::new().await;
    for n in 0..6 {
        backlog(&fixture, &format!("heavy{n}"), 10, 100).await;
    }
    assert_eq!(fixture.lease(1000, 4).await.len(), 4);
    fixture.accept(1500, "m1", vec![to("newcomer")]).await;
    let mut served = Vec::new();
    for _ in 0..2 {
        let leases = fixture.lease(2000, 4).await;
        served.extend(users(&leases).into_iter().map(str::to_owned));
    }
    served.sort();
    let once_each = ["heavy0", "heavy1", "heavy2", "heavy3", "heavy4", "heavy5", "newcomer"];
    served.dedup();
    assert_eq!(served, once_each, "every user is served once before any user is served twice");
}

pub async fn users_take_turns_at_the_same_moment_too<B: OutboxBackend>() {
    let fixture = Fixture::<B>::new().await;
    for user in ["ann", "bob", "cy"] {
        backlog(&fixture, user, 2, 100).await;
    }
    let mut served = Vec::new();
    for _ in 0..6 {
        served.extend(users(&fixture.lease(1000, 1).await).into_iter().map(str::to_owned));
    }
    assert_eq!(served, ["ann", "bob", "cy", "ann", "bob", "cy"]);
}

pub async fn next_due_follows_every_change<B: OutboxBackend>() {
    let fixture = Fixture::<B>::new().await;
    let next = async || fixture.store.next_due("email").await.unwrap();
    assert_eq!(next().await, None);
    fixture.accept(500, "m1", vec![to("ann")]).await;
    assert_eq!(next().await, Some(at(500)));
    fixture.accept(400, "m2", vec![to("bob")]).await;
    assert_eq!(next().await, Some(at(400)));
    let mut leases = fixture.lease(1000, 10).await;
    assert_eq!(users(&leases), ["bob", "ann"]);
    assert_eq!(next().await, Some(at(1000 + LIFETIME)));
    let (ann, bob) = (leases.remove(1), leases.remove(0));
    fixture.settle(ann, again(7000), 1100).await;
    assert_eq!(next().await, Some(at(7000)));
    fixture.settle(bob, delivered(), 1100).await;
    assert_eq!(next().await, Some(at(7000)));
    let ann = fixture.lease_one(7000).await;
    fixture.settle(ann, delivered(), 7100).await;
    assert_eq!(next().await, None);
}

/// Row 21 of the list of failures.
pub async fn a_clock_that_goes_back_delays_neither_leases_nor_users<B: OutboxBackend>() {
    let fixture = Fixture::<B>::new().await;
    let hour = 3_600_000;
    backlog(&fixture, "ann", 2, 100).await;
    let abandoned = fixture.lease(10 * hour, 1).await;
    assert_eq!(abandoned.len(), 1);
    // The clock is set back by nine hours: ann's other delivery is leased at once, the abandoned one when a lease given
    // now would expire.
    let second = fixture.lease(hour, 10).await;
    assert_eq!(second.len(), 1);
    assert_ne!(second[0].delivery().id, abandoned[0].delivery().id);
    let third = fixture.lease(hour + LIFETIME, 10).await;
    assert!(third.iter().any(|lease| lease.delivery().id == abandoned[0].delivery().id));
}

/// Instantiates this suite for a backend.
macro_rules! suite {
    ($backend:ty) => {
        cases! { $backend, [crate::outbox::lease]:
            due_deliveries_are_leased_oldest_first_with_their_content,
            a_channel_gets_only_its_own_deliveries,
            a_leased_delivery_is_not_leased_again_until_the_lease_expires,
            released_leases_are_due_as_before,
            all_leases_are_given_up_at_start,
            a_user_with_a_long_queue_does_not_starve_the_others,
            many_users_with_long_queues_do_not_starve_a_new_user,
            users_take_turns_at_the_same_moment_too,
            next_due_follows_every_change,
            a_clock_that_goes_back_delays_neither_leases_nor_users,
        }
    };
}
pub(crate) use suite;
