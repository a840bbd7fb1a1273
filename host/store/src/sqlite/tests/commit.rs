//! Group commit, and what happens when a commit fails.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use sqlx::{ConnectOptions as _, Connection as _};
use tidings_domain::delivery::DeliveryState;
use tidings_domain::outcome::Settlement;
use tokio::task::JoinSet;

use super::{Fixture, at, message};
use crate::sqlite::database_file;
use crate::{DeliveryQuery, DeliveryStore as _, Maintenance as _, Outbox as _, StoreError};

/// Counts the commits of the writing connection from now on.
async fn count_commits(fixture: &Fixture) -> Arc<AtomicUsize> {
    let commits = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&commits);
    let hook = fixture.store.writer.write("is tested", move |connection| {
        Box::pin(async move {
            connection.lock_handle().await?.set_commit_hook(move || {
                counter.fetch_add(1, Ordering::Relaxed);
                true
            });
            Ok(())
        })
    });
    hook.await.unwrap();
    // The transaction that set the hook is not counted.
    commits.store(0, Ordering::Relaxed);
    commits
}

#[tokio::test]
async fn calls_at_the_same_time_share_transactions() {
    let fixture = Fixture::new().await;
    let commits = count_commits(&fixture).await;
    let mut calls = JoinSet::new();
    for n in 0..300 {
        let store = Arc::clone(&fixture.store);
        calls.spawn(async move { store.accept(message(&format!("m{n}"), &["ann"], 100), at(1)).await.unwrap() });
    }
    assert_eq!(calls.join_all().await.len(), 300);
    let shared = commits.swap(0, Ordering::Relaxed);
    assert!((1..=20).contains(&shared), "300 messages took {shared} commits");

    let mut calls = JoinSet::new();
    while let leases = fixture.lease(10).await
        && !leases.is_empty()
    {
        for lease in leases {
            let store = Arc::clone(&fixture.store);
            let delivered = Settlement::Delivered { receipt: None };
            calls.spawn(async move { store.settle(vec![(lease, delivered)], at(20)).await.unwrap() });
        }
    }
    commits.store(0, Ordering::Relaxed);
    assert_eq!(calls.join_all().await.len(), 300);
    let shared = commits.load(Ordering::Relaxed);
    assert!(shared <= 20, "300 outcomes took {shared} commits");
    assert_eq!(fixture.store.books().await.unwrap()["email"].delivered, 300);
}

/// The clock is paused and advances only to timers: the speed of the disk does not matter.
#[tokio::test(start_paused = true)]
async fn a_single_call_does_not_wait_for_others() {
    let fixture = Fixture::new().await;
    let started = tokio::time::Instant::now();
    for n in 0..20 {
        fixture.accept(&format!("m{n}"), "ann").await.unwrap();
    }
    assert_eq!(started.elapsed(), std::time::Duration::ZERO);
}

#[tokio::test]
async fn a_lease_request_that_finds_nothing_costs_no_commit() {
    let fixture = Fixture::new().await;
    let commits = count_commits(&fixture).await;
    assert!(fixture.lease(10).await.is_empty());
    assert_eq!(commits.load(Ordering::Relaxed), 0);
}

#[tokio::test]
async fn a_cancelled_call_leaves_nothing_half_done() {
    let fixture = Fixture::new().await;
    for n in 0..50 {
        let accept = fixture.store.accept(message(&format!("m{n}"), &["ann", "bob"], 0), at(1));
        let _ = tokio::time::timeout(std::time::Duration::from_micros(n * 20), accept).await;
    }
    fixture.store.check().await.unwrap();
    let rows = fixture.store.deliveries(DeliveryQuery { limit: 1000, ..DeliveryQuery::default() }).await.unwrap();
    assert_eq!(rows.len() % 2, 0, "a message has both its deliveries or none");
    assert!(fixture.store.books().await.unwrap().values().all(crate::Books::balance));
}

