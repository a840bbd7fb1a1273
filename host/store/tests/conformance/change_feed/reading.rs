//! Reading the feed: pages, readers that are behind, and a cache that never misses a change.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tidings_domain::delivery::Recipient;
use tidings_domain::subscription::Subscription;
use tidings_store::limits::{CHANGES_KEPT, CHANGES_PAGE, CHANGES_SINGLY};
use tidings_store::{Change, ChangeFeed, Changes, Maintenance, Outbox, Revision, SubscriptionStore};

use super::{FeedBackend, changes_after, user};
use crate::backend::Fixture;
use crate::samples::{at, filter, message, subscription, to};

type Cache = BTreeMap<String, Vec<Subscription>>;

/// What a cache does at start: a position in the feed first, then everything, in small pages.
async fn load<S: ChangeFeed + SubscriptionStore + ?Sized>(store: &S) -> (Cache, Revision) {
    let position = store.revision().await.unwrap();
    let (mut cache, mut after) = (Cache::new(), None::<String>);
    while let page = store.subscription_page_of_users(after.as_deref(), 3).await.unwrap()
        && let Some(last) = page.last()
    {
        after = Some(last.user.clone());
        for row in &page {
            cache.entry(row.user.clone()).or_default().push(row.read().unwrap());
        }
    }
    (cache, position)
}

/// Applies the changes after `position`.
async fn catch_up<S: ChangeFeed + SubscriptionStore + ?Sized>(
    store: &S,
    cache: &mut Cache,
    mut position: Revision,
) -> Revision {
    loop {
        let (changes, upto) = changes_after(store, position).await;
        if changes.is_empty() {
            return position;
        }
        for change in changes {
            let Change::User(user) = change else { panic!("{change:?}") };
            match store.subscriptions_of(&user).await.unwrap() {
                none if none.is_empty() => cache.remove(&user),
                some => cache.insert(user, some),
            };
        }
        position = upto;
    }
}

pub async fn each_change_is_listed_once_at_its_latest_position_and_pages_continue<B: FeedBackend>() {
    let fixture = Fixture::<B>::new().await;
    let store = fixture.store.as_ref();
    let start = store.revision().await.unwrap();
    for name in ["ann", "bob", "ann", "cy", "bob"] {
        store.put_subscription(&subscription(name, &[]), at(1)).await.unwrap();
    }
    assert_eq!(changes_after(store, start).await.0, [user("ann"), user("cy"), user("bob")]);
    let names: Vec<String> = (0..CHANGES_PAGE).map(|n| format!("u{n:04}")).collect();
    for names in names.chunks(CHANGES_SINGLY) {
        let some: Vec<Subscription> = names.iter().map(|name| subscription(name, &[])).collect();
        store.put_subscriptions(&some, at(1)).await.unwrap();
    }
    let (first, position) = changes_after(store, start).await;
    let (second, end) = changes_after(store, position).await;
    assert_eq!(first.len() + second.len(), 3 + CHANGES_PAGE as usize);
    assert_eq!(second.last(), Some(&user("u0999")));
    assert_eq!(changes_after(store, end).await, (vec![], end));
}

pub async fn a_reader_that_is_too_far_behind_reads_everything<B: FeedBackend>() {
    let fixture = Fixture::<B>::new().await;
    let store = fixture.store.as_ref();
    let old = store.revision().await.unwrap();
    let day = u64::try_from(CHANGES_KEPT.as_millis()).unwrap();
    let put = async |name: &str, now| store.put_subscription(&subscription(name, &[]), at(now)).await.unwrap();
    put("ann", 1000).await;
    let recent = store.revision().await.unwrap();
    put("bob", 1000 + day).await;
    store.prune(at(0)).await.unwrap();
    assert_eq!(changes_after(store, recent).await.0, [user("bob")], "a day is kept");
    let latest = store.revision().await.unwrap();
    assert_eq!(store.changes(old).await.unwrap(), Changes::Everything { upto: latest });
    put("cy", 1001 + 2 * day).await;
    store.prune(at(0)).await.unwrap();
    let newest = store.revision().await.unwrap();
    assert_eq!(store.changes(latest).await.unwrap(), Changes::Everything { upto: newest });
    assert_eq!(changes_after(store, newest).await.0, []);
    // A position of another database, as after a restore from a backup.
    let other = Fixture::<B>::new().await;
    let behind_its_end = other.store.changes(newest).await.unwrap();
    assert_eq!(behind_its_end, Changes::Everything { upto: other.store.revision().await.unwrap() });
}

pub async fn what_another_process_changes_is_in_the_feed<B: FeedBackend>() {
    let fixture = Fixture::<B>::new().await;
    let tool = fixture.backend.open_beside().await;
    let start = fixture.store.revision().await.unwrap();
    tool.put_subscription(&subscription("ann", &[]), at(1)).await.unwrap();
    assert_eq!(changes_after(fixture.store.as_ref(), start).await.0, [user("ann")]);
    tool.close().await;
}

pub async fn a_cache_that_loads_while_others_write_equals_the_store_in_the_end<B: FeedBackend>() {
    const WRITERS: usize = 3;
    let fixture = Fixture::<B>::new().await;
    let working = Arc::new(AtomicUsize::new(WRITERS));
    for writer in 0..WRITERS {
        let (store, working) = (Arc::clone(&fixture.store), Arc::clone(&working));
        tokio::spawn(async move {
            for n in 0..300 {
                let name = format!("u{:02}", (n * 7 + writer * 5) % 23);
                let mut desired = subscription(&name, &["a@x"]);
                desired.channel = ["email", "irc"][n % 2].into();
                desired.filters = vec![filter(&format!("{writer} {n}"), true)];
                if n % 5 == 4 {
                    store.delete_subscription(&name, &desired.channel, at(1)).await.unwrap();
                } else {
                    store.put_subscription(&desired, at(1)).await.unwrap();
                }
                let recipient = Recipient {
                    channel: desired.channel,
                    address: "a@x".into(),
                    filter: format!("{writer} {n}"),
                    oneshot: true,
                    ..to(&name)
                };
                store.accept(message(&format!("{writer} {n}"), vec![recipient]), at(2)).await.unwrap();
            }
            working.fetch_sub(1, Ordering::SeqCst);
        });
    }
    let (mut early, mut position) = load(fixture.store.as_ref()).await;
    let mut rounds = 0;
    loop {
        let last = working.load(Ordering::SeqCst) == 0;
        let (mut cache, start) = load(fixture.store.as_ref()).await;
        catch_up(fixture.store.as_ref(), &mut cache, start).await;
        position = catch_up(fixture.store.as_ref(), &mut early, position).await;
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

/// Instantiates this suite for a backend.
macro_rules! suite {
    ($backend:ty) => {
        cases! { $backend, [crate::change_feed::reading]:
            each_change_is_listed_once_at_its_latest_position_and_pages_continue,
            a_reader_that_is_too_far_behind_reads_everything,
            what_another_process_changes_is_in_the_feed,
        }

        #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
        async fn a_cache_that_loads_while_others_write_equals_the_store_in_the_end() {
            crate::change_feed::reading::a_cache_that_loads_while_others_write_equals_the_store_in_the_end::<$backend>(
            )
            .await;
        }
    };
}
pub(crate) use suite;
