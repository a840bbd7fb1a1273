//! Accepting messages: each once, with a delivery for every recipient.

use tidings_domain::delivery::{Acceptance, Recipient};
use tidings_store::{DeliveryStore, Outbox, SubscriptionStore};

use super::OutboxBackend;
use crate::backend::Fixture;
use crate::samples::{at, filter, message, subscription, to};

pub async fn a_new_message_is_stored_with_its_deliveries<B: OutboxBackend>() {
    let fixture = Fixture::<B>::new().await;
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
pub async fn a_message_seen_before_is_a_duplicate_and_adds_no_delivery<B: OutboxBackend>() {
    let fixture = Fixture::<B>::new().await;
    fixture.accept(1000, "m1", vec![to("ann")]).await;
    fixture.accept(1000, "m2", Vec::new()).await;
    assert_eq!(fixture.accept(2000, "m1", vec![to("ann"), to("bob")]).await, Acceptance::Duplicate);
    assert_eq!(fixture.accept(2000, "m2", vec![to("ann")]).await, Acceptance::Duplicate);
    assert_eq!(fixture.books().await.accepted, 1);
}

/// Row 4 of the list of failures.
pub async fn another_content_under_a_known_id_is_a_conflict_and_changes_nothing<B: OutboxBackend>() {
    let fixture = Fixture::<B>::new().await;
    fixture.accept(1000, "m1", vec![to("ann")]).await;
    let mut other = message("m1", vec![to("bob")]);
    other.digest = [9; 32];
    assert_eq!(fixture.store.accept(other, at(2000)).await.unwrap(), Acceptance::Conflict);
    assert_eq!(fixture.rows().await.len(), 1);
}

pub async fn calls_at_the_same_time_each_get_their_own_answer<B: OutboxBackend>() {
    let fixture = Fixture::<B>::new().await;
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

pub async fn an_address_gets_a_message_once_per_channel<B: OutboxBackend>() {
    let fixture = Fixture::<B>::new().await;
    let list = |user: &str| Recipient { address: "list@example.org".into(), ..to(user) };
    let irc = Recipient { channel: "irc".into(), ..list("ann") };
    let accepted = fixture.accept(1, "m1", vec![list("ann"), list("bob"), irc]).await;
    assert_eq!(accepted, Acceptance::New { deliveries: 2 });
    let books = fixture.store.books().await.unwrap();
    assert_eq!((books["email"].accepted, books["irc"].accepted), (1, 1));
}

pub async fn a_oneshot_filter_fires_for_one_message_at_all_its_addresses<B: OutboxBackend>() {
    let fixture = Fixture::<B>::new().await;
    let mut desired = subscription("ann", &["a@x", "b@x"]);
    desired.filters = vec![filter("mine", false), filter("once", true)];
    fixture.store.put_subscription(&desired, at(1)).await.unwrap();
    let once = |address: &str| Recipient { address: address.into(), filter: "once".into(), oneshot: true, ..to("ann") };
    // Two in one transaction, and a third later, as a matcher with old rules would send it.
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

pub async fn a_duplicate_does_not_fire_a_oneshot_filter<B: OutboxBackend>() {
    let fixture = Fixture::<B>::new().await;
    let desired = subscription("ann", &["ann@example.org"]);
    fixture.accept(1, "m1", vec![to("bob")]).await;
    let mut desired = desired;
    desired.filters = vec![filter("once", true)];
    fixture.store.put_subscription(&desired, at(1)).await.unwrap();
    let once = Recipient { filter: "once".into(), oneshot: true, ..to("ann") };
    assert_eq!(fixture.accept(2, "m1", vec![once.clone()]).await, Acceptance::Duplicate);
    assert_eq!(fixture.accept(3, "m2", vec![once]).await, Acceptance::New { deliveries: 1 });
}

/// Row 44 of the list of failures: between match and accept.
pub async fn a_destination_removed_after_the_match_is_left_out<B: OutboxBackend>() {
    let fixture = Fixture::<B>::new().await;
    let elsewhere = subscription("ann", &["new@example.org"]);
    let mut off = subscription("bob", &["bob@example.org"]);
    off.enabled = false;
    let fine = subscription("cy", &["cy@example.org"]);
    let deleted = subscription("dee", &["dee@example.org"]);
    for desired in [&elsewhere, &off, &fine, &deleted] {
        fixture.store.put_subscription(desired, at(1)).await.unwrap();
    }
    fixture.store.delete_subscription("dee", "email", at(2)).await.unwrap();
    let recipients = vec![to("ann"), to("bob"), to("cy"), to("dee"), to("eve")];
    assert_eq!(fixture.accept(3, "m1", recipients).await, Acceptance::New { deliveries: 2 });
    let accepted: Vec<String> = fixture.rows().await.into_iter().map(|row| row.user).collect();
    assert_eq!(accepted, ["cy", "eve"]);
}

pub async fn a_message_with_more_recipients_than_one_statement_takes_is_accepted_whole<B: OutboxBackend>() {
    let fixture = Fixture::<B>::new().await;
    let recipients = (0..2500).map(|n| to(&format!("user{n}"))).collect();
    assert_eq!(fixture.accept(1, "m1", recipients).await, Acceptance::New { deliveries: 2500 });
    assert_eq!(fixture.books().await.accepted, 2500);
}

pub async fn a_refused_message_does_not_affect_others_in_its_transaction<B: OutboxBackend>() {
    let fixture = Fixture::<B>::new().await;
    let invalid = Recipient { user: String::new(), ..to("ann") };
    let (good, bad, also_good) = tokio::join!(
        fixture.store.accept(message("m1", vec![to("ann")]), at(1)),
        fixture.store.accept(message("m2", vec![to("ann"), invalid]), at(1)),
        fixture.store.accept(message("m3", vec![to("ann")]), at(1)),
    );
    assert_eq!(good.unwrap(), Acceptance::New { deliveries: 1 });
    assert!(matches!(bad, Err(tidings_store::StoreError::Refused { .. })), "{bad:?}");
    assert_eq!(also_good.unwrap(), Acceptance::New { deliveries: 1 });
    assert_eq!(fixture.rows().await.len(), 2, "nothing of the refused message is stored");
}

/// Instantiates this suite for a backend.
macro_rules! suite {
    ($backend:ty) => {
        cases! { $backend, [crate::outbox::accept]:
            a_new_message_is_stored_with_its_deliveries,
            a_message_seen_before_is_a_duplicate_and_adds_no_delivery,
            another_content_under_a_known_id_is_a_conflict_and_changes_nothing,
            calls_at_the_same_time_each_get_their_own_answer,
            an_address_gets_a_message_once_per_channel,
            a_oneshot_filter_fires_for_one_message_at_all_its_addresses,
            a_duplicate_does_not_fire_a_oneshot_filter,
            a_destination_removed_after_the_match_is_left_out,
            a_message_with_more_recipients_than_one_statement_takes_is_accepted_whole,
            a_refused_message_does_not_affect_others_in_its_transaction,
        }
    };
}
pub(crate) use suite;
