//! The feed of changes: each one is told with its commit, and whoever follows the feed misses none.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tidings_domain::acl::{AclTable, Holders};
use tidings_domain::delivery::{Acceptance, Recipient};
use tidings_domain::subscription::{Edit, Subscription};
use tidings_store::limits::{CHANGES_KEPT, CHANGES_PAGE, CHANGES_SINGLY};
use tidings_store::{Change, Changes, Revision, Store, StoreError};

use crate::fixture::{Fixture, at, delivered, filter, gone, store, subscription, to};
use crate::setup::channel;

/// What lies behind a place, which the feed must still reach.
async fn behind(store: &dyn Store, after: Revision) -> (Vec<Change>, Revision) {
    match store.changes(after).await.unwrap() {
        Changes::These { changes, upto } => (changes, upto),
        Changes::Everything { .. } => panic!("the feed does not reach back"),
    }
}

/// Follows the feed while a test changes things.
struct Follower<'a> {
    fixture: &'a Fixture,
    place: Revision,
}

impl<'a> Follower<'a> {
    async fn new(fixture: &'a Fixture) -> Follower<'a> {
        Follower { fixture, place: fixture.store.revision().await.unwrap() }
    }

    /// What was told since the last time; callers in this process were woken for it, and only for it.
    async fn told(&mut self) -> Vec<Change> {
        let (changes, upto) = behind(self.fixture.store.as_ref(), self.place).await;
        assert_eq!(*self.fixture.store.changed().borrow(), upto);
        assert_eq!(self.fixture.store.revision().await.unwrap(), upto);
        assert_eq!(upto > self.place, !changes.is_empty());
        self.place = upto;
        changes
    }
}

fn user(name: &str) -> Change {
    Change::User(name.into())
}

/// FMN changed preferences without a word to its workers (renaming a filter, deleting all of them), which went on
/// matching what was gone.
#[tokio::test]
async fn o3_each_mutation_of_a_subscription_is_told_and_nothing_else() {
    let fixture = store().await;
    let store = fixture.store.as_ref();
    let mut follower = Follower::new(&fixture).await;
    let mut wish = subscription("ann", &["ann@example.org", "b@x"]);
    store.put_subscription(&wish, at(1)).await.unwrap();
    assert_eq!(follower.told().await, [user("ann")], "made");
    wish.filters = vec![filter("renamed", false)];
    store.put_subscription(&wish, at(2)).await.unwrap();
    assert_eq!(follower.told().await, [user("ann")], "a filter renamed");
    wish.filters.clear();
    store.put_subscription(&wish, at(3)).await.unwrap();
    assert_eq!(follower.told().await, [user("ann")], "all filters deleted");
    for (edit, told) in [
        (Edit::Enable(false), vec![user("ann")]),
        (Edit::Enable(false), vec![]),
        (Edit::Enable(true), vec![user("ann")]),
        (Edit::RemoveAddress("b@x".into()), vec![user("ann")]),
        (Edit::RemoveAddress("b@x".into()), vec![]),
    ] {
        store.edit_subscription("ann", "email", &edit, at(4)).await.unwrap();
        assert_eq!(follower.told().await, told, "{edit:?}");
    }
    for (settlement, told) in [
        (delivered(), vec![]),
        (gone(Some("ann@example.org")), vec![]),
        (gone(Some("new@x")), vec![user("ann")]),
        (gone(None), vec![user("ann")]),
    ] {
        let wanted = store.subscriptions_of("ann").await.unwrap()[0].addresses[0].clone();
        let id = format!("{settlement:?}");
        fixture.accept(100, &id, vec![Recipient { address: wanted, ..to("ann") }]).await;
        let lease = fixture.lease(200, 1).await.remove(0);
        assert_eq!(follower.told().await, [], "accepting and leasing change no rules");
        fixture.settle(lease, settlement, 200).await;
        assert_eq!(follower.told().await, told, "{id}");
        for lease in fixture.lease(200, 10).await {
            fixture.settle(lease, delivered(), 200).await;
        }
    }
    store.delete_subscription("ann", "email", at(300)).await.unwrap();
    assert_eq!(follower.told().await, [user("ann")], "deleted");
    store.delete_subscription("ann", "email", at(300)).await.unwrap();
    store.prune(at(100_000)).await.unwrap();
    assert_eq!(follower.told().await, [], "it was gone already");
}

#[tokio::test]
async fn a_oneshot_filter_that_fires_is_told_with_the_message_that_fires_it() {
    let fixture = store().await;
    let mut wish = subscription("ann", &["ann@example.org"]);
    wish.filters = vec![filter("once", true)];
    fixture.store.put_subscription(&wish, at(1)).await.unwrap();
    let mut follower = Follower::new(&fixture).await;
    let once = Recipient { filter: "once".into(), oneshot: true, ..to("ann") };
    fixture.accept(2, "m1", vec![once.clone(), to("bob")]).await;
    assert_eq!(follower.told().await, [user("ann")]);
    assert_eq!(fixture.accept(3, "m2", vec![once]).await, Acceptance::New { deliveries: 0 });
    assert_eq!(follower.told().await, []);
}

#[tokio::test]
async fn access_lists_and_channels_are_told() {
    let fixture = store().await;
    let store = fixture.store.as_ref();
    let mut follower = Follower::new(&fixture).await;
    let lists = |packages: usize| AclTable {
        packages: (0..packages).map(|n| (format!("p{n:04}"), Holders::default())).collect(),
        groups: [("g".to_owned(), ["ann".to_owned()].into())].into(),
    };
    store.put_access_lists(&lists(2), at(1)).await.unwrap();
    let package = |name: &str| Change::Package(name.into());
    assert_eq!(follower.told().await, [package("p0000"), package("p0001"), Change::Group("g".into())]);
    store.delete_package("p0001", at(2)).await.unwrap();
    store.delete_package("p0001", at(2)).await.unwrap();
    assert_eq!(follower.told().await, [package("p0001")]);
    store.delete_group("g", at(2)).await.unwrap();
    assert_eq!(follower.told().await, [Change::Group("g".into())]);
    store.replace_access_lists(&lists(1), at(3)).await.unwrap();
    assert_eq!(follower.told().await, [Change::AllAccessLists]);
    store.put_access_lists(&lists(CHANGES_SINGLY), at(4)).await.unwrap();
    assert_eq!(follower.told().await, [Change::AllAccessLists], "so many are told as one");
    store.put_channel(&channel("email"), at(5)).await.unwrap();
    assert_eq!(follower.told().await, [Change::Channel("email".into())]);
    let many = |n: usize| (0..n).map(|n| subscription(&format!("u{n:04}"), &[])).collect::<Vec<_>>();
    store.put_subscriptions(&many(CHANGES_SINGLY + 1), at(6)).await.unwrap();
    assert_eq!(follower.told().await, [Change::AllSubscriptions]);
    store.put_subscriptions(&many(2), at(6)).await.unwrap();
    assert_eq!(follower.told().await, [user("u0000"), user("u0001")]);
}

#[tokio::test]
async fn what_is_refused_is_not_told() {
    let fixture = store().await;
    let mut follower = Follower::new(&fixture).await;
    let nobody = subscription("", &["a@x"]);
    let refused = fixture.store.put_subscriptions(&[subscription("ann", &[]), nobody], at(1)).await;
    assert!(matches!(refused, Err(StoreError::Refused { .. })), "{refused:?}");
    let unnamed = AclTable { packages: [(String::new(), Holders::default())].into(), ..AclTable::default() };
    let refused = fixture.store.replace_access_lists(&unnamed, at(1)).await;
    assert!(matches!(refused, Err(StoreError::Refused { .. })), "{refused:?}");
    assert_eq!(follower.told().await, []);
}

#[tokio::test]
async fn each_is_told_once_at_its_latest_place_and_a_page_continues_the_one_before() {
    let fixture = store().await;
    let store = fixture.store.as_ref();
    let start = store.revision().await.unwrap();
    for name in ["ann", "bob", "ann", "cy", "bob"] {
        store.put_subscription(&subscription(name, &[]), at(1)).await.unwrap();
    }
    assert_eq!(behind(store, start).await.0, [user("ann"), user("cy"), user("bob")]);
    let names: Vec<String> = (0..CHANGES_PAGE).map(|n| format!("u{n:04}")).collect();
    for names in names.chunks(CHANGES_SINGLY) {
        let some: Vec<Subscription> = names.iter().map(|name| subscription(name, &[])).collect();
        store.put_subscriptions(&some, at(1)).await.unwrap();
    }
    let (first, place) = behind(store, start).await;
    let (second, end) = behind(store, place).await;
    assert_eq!(first.len() + second.len(), 3 + CHANGES_PAGE as usize);
    assert_eq!(second.last(), Some(&user("u0999")));
    assert_eq!(behind(store, end).await, (vec![], end));
}

#[tokio::test]
async fn a_reader_who_was_away_too_long_is_told_to_read_everything() {
    let fixture = store().await;
    let store = fixture.store.as_ref();
    let old = store.revision().await.unwrap();
    let day = u64::try_from(CHANGES_KEPT.as_millis()).unwrap();
    let put = async |name: &str, now| store.put_subscription(&subscription(name, &[]), at(now)).await.unwrap();
    put("ann", 1000).await;
    let recent = store.revision().await.unwrap();
    put("bob", 1000 + day).await;
    store.prune(at(0)).await.unwrap();
    assert_eq!(behind(store, recent).await.0, [user("bob")], "a day is kept");
    let latest = store.revision().await.unwrap();
    assert_eq!(store.changes(old).await.unwrap(), Changes::Everything { upto: latest });
    put("cy", 1001 + 2 * day).await;
    store.prune(at(0)).await.unwrap();
    let newest = store.revision().await.unwrap();
    assert_eq!(store.changes(latest).await.unwrap(), Changes::Everything { upto: newest });
    assert_eq!(behind(store, newest).await.0, []);
    // A place of a database that was put in this one's stead from a backup.
    let other = crate::fixture::store().await;
    let behind_its_end = other.store.changes(newest).await.unwrap();
    assert_eq!(behind_its_end, Changes::Everything { upto: other.store.revision().await.unwrap() });
}

#[tokio::test]
async fn what_another_process_changes_is_in_the_feed() {
    let fixture = store().await;
    let tool = fixture.tool().await;
    let start = fixture.store.revision().await.unwrap();
    tool.put_subscription(&subscription("ann", &[]), at(1)).await.unwrap();
    assert_eq!(behind(fixture.store.as_ref(), start).await.0, [user("ann")]);
    tool.close().await;
}

#[tokio::test]
async fn whoever_waits_is_woken_by_a_change_and_by_nothing_else() {
    let fixture = store().await;
    let mut changed = fixture.store.changed();
    changed.borrow_and_update();
    fixture.accept(1, "m1", vec![to("ann")]).await;
    fixture.store.check().await.unwrap();
    assert!(!changed.has_changed().unwrap());
    fixture.store.put_subscription(&subscription("ann", &[]), at(1)).await.unwrap();
    assert!(changed.has_changed().unwrap());
    let place = *changed.borrow_and_update();
    assert_eq!(place, fixture.store.revision().await.unwrap());
}

type Cache = BTreeMap<String, Vec<Subscription>>;

/// What a cache does at start: a place in the feed first, then everything, in small pages.
async fn load(store: &dyn Store) -> (Cache, Revision) {
    let place = store.revision().await.unwrap();
    let (mut cache, mut after) = (Cache::new(), None::<String>);
    while let page = store.subscription_page_of_users(after.as_deref(), 3).await.unwrap()
        && let Some(last) = page.last()
    {
        after = Some(last.user.clone());
        for row in &page {
            cache.entry(row.user.clone()).or_default().push(row.read().unwrap());
        }
    }
    (cache, place)
}

/// Applies what lies behind `place`.
async fn catch_up(store: &dyn Store, cache: &mut Cache, mut place: Revision) -> Revision {
    loop {
        let (changes, upto) = behind(store, place).await;
        if changes.is_empty() {
            return place;
        }
        for change in changes {
            let Change::User(user) = change else { panic!("{change:?}") };
            match store.subscriptions_of(&user).await.unwrap() {
                none if none.is_empty() => cache.remove(&user),
                some => cache.insert(user, some),
            };
        }
        place = upto;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_cache_that_loads_while_others_write_equals_the_store_in_the_end() {
    const WRITERS: usize = 3;
    let fixture = store().await;
    let working = Arc::new(AtomicUsize::new(WRITERS));
    for writer in 0..WRITERS {
        let (store, working) = (Arc::clone(&fixture.store), Arc::clone(&working));
        tokio::spawn(async move {
            for n in 0..300 {
                let name = format!("u{:02}", (n * 7 + writer * 5) % 23);
                let mut wish = subscription(&name, &["a@x"]);
                wish.channel = ["email", "irc"][n % 2].into();
                wish.filters = vec![filter(&format!("{writer} {n}"), true)];
                if n % 5 == 4 {
                    store.delete_subscription(&name, &wish.channel, at(1)).await.unwrap();
                } else {
                    store.put_subscription(&wish, at(1)).await.unwrap();
                }
                let told = Recipient {
                    channel: wish.channel,
                    address: "a@x".into(),
                    filter: format!("{writer} {n}"),
                    oneshot: true,
                    ..to(&name)
                };
                store.accept(crate::fixture::message(&format!("{writer} {n}"), vec![told]), at(2)).await.unwrap();
            }
            working.fetch_sub(1, Ordering::SeqCst);
        });
    }
    let (mut early, mut place) = load(fixture.store.as_ref()).await;
    let mut rounds = 0;
    loop {
        let last = working.load(Ordering::SeqCst) == 0;
        let (mut cache, start) = load(fixture.store.as_ref()).await;
        catch_up(fixture.store.as_ref(), &mut cache, start).await;
        place = catch_up(fixture.store.as_ref(), &mut early, place).await;
        rounds += 1;
        if last {
            let (truth, _) = load(fixture.store.as_ref()).await;
            assert_eq!(cache, truth);
            assert_eq!(early, truth);
            assert!(truth.len() > 5 && rounds > 3, "{} users, {rounds} rounds", truth.len());
            return;
        }
    }
}
