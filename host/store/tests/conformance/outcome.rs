//! Settling leases: what each outcome leaves behind, and what a stale lease may still do.

use tidings_domain::delivery::{DeliveryState, Recipient};
use tidings_domain::outcome::Settlement;
use tidings_store::limits::ADDRESS_MOVE_REST;

use crate::fixture::{
    Fixture, LIFETIME, again, at, dead, delivered, gathered, gone, message, messages, store, subscription, to,
};

#[tokio::test]
async fn each_settlement_leaves_its_state() {
    let untried = Settlement::Again { not_before: at(5000), reason: "channel down".into(), counts: false };
    let held = Settlement::Held { reason: "channel rests".into() };
    let cases = [
        (delivered(), DeliveryState::Delivered, 1, "250 ok", None),
        (dead(), DeliveryState::Dead, 1, "550 no", None),
        (again(5000), DeliveryState::Pending, 1, "450 later", Some(at(5000))),
        (untried, DeliveryState::Pending, 0, "channel down", Some(at(5000))),
        // It is due as before, and the user's turn comes behind everybody who was ready when it was leased.
        (held, DeliveryState::Pending, 0, "channel rests", Some(at(1000))),
    ];
    for (settlement, state, attempts, note, next) in cases {
        let fixture = store().await;
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

#[tokio::test]
async fn what_was_held_comes_before_what_came_later() {
    let fixture = store().await;
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

#[tokio::test]
async fn the_next_attempt_has_the_same_id_and_the_next_number() {
    let fixture = store().await;
    fixture.accept(100, "m1", vec![to("ann")]).await;
    let first = fixture.lease_one(1000).await;
    let id = first.delivery().id.clone();
    fixture.settle(first, again(5000), 2000).await;
    let second = fixture.lease_one(5000).await;
    assert_eq!((&second.delivery().id, second.delivery().attempt), (&id, 2));
}

#[tokio::test]
async fn a_lease_that_was_taken_over_changes_nothing_but_delivered_is_delivered() {
    let settlements = [
        (again(9), DeliveryState::Pending),
        (dead(), DeliveryState::Pending),
        (gone(None), DeliveryState::Pending),
        (gone(Some("new@x")), DeliveryState::Pending),
        (delivered(), DeliveryState::Delivered),
    ];
    for (settlement, state) in settlements {
        let fixture = store().await;
        fixture.store.put_subscription(&subscription("ann", &["ann@example.org"]), at(1)).await.unwrap();
        fixture.accept(100, "m1", vec![to("ann")]).await;
        let stale = fixture.lease_one(1000).await;
        let fresh = fixture.lease_one(1000 + LIFETIME).await;
        let counted = fixture.settle(stale, settlement.clone(), 1001 + LIFETIME).await;
        assert_eq!(counted, state == DeliveryState::Delivered, "{settlement:?}");
        assert_eq!(fixture.rows().await[0].state, state, "{settlement:?}");
        assert_eq!(fixture.subscriptions().await[0].addresses, ["ann@example.org"]);
        // The one who took over: its word counts unless the delivery is settled by now.
        assert_eq!(
            fixture.settle(fresh, dead(), 1002 + LIFETIME).await,
            state == DeliveryState::Pending,
            "{settlement:?}"
        );
        fixture.books().await;
    }
}

#[tokio::test]
async fn an_expired_lease_that_nobody_took_over_still_counts() {
    let fixture = store().await;
    fixture.accept(100, "m1", vec![to("ann")]).await;
    let lease = fixture.lease_one(1000).await;
    assert!(fixture.settle(lease.clone(), dead(), 1000 + 2 * LIFETIME).await);
    assert!(!fixture.settle(lease, again(1), 1000 + 2 * LIFETIME).await, "a lease is used up");
}

#[tokio::test]
async fn a_stale_and_a_valid_lease_of_one_delivery_may_be_settled_together() {
    let fixture = store().await;
    fixture.accept(100, "m1", vec![to("ann")]).await;
    let stale = fixture.lease_one(1000).await;
    let fresh = fixture.lease_one(1000 + LIFETIME).await;
    let both = vec![(stale, dead()), (fresh, delivered())];
    assert_eq!(fixture.store.settle(both, at(1001 + LIFETIME)).await.unwrap(), 1);
    assert_eq!(fixture.rows().await[0].state, DeliveryState::Delivered);
}

#[tokio::test]
async fn many_leases_are_settled_at_once_each_by_its_own_word() {
    let fixture = store().await;
    for n in 0..6 {
        fixture.accept(100, &format!("m{n}"), vec![to(&format!("user{n}"))]).await;
    }
    let leases = fixture.lease(1000, 6).await;
    let words = [delivered(), dead(), again(9000), delivered(), gone(None), again(8000)];
    let settled: Vec<_> = leases.into_iter().zip(words).collect();
    assert_eq!(fixture.store.settle(settled, at(2000)).await.unwrap(), 0);
    let books = fixture.books().await;
    assert_eq!((books.delivered, books.dead, books.pending), (2, 2, 2));
    assert_eq!(fixture.store.next_due("email").await.unwrap(), Some(at(8000)));
}

/// ann has two addresses; messages wait for both, and one of `old@x` is in flight.
async fn two_addresses() -> Fixture {
    let fixture = store().await;
    fixture.store.put_subscription(&subscription("ann", &["old@x", "other@x"]), at(1)).await.unwrap();
    let address = |address: &str| Recipient { address: address.into(), ..to("ann") };
    fixture.accept(100, "m1", vec![address("old@x")]).await;
    fixture.accept(200, "m2", vec![address("old@x"), address("other@x")]).await;
    fixture.accept(300, "m3", vec![address("old@x")]).await;
    let elsewhere = Recipient { user: "bob".into(), address: "bob@x".into(), ..to("bob") };
    fixture.accept(400, "m4", vec![elsewhere]).await;
    fixture
}

#[tokio::test]
async fn an_address_that_is_gone_takes_its_deliveries_with_it() {
    let fixture = two_addresses().await;
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

#[tokio::test]
async fn an_address_with_a_successor_moves_with_all_that_waits() {
    let fixture = two_addresses().await;
    let mut leases = fixture.lease(350, 10).await;
    assert_eq!(leases.len(), 4);
    // m3 is put off: it waits, and m2 stays in flight.
    let mut take = |message: &str, address: &str| {
        let found = leases.iter().position(|l| messages(l).0 == [message] && l.delivery().address == address);
        leases.remove(found.unwrap())
    };
    let (m1, m3) = (take("m1", "old@x"), take("m3", "old@x"));
    let in_flight = take("m2", "old@x");
    fixture.settle(m3, again(9_000_000), 500).await;
    assert!(fixture.settle(m1, gone(Some("new@x")), 1000).await);
    assert_eq!(fixture.store.subscriptions_of("ann").await.unwrap()[0].addresses, ["new@x", "other@x"]);
    let again_due = fixture.lease(1000, 10).await;
    let mut due: Vec<_> = again_due.iter().map(|l| (messages(l).0.remove(0), l.delivery().address.clone())).collect();
    due.sort();
    let expected = [("m1", "new@x"), ("m3", "new@x"), ("m4", "bob@x")];
    assert_eq!(due, expected.map(|(message, address)| (message.to_owned(), address.to_owned())));
    assert!(fixture.settle(in_flight, delivered(), 1100).await, "what was in flight keeps its lease");
    fixture.books().await;
}

/// As a far side would have it that calls an address its own successor, or two each other's.
#[tokio::test]
async fn addresses_that_name_each_other_make_no_hot_loop() {
    const REST: u64 = ADDRESS_MOVE_REST.as_millis() as u64;
    for ring in [&["a@x"][..], &["a@x", "b@x"], &["a@x", "b@x", "c@x"]] {
        let fixture = store().await;
        fixture.store.put_subscription(&subscription("ann", &[ring[0]]), at(1)).await.unwrap();
        let address = |address: &str| Recipient { address: address.into(), ..to("ann") };
        let next = |address: &str| {
            let place = ring.iter().position(|one| *one == address).unwrap();
            gone(Some(ring[(place + 1) % ring.len()]))
        };
        for n in 1..=3 {
            fixture.accept(n, &format!("m{n}"), vec![address(ring[0])]).await;
        }
        // As often as something is due within a rest, each by itself; a move to itself takes one attempt, others two.
        let mut attempts = 0;
        while let Some(lease) = fixture.lease(1000 + attempts, 1).await.pop() {
            let settlement = next(&lease.delivery().address);
            assert!(fixture.settle(lease, settlement, 1000 + attempts).await);
            attempts += 1;
            assert!(attempts <= 6, "three deliveries, {ring:?}");
        }
        assert_eq!(attempts, if ring.len() == 1 { 3 } else { 6 });
        // From then on one for each delivery and rest.
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

#[tokio::test]
async fn of_two_deliveries_of_one_message_that_meet_at_an_address_one_is_cancelled() {
    let fixture = two_addresses().await;
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

#[tokio::test]
async fn several_deliveries_that_find_their_address_gone_are_all_dead() {
    let fixture = two_addresses().await;
    let leases = fixture.lease(350, 10).await;
    let old = leases.into_iter().filter(|lease| lease.delivery().address == "old@x");
    let settled: Vec<_> = old.map(|lease| (lease, gone(None))).collect();
    assert_eq!(settled.len(), 3);
    assert_eq!(fixture.store.settle(settled, at(1000)).await.unwrap(), 0);
    assert_eq!(fixture.books().await.dead, 3);
}

#[tokio::test]
async fn a_digest_moves_as_a_whole_and_meets_what_gathers_there() {
    let fixture = store().await;
    fixture.store.put_subscription(&subscription("ann", &["old@x", "other@x"]), at(1)).await.unwrap();
    let address = |address: &str| Recipient { address: address.into(), ..gathered("ann", 60, None) };
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

/// Row P5 of the promises: the dead are visible and can be driven again.
#[tokio::test]
async fn dead_deliveries_are_tried_again_from_the_start() {
    let fixture = store().await;
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

#[tokio::test]
async fn deliveries_are_listed_newest_first_by_state_channel_and_user_and_page_by_page() {
    use tidings_store::DeliveryQuery;
    let fixture = store().await;
    for n in 0..6 {
        let user = if n % 2 == 0 { "ann" } else { "bob" };
        let channel = if n < 4 { "email" } else { "irc" };
        let told = Recipient { channel: channel.into(), ..to(user) };
        fixture.store.accept(message(&format!("m{n}"), vec![told]), at(n)).await.unwrap();
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
