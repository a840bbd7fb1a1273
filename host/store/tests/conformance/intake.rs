//! Accepting messages: once each, with everybody who is to be told.

use tidings_domain::delivery::{Acceptance, DeliveryState, Recipient};
use tidings_store::{DeliveryQuery, DeliveryRow};

use crate::fixture::{at, delivered, filter, message, store, subscription, to};

#[tokio::test]
async fn a_new_message_and_its_deliveries_are_there_after_accept() {
    let fixture = store().await;
    let accepted = fixture.accept(1000, "m1", vec![to("ann"), to("bob")]).await;
    assert_eq!(accepted, Acceptance::New { deliveries: 2 });
    let rows = fixture.rows().await;
    assert_eq!(rows.len(), 2);
    let row = &rows[0];
    assert_eq!((row.user.as_str(), row.address.as_str(), row.channel.as_str()), ("ann", "ann@example.org", "email"));
    assert_eq!((row.message_id.as_str(), row.subtitle.as_str()), ("m1", "subtitle of m1"));
    assert_eq!((row.accepted_at, row.not_before, row.attempts), (at(1000), at(1000), 0));
    assert_eq!(row.filter.as_deref(), Some("mine"));
    assert_eq!(fixture.books().await.accepted, 2);
}

/// Row 3 of the list of failures.
#[tokio::test]
async fn a_message_seen_before_is_a_duplicate_and_tells_nobody_again() {
    let fixture = store().await;
    fixture.accept(1000, "m1", vec![to("ann")]).await;
    fixture.accept(1000, "m2", Vec::new()).await;
    assert_eq!(fixture.accept(2000, "m1", vec![to("ann"), to("bob")]).await, Acceptance::Duplicate);
    assert_eq!(fixture.accept(2000, "m2", vec![to("ann")]).await, Acceptance::Duplicate);
    assert_eq!(fixture.books().await.accepted, 1);
}

/// Row 4 of the list of failures.
#[tokio::test]
async fn another_content_under_a_known_id_is_a_conflict_and_the_first_stands() {
    let fixture = store().await;
    fixture.accept(1000, "m1", vec![to("ann")]).await;
    let mut other = message("m1", vec![to("bob")]);
    other.digest = [9; 32];
    assert_eq!(fixture.store.accept(other, at(2000)).await.unwrap(), Acceptance::Conflict);
    assert_eq!(fixture.rows().await.len(), 1);
}

#[tokio::test]
async fn calls_at_the_same_time_each_get_their_own_answer() {
    let fixture = store().await;
    let mut conflicting = message("m1", vec![to("bob")]);
    conflicting.digest = [9; 32];
    let (first, second, third, other) = tokio::join!(
        fixture.store.accept(message("m1", vec![to("ann")]), at(1)),
        fixture.store.accept(message("m1", vec![to("ann")]), at(1)),
        fixture.store.accept(conflicting, at(1)),
        fixture.store.accept(message("m2", vec![to("ann"), to("bob"), to("cy")]), at(1)),
    );
    assert_eq!(first.unwrap(), Acceptance::New { deliveries: 1 });
    assert_eq!(second.unwrap(), Acceptance::Duplicate);
    assert_eq!(third.unwrap(), Acceptance::Conflict);
    assert_eq!(other.unwrap(), Acceptance::New { deliveries: 3 });
    assert_eq!(fixture.books().await.accepted, 4);
}

#[tokio::test]
async fn an_address_gets_a_message_once_per_channel_whoever_named_it() {
    let fixture = store().await;
    let list = |user: &str| Recipient { address: "list@example.org".into(), ..to(user) };
    let irc = Recipient { channel: "irc".into(), ..list("ann") };
    let accepted = fixture.accept(1, "m1", vec![list("ann"), list("bob"), irc]).await;
    assert_eq!(accepted, Acceptance::New { deliveries: 2 });
    let books = fixture.store.books().await.unwrap();
    assert_eq!((books["email"].accepted, books["irc"].accepted), (1, 1));
}

