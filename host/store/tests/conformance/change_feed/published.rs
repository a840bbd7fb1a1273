//! What is published: each committed change, in its transaction, and nothing else.

use tidings_domain::acl::{AclTable, Holders};
use tidings_domain::delivery::{Acceptance, Recipient};
use tidings_domain::subscription::Edit;
use tidings_store::limits::CHANGES_SINGLY;
use tidings_store::{AccessListStore, Change, ChangeFeed, ChannelStore, Maintenance, StoreError, SubscriptionStore};

use super::{FeedBackend, Follower, user};
use crate::backend::Fixture;
use crate::samples::{at, channel, delivered, filter, gone, subscription, to};

/// FMN changed preferences without notifying its workers (renaming a filter, deleting all of them), which continued to
/// match what no longer existed.
pub async fn o3_each_mutation_of_a_subscription_is_published_and_nothing_else<B: FeedBackend>() {
    let fixture = Fixture::<B>::new().await;
    let store = fixture.store.as_ref();
    let mut follower = Follower::new(&fixture).await;
    let mut desired = subscription("ann", &["ann@example.org", "b@x"]);
    store.put_subscription(&desired, at(1)).await.unwrap();
    assert_eq!(follower.published().await, [user("ann")], "made");
    desired.filters = vec![filter("renamed", false)];
    store.put_subscription(&desired, at(2)).await.unwrap();
    assert_eq!(follower.published().await, [user("ann")], "a filter renamed");
    desired.filters.clear();
    store.put_subscription(&desired, at(3)).await.unwrap();
    assert_eq!(follower.published().await, [user("ann")], "all filters deleted");
    for (edit, published) in [
        (Edit::Enable(false), vec![user("ann")]),
        (Edit::Enable(false), vec![]),
        (Edit::Enable(true), vec![user("ann")]),
        (Edit::RemoveAddress("b@x".into()), vec![user("ann")]),
        (Edit::RemoveAddress("b@x".into()), vec![]),
    ] {
        store.edit_subscription("ann", "email", &edit, at(4)).await.unwrap();
        assert_eq!(follower.published().await, published, "{edit:?}");
    }
    for (settlement, published) in [
        (delivered(), vec![]),
        (gone(Some("ann@example.org")), vec![]),
        (gone(Some("new@x")), vec![user("ann")]),
        (gone(None), vec![user("ann")]),
    ] {
        let wanted = store.subscriptions_of("ann").await.unwrap()[0].addresses[0].clone();
        let id = format!("{settlement:?}");
        fixture.accept(100, &id, vec![Recipient { address: wanted, ..to("ann") }]).await;
        let lease = fixture.lease(200, 1).await.remove(0);
        assert_eq!(follower.published().await, [], "accepting and leasing change no rules");
        fixture.settle(lease, settlement, 200).await;
        assert_eq!(follower.published().await, published, "{id}");
        for lease in fixture.lease(200, 10).await {
            fixture.settle(lease, delivered(), 200).await;
        }
    }
    store.delete_subscription("ann", "email", at(300)).await.unwrap();
    assert_eq!(follower.published().await, [user("ann")], "deleted");
    store.delete_subscription("ann", "email", at(300)).await.unwrap();
    store.prune(at(100_000)).await.unwrap();
    assert_eq!(follower.published().await, [], "it was deleted already");
}

pub async fn a_oneshot_filter_that_fires_is_published_with_its_message<B: FeedBackend>() {
    let fixture = Fixture::<B>::new().await;
    let mut desired = subscription("ann", &["ann@example.org"]);
    desired.filters = vec![filter("once", true)];
    fixture.store.put_subscription(&desired, at(1)).await.unwrap();
    let mut follower = Follower::new(&fixture).await;
    let once = Recipient { filter: "once".into(), oneshot: true, ..to("ann") };
    fixture.accept(2, "m1", vec![once.clone(), to("bob")]).await;
    assert_eq!(follower.published().await, [user("ann")]);
    assert_eq!(fixture.accept(3, "m2", vec![once]).await, Acceptance::New { deliveries: 0 });
    assert_eq!(follower.published().await, []);
}

