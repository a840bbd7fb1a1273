//! Outcomes that change an address: it is removed or replaced, and pending deliveries follow.

use tidings_domain::delivery::{DeliveryState, Recipient};
use tidings_store::limits::ADDRESS_MOVE_REST;
use tidings_store::{Outbox, SubscriptionStore};

use super::OutboxBackend;
use crate::backend::Fixture;
use crate::samples::{again, at, delivered, gone, in_digests, messages, subscription, to};

/// ann has two addresses; messages are pending for both.
async fn two_addresses<B: OutboxBackend>() -> Fixture<B> {
    let fixture = Fixture::<B>::new().await;
    fixture.store.put_subscription(&subscription("ann", &["old@x", "other@x"]), at(1)).await.unwrap();
    let address = |address: &str| Recipient { address: address.into(), ..to("ann") };
    fixture.accept(100, "m1", vec![address("old@x")]).await;
    fixture.accept(200, "m2", vec![address("old@x"), address("other@x")]).await;
    fixture.accept(300, "m3", vec![address("old@x")]).await;
    let elsewhere = Recipient { user: "bob".into(), address: "bob@x".into(), ..to("bob") };
    fixture.accept(400, "m4", vec![elsewhere]).await;
    fixture
}

pub async fn an_address_that_is_gone_cancels_its_pending_deliveries<B: OutboxBackend>() {
    let fixture = two_addresses::<B>().await;
    let lease = fixture.lease(150, 1).await.remove(0);
    assert!(fixture.settle(lease, gone(None), 1000).await);
    let states: Vec<_> = fixture.rows().await.into_iter().map(|row| (row.message_id, row.address, row.state)).collect();
    let expected = [
        ("m1", "old@x", DeliveryState::Dead),
        ("m2", "old@x", DeliveryState::Cancelled),
        ("m2", "other@x", DeliveryState::Pending),
        ("m3", "old@x", DeliveryState::Cancelled),
        ("m4", "bob@x", DeliveryState::Pending),
    ];
    assert_eq!(states, expected.map(|(message, address, state)| (message.to_owned(), address.to_owned(), state)));
    assert_eq!(fixture.store.subscriptions_of("ann").await.unwrap()[0].addresses, ["other@x"]);
    fixture.books().await;
}

pub async fn an_address_with_a_successor_moves_with_its_pending_deliveries<B: OutboxBackend>() {
    let fixture = two_addresses::<B>().await;
    let mut leases = fixture.lease(350, 10).await;
    assert_eq!(leases.len(), 4);
    // m3 is deferred: it is pending and not leased; m2 stays leased.
    let mut take = |message: &str, address: &str| {
        let found = leases.iter().position(|l| messages(l).0 == [message] && l.delivery().address == address);
        leases.remove(found.unwrap())
    };
    let (m1, m3) = (take("m1", "old@x"), take("m3", "old@x"));
    let still_leased = take("m2", "old@x");
    fixture.settle(m3, again(9_000_000), 500).await;
    assert!(fixture.settle(m1, gone(Some("new@x")), 1000).await);
    assert_eq!(fixture.store.subscriptions_of("ann").await.unwrap()[0].addresses, ["new@x", "other@x"]);
    let again_due = fixture.lease(1000, 10).await;
    let mut due: Vec<_> = again_due.iter().map(|l| (messages(l).0.remove(0), l.delivery().address.clone())).collect();
    due.sort();
    let expected = [("m1", "new@x"), ("m3", "new@x"), ("m4", "bob@x")];
    assert_eq!(due, expected.map(|(message, address)| (message.to_owned(), address.to_owned())));
    assert!(fixture.settle(still_leased, delivered(), 1100).await, "a leased delivery keeps its lease");
    fixture.books().await;
}

