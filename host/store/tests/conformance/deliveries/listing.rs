//! Lists of deliveries, and retries of dead ones.

use tidings_domain::delivery::{DeliveryState, Recipient};
use tidings_store::{DeliveryQuery, DeliveryRow, DeliveryStore, Outbox};

use super::DeliveryBackend;
use crate::backend::Fixture;
use crate::samples::{at, dead, delivered, in_digests, message, messages, to};

const MINUTE: u64 = 60_000;

pub async fn all_deliveries_of_a_user_are_listed_in_every_state<B: DeliveryBackend>() {
    let fixture = Fixture::<B>::new().await;
    for id in ["m1", "m2", "m3"] {
        let irc = Recipient { channel: "irc".into(), ..to("ann") };
        fixture.accept(1, id, vec![to("ann"), irc, to("bob")]).await;
    }
    for lease in fixture.lease(2, 3).await {
        fixture.settle(lease, delivered(), 3).await;
    }
    let list = async |state, after, limit| {
        let query = DeliveryQuery { state, user: Some("ann".into()), after, limit, ..DeliveryQuery::default() };
        fixture.store.deliveries(query).await.unwrap()
    };
    let expected: Vec<_> = fixture.rows().await.into_iter().rev().filter(|row| row.user == "ann").collect();
    let (over, waits) = (DeliveryState::Delivered, DeliveryState::Pending);
    let all: Vec<_> = expected.iter().map(|row| row.id.clone()).collect();
    let of = |rows: Vec<DeliveryRow>| rows.into_iter().map(|row| row.id).collect::<Vec<_>>();
    let in_state =
        |state| expected.iter().filter(|row| row.state == state).map(|row| row.id.clone()).collect::<Vec<_>>();
    assert_eq!(all.len(), 6);
    assert!(!in_state(over).is_empty() && in_state(waits).len() >= 3);
    assert_eq!(of(list(None, None, 10).await), all);
    assert_eq!(of(list(None, Some(all[1].clone()), 2).await), all[2..4]);
    assert_eq!(of(list(Some(over), None, 10).await), in_state(over));
    assert_eq!(of(list(Some(waits), None, 10).await), in_state(waits));
}

pub async fn deliveries_are_listed_newest_first_by_state_channel_user_and_page<B: DeliveryBackend>() {
    use tidings_store::DeliveryQuery;
    let fixture = Fixture::<B>::new().await;
    for n in 0..6 {
        let user = if n % 2 == 0 { "ann" } else { "bob" };
        let channel = if n < 4 { "email" } else { "irc" };
        let recipient = Recipient { channel: channel.into(), ..to(user) };
        fixture.store.accept(message(&format!("m{n}"), vec![recipient]), at(n)).await.unwrap();
    }
    let lease = fixture.lease(100, 1).await.remove(0);
    fixture.settle(lease, dead(), 200).await;
    let all = DeliveryQuery { limit: 100, ..DeliveryQuery::default() };
    let list = async |query: DeliveryQuery| {
        let rows = fixture.store.deliveries(query).await.unwrap();
        rows.into_iter().map(|row| row.message_id).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(list(all.clone()).await, "m5 m4 m3 m2 m1 m0");
    assert_eq!(list(DeliveryQuery { state: Some(DeliveryState::Dead), ..all.clone() }).await, "m0");
    assert_eq!(list(DeliveryQuery { state: Some(DeliveryState::Pending), ..all.clone() }).await, "m5 m4 m3 m2 m1");
    assert_eq!(list(DeliveryQuery { state: Some(DeliveryState::Delivered), ..all.clone() }).await, "");
    assert_eq!(list(DeliveryQuery { channel: Some("irc".into()), ..all.clone() }).await, "m5 m4");
    assert_eq!(list(DeliveryQuery { user: Some("bob".into()), ..all.clone() }).await, "m5 m3 m1");
    let page = DeliveryQuery { limit: 2, ..DeliveryQuery::default() };
    let first = fixture.store.deliveries(page.clone()).await.unwrap();
    let after = first.last().map(|row| row.id.clone());
    assert_eq!(list(DeliveryQuery { after, ..page }).await, "m3 m2");
}

/// Row P5 of the promises: dead deliveries are visible and can be retried.
pub async fn dead_deliveries_are_retried_from_the_first_attempt<B: DeliveryBackend>() {
    let fixture = Fixture::<B>::new().await;
    for (id, user) in [("m1", "ann"), ("m2", "bob"), ("m3", "cy")] {
        fixture.accept(100, id, vec![to(user)]).await;
    }
    let irc = Recipient { channel: "irc".into(), ..to("ann") };
    fixture.accept(100, "m4", vec![irc]).await;
    let settled = fixture.lease(1000, 10).await.into_iter().map(|lease| (lease, dead())).collect();
    fixture.store.settle(settled, at(2000)).await.unwrap();
    let id = fixture.rows().await[1].id.clone();
    assert_eq!(fixture.store.retry_dead(Some("irc"), Some(&id), at(5000)).await.unwrap(), 0);
    assert_eq!(fixture.store.retry_dead(None, Some(&id), at(5000)).await.unwrap(), 1);
    let lease = fixture.lease_one(5000).await;
    assert_eq!((&lease.delivery().id, lease.delivery().attempt, lease.delivery().accepted_at), (&id, 1, at(5000)));
    assert_eq!(fixture.store.retry_dead(Some("email"), None, at(6000)).await.unwrap(), 2);
    assert_eq!(fixture.lease(6000, 10).await.len(), 2);
    fixture.books().await;
}

pub async fn a_dead_digest_is_retried_as_a_whole_by_its_id_or_a_members<B: DeliveryBackend>() {
    for by_member in [true, false] {
        let fixture = Fixture::<B>::new().await;
        for n in 0..3 {
            fixture.accept(n, &format!("m{n}"), vec![in_digests("ann", 60, None)]).await;
        }
        let lease = fixture.lease_one(MINUTE).await;
        let id = if by_member { fixture.rows().await[2].id.clone() } else { lease.delivery().id.clone() };
        let digest = lease.delivery().id.clone();
        fixture.settle(lease, dead(), MINUTE).await;
        assert_eq!(fixture.store.retry_dead(None, Some(&id), at(2 * MINUTE)).await.unwrap(), 3);
        let lease = fixture.lease_one(2 * MINUTE).await;
        assert_eq!((&lease.delivery().id, messages(&lease).0.len()), (&digest, 3));
    }
}

/// Instantiates this suite for a backend.
macro_rules! suite {
    ($backend:ty) => {
        cases! { $backend, [crate::deliveries::listing]:
            all_deliveries_of_a_user_are_listed_in_every_state,
            deliveries_are_listed_newest_first_by_state_channel_user_and_page,
            dead_deliveries_are_retried_from_the_first_attempt,
            a_dead_digest_is_retried_as_a_whole_by_its_id_or_a_members,
        }
    };
}
pub(crate) use suite;