pub async fn access_lists_and_channels_are_published<B: FeedBackend>() {
    let fixture = Fixture::<B>::new().await;
    let store = fixture.store.as_ref();
    let mut follower = Follower::new(&fixture).await;
    let lists = |packages: usize| AclTable {
        packages: (0..packages).map(|n| (format!("p{n:04}"), Holders::default())).collect(),
        groups: [("g".to_owned(), ["ann".to_owned()].into())].into(),
    };
    store.put_access_lists(&lists(2), at(1)).await.unwrap();
    let package = |name: &str| Change::Package(name.into());
    assert_eq!(follower.published().await, [package("p0000"), package("p0001"), Change::Group("g".into())]);
    store.delete_package("p0001", at(2)).await.unwrap();
    store.delete_package("p0001", at(2)).await.unwrap();
    assert_eq!(follower.published().await, [package("p0001")]);
    store.delete_group("g", at(2)).await.unwrap();
    assert_eq!(follower.published().await, [Change::Group("g".into())]);
    store.replace_access_lists(&lists(1), at(3)).await.unwrap();
    assert_eq!(follower.published().await, [Change::AllAccessLists]);
    store.put_access_lists(&lists(CHANGES_SINGLY), at(4)).await.unwrap();
    assert_eq!(follower.published().await, [Change::AllAccessLists], "so many are published as one");
    store.put_channel(&channel("email"), at(5)).await.unwrap();
    assert_eq!(follower.published().await, [Change::Channel("email".into())]);
    let many = |n: usize| (0..n).map(|n| subscription(&format!("u{n:04}"), &[])).collect::<Vec<_>>();
    store.put_subscriptions(&many(CHANGES_SINGLY + 1), at(6)).await.unwrap();
    assert_eq!(follower.published().await, [Change::AllSubscriptions]);
    store.put_subscriptions(&many(2), at(6)).await.unwrap();
    assert_eq!(follower.published().await, [user("u0000"), user("u0001")]);
}

pub async fn a_refused_write_is_not_published<B: FeedBackend>() {
    let fixture = Fixture::<B>::new().await;
    let mut follower = Follower::new(&fixture).await;
    let invalid = subscription("", &["a@x"]);
    let refused = fixture.store.put_subscriptions(&[subscription("ann", &[]), invalid], at(1)).await;
    assert!(matches!(refused, Err(StoreError::Refused { .. })), "{refused:?}");
    let unnamed = AclTable { packages: [(String::new(), Holders::default())].into(), ..AclTable::default() };
    let refused = fixture.store.replace_access_lists(&unnamed, at(1)).await;
    assert!(matches!(refused, Err(StoreError::Refused { .. })), "{refused:?}");
    assert_eq!(follower.published().await, []);
}

pub async fn waiting_readers_are_woken_only_by_a_change<B: FeedBackend>() {
    let fixture = Fixture::<B>::new().await;
    let mut changed = fixture.store.changed();
    changed.borrow_and_update();
    fixture.accept(1, "m1", vec![to("ann")]).await;
    fixture.store.check().await.unwrap();
    assert!(!changed.has_changed().unwrap());
    fixture.store.put_subscription(&subscription("ann", &[]), at(1)).await.unwrap();
    assert!(changed.has_changed().unwrap());
    let position = *changed.borrow_and_update();
    assert_eq!(position, fixture.store.revision().await.unwrap());
}

/// Instantiates this suite for a backend.
macro_rules! suite {
    ($backend:ty) => {
        cases! { $backend, [crate::change_feed::published]:
            o3_each_mutation_of_a_subscription_is_published_and_nothing_else,
            a_oneshot_filter_that_fires_is_published_with_its_message,
            access_lists_and_channels_are_published,
            a_refused_write_is_not_published,
            waiting_readers_are_woken_only_by_a_change,
        }
    };
}
pub(crate) use suite;