/// A remote server may name an address as its own successor, or two addresses as each other's.
pub async fn addresses_that_name_each_other_do_not_loop<B: OutboxBackend>() {
    const REST: u64 = ADDRESS_MOVE_REST.as_millis() as u64;
    for ring in [&["a@x"][..], &["a@x", "b@x"], &["a@x", "b@x", "c@x"]] {
        let fixture = Fixture::<B>::new().await;
        fixture.store.put_subscription(&subscription("ann", &[ring[0]]), at(1)).await.unwrap();
        let address = |address: &str| Recipient { address: address.into(), ..to("ann") };
        let next = |address: &str| {
            let index = ring.iter().position(|one| *one == address).unwrap();
            gone(Some(ring[(index + 1) % ring.len()]))
        };
        for n in 1..=3 {
            fixture.accept(n, &format!("m{n}"), vec![address(ring[0])]).await;
        }
        // Every lease that is due before the rest is over, one by one: an address that names itself takes one attempt,
        // others take two.
        let mut attempts = 0;
        while let Some(lease) = fixture.lease(1000 + attempts, 1).await.pop() {
            let settlement = next(&lease.delivery().address);
            assert!(fixture.settle(lease, settlement, 1000 + attempts).await);
            attempts += 1;
            assert!(attempts <= 6, "three deliveries, {ring:?}");
        }
        assert_eq!(attempts, if ring.len() == 1 { 3 } else { 6 });
        // From then on each delivery has one attempt in each rest.
        for round in 1..=3 {
            let leases = fixture.lease(2000 + round * REST, 10).await;
            assert_eq!(leases.len(), 3, "{ring:?}, round {round}");
            for lease in leases {
                let settlement = next(&lease.delivery().address);
                assert!(fixture.settle(lease, settlement, 2000 + round * REST).await);
                assert!(fixture.lease(2000 + round * REST, 10).await.is_empty());
            }
        }
        assert_eq!(fixture.books().await.pending, 3);
    }
}

pub async fn of_two_deliveries_of_one_message_to_the_same_address_one_is_cancelled<B: OutboxBackend>() {
    let fixture = two_addresses::<B>().await;
    let lease = fixture.lease(150, 1).await.remove(0);
    assert!(fixture.settle(lease, gone(Some("other@x")), 1000).await);
    assert_eq!(fixture.store.subscriptions_of("ann").await.unwrap()[0].addresses, ["other@x"]);
    let states = fixture.states().await;
    let expected = [
        ("m1", "other@x", DeliveryState::Pending),
        ("m2", "old@x", DeliveryState::Cancelled),
        ("m2", "other@x", DeliveryState::Pending),
        ("m3", "other@x", DeliveryState::Pending),
        ("m4", "bob@x", DeliveryState::Pending),
    ];
    assert_eq!(states, expected.map(|(message, address, state)| (message.to_owned(), address.to_owned(), state)));
    fixture.books().await;
}

pub async fn several_deliveries_whose_address_is_gone_are_all_dead<B: OutboxBackend>() {
    let fixture = two_addresses::<B>().await;
    let leases = fixture.lease(350, 10).await;
    let old = leases.into_iter().filter(|lease| lease.delivery().address == "old@x");
    let settled: Vec<_> = old.map(|lease| (lease, gone(None))).collect();
    assert_eq!(settled.len(), 3);
    assert_eq!(fixture.store.settle(settled, at(1000)).await.unwrap(), 0);
    assert_eq!(fixture.books().await.dead, 3);
}

pub async fn a_digest_moves_as_a_whole_and_joins_an_open_one<B: OutboxBackend>() {
    let fixture = Fixture::<B>::new().await;
    fixture.store.put_subscription(&subscription("ann", &["old@x", "other@x"]), at(1)).await.unwrap();
    let address = |address: &str| Recipient { address: address.into(), ..in_digests("ann", 60, None) };
    for n in 1..=3 {
        fixture.accept(n, &format!("m{n}"), vec![address("old@x"), address("other@x")]).await;
    }
    fixture.accept(10, "m9", vec![Recipient { address: "old@x".into(), ..to("ann") }]).await;
    let single = fixture.lease_one(100).await;
    fixture.accept(200, "m4", vec![address("old@x")]).await;
    assert!(fixture.settle(single, gone(Some("other@x")), 1000).await);
    let leases = fixture.lease(1000, 10).await;
    let mut contents: Vec<_> = leases.iter().map(messages).collect();
    contents.sort();
    let digest = ["m1", "m2", "m3", "m4"].map(str::to_owned).to_vec();
    assert_eq!(contents, [(digest, 0), (vec!["m9".to_owned()], 0)]);
    assert!(leases.iter().all(|lease| lease.delivery().address == "other@x"));
    let books = fixture.books().await;
    assert_eq!((books.cancelled, books.pending), (3, 5));
}

/// Instantiates this suite for a backend.
macro_rules! suite {
    ($backend:ty) => {
        cases! { $backend, [crate::outbox::address_change]:
            an_address_that_is_gone_cancels_its_pending_deliveries,
            an_address_with_a_successor_moves_with_its_pending_deliveries,
            addresses_that_name_each_other_do_not_loop,
            of_two_deliveries_of_one_message_to_the_same_address_one_is_cancelled,
            several_deliveries_whose_address_is_gone_are_all_dead,
            a_digest_moves_as_a_whole_and_joins_an_open_one,
        }
    };
}
pub(crate) use suite;