/// Row 13 of the list of failures.
#[tokio::test]
async fn a_full_disk_refuses_whole_calls_and_recovers_by_itself() {
    let fixture = Fixture::new().await;
    fixture.accept("first", "ann").await.unwrap();
    let lease = fixture.lease(10).await.remove(0);
    fixture.execute("PRAGMA max_page_count = 120").await;
    let mut taken = 0;
    let error = loop {
        match fixture.store.accept(message(&format!("m{taken}"), &["bob"], 20_000), at(1)).await {
            Ok(_) => taken += 1,
            Err(error) => break error,
        }
    };
    assert!(matches!(error, StoreError::Unavailable { .. }), "{error:?}");
    assert!(taken > 0);
    // Every call in the failed transaction gets the error, and nothing of it is stored.
    let (one, two) = tokio::join!(
        fixture.store.accept(message("big1", &["bob"], 200_000), at(1)),
        fixture.store.accept(message("big2", &["bob"], 200_000), at(1)),
    );
    for refused in [one, two] {
        assert!(matches!(refused, Err(StoreError::Unavailable { .. })), "{refused:?}");
    }
    let books = fixture.store.books().await.unwrap().remove("email").unwrap();
    assert!(books.balance());
    assert_eq!(books.accepted, 1 + taken);
    // A delivery that was leased before can be settled: it needs no new page.
    let delivered = Settlement::Delivered { receipt: None };
    fixture.store.settle(vec![(lease, delivered)], at(20)).await.unwrap();

    fixture.execute("PRAGMA max_page_count = 1000000").await;
    assert_eq!(fixture.accept("later", "ann").await.unwrap(), 1);
    fixture.store.check().await.unwrap();
    assert_eq!(fixture.store.books().await.unwrap()["email"].accepted, 2 + taken);
}

/// Row 14 of the list of failures.
#[tokio::test]
async fn a_database_locked_by_another_program_is_unavailable_and_then_works_again() {
    let fixture = Fixture::new().await;
    fixture.execute("PRAGMA busy_timeout = 20").await;
    let mut other = database_file::reading(&fixture.path()).read_only(false).connect().await.unwrap();
    sqlx::query("BEGIN IMMEDIATE").execute(&mut other).await.unwrap();
    let refused = fixture.accept("m1", "ann").await;
    assert!(matches!(refused, Err(StoreError::Unavailable { .. })), "{refused:?}");
    sqlx::query("ROLLBACK").execute(&mut other).await.unwrap();
    other.close().await.unwrap();
    assert_eq!(fixture.accept("m1", "ann").await.unwrap(), 1);
}

#[tokio::test]
async fn a_delivery_that_cannot_be_read_is_dead_and_does_not_stop_the_others() {
    let fixture = Fixture::new().await;
    fixture.accept("m1", "ann").await.unwrap();
    fixture.accept("m2", "bob").await.unwrap();
    fixture.accept("m3", "cy").await.unwrap();
    fixture.execute("UPDATE messages SET event = '{' WHERE id = 'm1'").await;
    fixture.execute("UPDATE messages SET event = CAST(x'ff' AS TEXT) WHERE id = 'm2'").await;
    let leases = fixture.lease(10).await;
    assert_eq!(leases.iter().map(|lease| lease.delivery().user.as_str()).collect::<Vec<_>>(), ["cy"]);
    let query = DeliveryQuery { state: Some(DeliveryState::Dead), limit: 10, ..DeliveryQuery::default() };
    let dead = fixture.store.deliveries(query).await.unwrap();
    assert_eq!(dead.iter().map(|row| row.user.as_str()).collect::<Vec<_>>(), ["bob", "ann"]);
    assert!(dead.iter().all(|row| row.note.as_deref() == Some("its stored message cannot be read")));
    assert!(fixture.store.books().await.unwrap()["email"].balance());
}

/// The books are counted as rows change, so that a lost row shows.
#[tokio::test]
async fn a_row_that_vanishes_unbalances_the_books() {
    let fixture = Fixture::new().await;
    fixture.accept("m1", "ann").await.unwrap();
    fixture.accept("m2", "ann").await.unwrap();
    assert!(fixture.store.books().await.unwrap()["email"].balance());
    fixture.execute("DELETE FROM deliveries WHERE message = 1").await;
    assert!(!fixture.store.books().await.unwrap()["email"].balance());
}