#[tokio::test]
async fn a_oneshot_filter_fires_for_one_message_at_all_its_addresses() {
    let fixture = store().await;
    let mut wish = subscription("ann", &["a@x", "b@x"]);
    wish.filters = vec![filter("mine", false), filter("once", true)];
    fixture.store.put_subscription(&wish, at(1)).await.unwrap();
    let once = |address: &str| Recipient { address: address.into(), filter: "once".into(), oneshot: true, ..to("ann") };
    // Both in one group, and a third by itself, as a matcher with old rules would send it.
    let (first, second) = tokio::join!(
        fixture.store.accept(message("m1", vec![once("a@x"), once("b@x")]), at(2)),
        fixture.store.accept(message("m2", vec![once("a@x"), once("b@x"), to("bob")]), at(2)),
    );
    assert_eq!(first.unwrap(), Acceptance::New { deliveries: 2 });
    assert_eq!(second.unwrap(), Acceptance::New { deliveries: 1 });
    assert_eq!(fixture.accept(3, "m3", vec![once("a@x")]).await, Acceptance::New { deliveries: 0 });
    let stored = fixture.store.subscriptions_of("ann").await.unwrap();
    let active: Vec<bool> = stored[0].filters.iter().map(|filter| filter.active).collect();
    assert_eq!(active, [true, false]);
}

#[tokio::test]
async fn a_duplicate_does_not_fire_a_oneshot_filter() {
    let fixture = store().await;
    let wish = subscription("ann", &["ann@example.org"]);
    fixture.accept(1, "m1", vec![to("bob")]).await;
    let mut wish = wish;
    wish.filters = vec![filter("once", true)];
    fixture.store.put_subscription(&wish, at(1)).await.unwrap();
    let once = Recipient { filter: "once".into(), oneshot: true, ..to("ann") };
    assert_eq!(fixture.accept(2, "m1", vec![once.clone()]).await, Acceptance::Duplicate);
    assert_eq!(fixture.accept(3, "m2", vec![once]).await, Acceptance::New { deliveries: 1 });
}

/// Row 44 of the list of failures: between match and accept.
#[tokio::test]
async fn a_destination_given_up_after_the_match_is_left_out() {
    let fixture = store().await;
    let elsewhere = subscription("ann", &["new@example.org"]);
    let mut off = subscription("bob", &["bob@example.org"]);
    off.enabled = false;
    let fine = subscription("cy", &["cy@example.org"]);
    let deleted = subscription("dee", &["dee@example.org"]);
    for wish in [&elsewhere, &off, &fine, &deleted] {
        fixture.store.put_subscription(wish, at(1)).await.unwrap();
    }
    fixture.store.delete_subscription("dee", "email", at(2)).await.unwrap();
    let told = vec![to("ann"), to("bob"), to("cy"), to("dee"), to("eve")];
    assert_eq!(fixture.accept(3, "m1", told).await, Acceptance::New { deliveries: 2 });
    let told: Vec<String> = fixture.rows().await.into_iter().map(|row| row.user).collect();
    assert_eq!(told, ["cy", "eve"]);
}

#[tokio::test]
async fn a_message_with_more_recipients_than_one_statement_takes_is_accepted_whole() {
    let fixture = store().await;
    let told = (0..2500).map(|n| to(&format!("user{n}"))).collect();
    assert_eq!(fixture.accept(1, "m1", told).await, Acceptance::New { deliveries: 2500 });
    assert_eq!(fixture.books().await.accepted, 2500);
}

#[tokio::test]
async fn a_message_that_the_schema_refuses_leaves_those_beside_it_alone() {
    let fixture = store().await;
    let nobody = Recipient { user: String::new(), ..to("ann") };
    let (good, bad, also_good) = tokio::join!(
        fixture.store.accept(message("m1", vec![to("ann")]), at(1)),
        fixture.store.accept(message("m2", vec![to("ann"), nobody]), at(1)),
        fixture.store.accept(message("m3", vec![to("ann")]), at(1)),
    );
    assert_eq!(good.unwrap(), Acceptance::New { deliveries: 1 });
    assert!(matches!(bad, Err(tidings_store::StoreError::Refused { .. })), "{bad:?}");
    assert_eq!(also_good.unwrap(), Acceptance::New { deliveries: 1 });
    assert_eq!(fixture.rows().await.len(), 2, "nothing of the refused message is left");
}

#[tokio::test]
async fn a_users_deliveries_are_listed_whether_they_wait_or_are_over() {
    let fixture = store().await;
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
