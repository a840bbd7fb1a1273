//! Files: damaged, new, shared, and left by a killed process.

use std::os::unix::fs::{FileExt as _, PermissionsExt as _};
use std::sync::Arc;

use tidings_domain::delivery::Acceptance;
use tidings_domain::outcome::Settlement;
use tidings_domain::subscription::{Style, Subscription};
use tokio::task::JoinSet;

use super::{Fixture, at, component, copy_database, execute, message, request};
use crate::{
    ComponentStore as _, DeliveryStore as _, Maintenance as _, Mode, Outbox as _, StoreError, SubscriptionStore as _,
    Token, TokenStore as _,
};

#[tokio::test]
async fn a_new_database_and_its_directory_are_created_for_the_owner_only() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("var/lib/tidings.db");
    let store = crate::open(&path, Mode::Daemon).await.unwrap();
    store.check().await.unwrap();
    for name in ["tidings.db", "tidings.db-wal", "tidings.db-shm", "tidings.db.lock"] {
        let mode = path.with_file_name(name).metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
    store.close().await;
}

#[tokio::test]
async fn an_error_names_a_directory_that_cannot_be_created() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("file"), "").unwrap();
    let refused = crate::open(&directory.path().join("file/tidings.db"), Mode::Daemon).await.err().unwrap();
    let StoreError::Unavailable { source, .. } = &refused else { panic!("{refused:?}") };
    assert!(source.to_string().contains(&*directory.path().join("file").to_string_lossy()), "{source}");
}

/// Row 18 of the list of failures.
#[tokio::test]
async fn a_second_daemon_is_refused_and_a_tool_works_beside_the_first() {
    let fixture = Fixture::new().await;
    let second = crate::open(&fixture.path(), Mode::Daemon).await.err();
    assert!(matches!(second, Some(StoreError::Locked { .. })), "{second:?}");
    let tool = crate::open(&fixture.path(), Mode::Tool).await.unwrap();
    let token = Token { id: "t".into(), name: "ops".into(), hash: [1; 32], created_at: at(1), expires_at: None };
    tool.put_token(&token).await.unwrap();
    assert_eq!(fixture.store.token("t").await.unwrap(), Some(token));
    tool.close().await;
    fixture.store.close().await;
    let next = crate::open(&fixture.path(), Mode::Daemon).await.unwrap();
    next.close().await;
}

#[tokio::test]
async fn a_tool_that_opens_first_does_not_exclude_a_daemon() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("tidings.db");
    let tool = crate::open(&path, Mode::Tool).await.unwrap();
    let daemon = crate::open(&path, Mode::Daemon).await.unwrap();
    tool.check().await.unwrap();
    daemon.check().await.unwrap();
}

/// Row 15 of the list of failures.
#[tokio::test]
async fn a_damaged_file_is_refused_and_not_changed() {
    let fixture = Fixture::new().await;
    for n in 0..50 {
        fixture.accept(&format!("m{n}"), "ann").await.unwrap();
    }
    fixture.store.close().await;
    let path = fixture.path();
    // The header of every page except the first, which has the schema, is overwritten.
    let file = std::fs::File::options().write(true).open(&path).unwrap();
    let pages = file.metadata().unwrap().len() / 4096;
    for page in 2..pages {
        file.write_all_at(&[0x5a; 64], page * 4096).unwrap();
    }
    drop(file);
    let before = std::fs::read(&path).unwrap();
    let refused = crate::open(&path, Mode::Daemon).await.err().unwrap();
    let StoreError::Corrupt { path: named, detail } = &refused else { panic!("{refused:?}") };
    assert_eq!(*named, path.display().to_string());
    assert!(!detail.is_empty());
    assert_eq!(std::fs::read(&path).unwrap(), before);
}

#[tokio::test]
async fn a_file_that_is_not_a_database_is_refused_and_not_changed() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("tidings.db");
    let text = "This is a letter, and a long one.\n".repeat(500);
    std::fs::write(&path, &text).unwrap();
    for mode in [Mode::Daemon, Mode::Tool] {
        let refused = crate::open(&path, mode).await.err();
        assert!(matches!(refused, Some(StoreError::Corrupt { .. })), "{refused:?}");
    }
    assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
}

/// Row 16 (b) and (c) of the list of failures: the files as a process leaves them that is killed at this moment.
#[tokio::test]
async fn answered_calls_survive_a_kill_at_any_moment() {
    const NEW: Acceptance = Acceptance::New { deliveries: 2 };
    let fixture = Fixture::new().await;
    let path = fixture.path();
    // The files are copied one after the other: they are consistent only while the log only grows.
    fixture.execute("PRAGMA wal_autocheckpoint = 0").await;
    let mut calls = JoinSet::new();
    for n in 0..400 {
        let store = Arc::clone(&fixture.store);
        calls.spawn(async move {
            tokio::time::sleep(std::time::Duration::from_micros(n * 100)).await;
            let id = format!("m{n}");
            assert_eq!(store.accept(message(&id, &["ann", "bob"], 100), at(1)).await.unwrap(), NEW);
            id
        });
    }
    let mut answered = Vec::new();
    while answered.len() < 150 {
        answered.push(calls.join_next().await.unwrap().unwrap());
    }
    let leases = fixture.lease(10).await;
    assert_eq!(leases.len(), 100);
    let (kept, settled): (Vec<_>, Vec<_>) = leases.into_iter().enumerate().partition(|(n, _)| *n < 30);
    let settled = settled.into_iter().map(|(_, lease)| (lease, Settlement::Delivered { receipt: None })).collect();
    fixture.store.settle(settled, at(20)).await.unwrap();

    let (_directory, copy) = copy_database(&path);
    let after = crate::open(&copy, Mode::Daemon).await.unwrap();
    assert_eq!(after.release_all().await.unwrap(), kept.len() as u64);
    let books = after.books().await.unwrap().remove("email").unwrap();
    assert!(books.balance() && books.delivered == 70 && books.accepted >= 300, "{books:?}");
    for id in &answered {
        assert_eq!(after.accept(message(id, &["ann"], 100), at(30)).await.unwrap(), Acceptance::Duplicate);
    }
    let mut request = request(30);
    request.max = 10_000;
    assert_eq!(after.lease(request).await.unwrap().len() as u64, books.pending);
    after.close().await;
}

#[tokio::test]
async fn a_component_whose_file_was_changed_is_not_returned() {
    let fixture = Fixture::new().await;
    let info = component(b"what was verified");
    fixture.store.put_component(&info, b"what was verified").await.unwrap();
    fixture.execute("UPDATE component_parts SET bytes = CAST('what was tampered' AS BLOB)").await;
    let refused = fixture.store.component_file(&info.digest).await;
    assert!(matches!(refused, Err(StoreError::Damaged { what: "component", .. })), "{refused:?}");
}

/// A tool may run as another user, and at the same time as a daemon that creates one.
#[tokio::test]
async fn only_the_daemon_creates_the_key_file() {
    let directory = tempfile::tempdir().unwrap();
    let (path, key) = (directory.path().join("tidings.db"), directory.path().join("secrets.key"));
    let tool = crate::open(&path, Mode::Tool).await.unwrap();
    tool.check().await.unwrap();
    assert!(!key.exists());
    let daemon = crate::open(&path, Mode::Daemon).await.unwrap();
    let made = std::fs::read(&key).unwrap();
    crate::open(&path, Mode::Tool).await.unwrap().close().await;
    assert_eq!(std::fs::read(&key).unwrap(), made);
    daemon.close().await;
}

#[tokio::test]
async fn a_subscription_that_cannot_be_read_does_not_stop_a_failure_policy() {
    let fixture = Fixture::new().await;
    let users = ["ann", "bob", "cat"];
    for user in users {
        fixture.accept(&format!("for-{user}"), user).await.unwrap();
        let there = Subscription {
            user: user.into(),
            channel: "irc".into(),
            enabled: true,
            addresses: vec![format!("{user}-nick")],
            digest: None,
            style: Style::default(),
            filters: Vec::new(),
        };
        fixture.store.put_subscription(&there, at(1)).await.unwrap();
    }
    fixture
        .execute(
            "INSERT INTO channels (name, component, enabled, updated_at, config, grants, limits, secrets) \
         VALUES ('irc', '', 1, 1, '{}', '{}', '{}', '{}')",
        )
        .await;
    fixture.execute("UPDATE subscriptions SET settings = 'nonsense' WHERE user = 'ann'").await;
    fixture.execute("UPDATE subscriptions SET addresses = 'nonsense' WHERE user = 'bob'").await;
    let moved = fixture.store.move_late("email", "irc", at(1_000_000), "by irc", at(2_000_000)).await.unwrap();
    assert_eq!(moved, 2, "those whose address can be read");
}

#[tokio::test]
async fn parts_of_an_unfinished_component_are_deleted_at_start() {
    let fixture = Fixture::new().await;
    fixture.store.close().await;
    let orphan = "INSERT INTO component_parts (digest, part, bytes) VALUES (printf('%064d', 1), 0, x'00')";
    execute(&fixture.path(), orphan).await;
    let daemon = crate::open(&fixture.path(), Mode::Daemon).await.unwrap();
    daemon.close().await;
    // Inserting the same part again shows that the first one is deleted.
    execute(&fixture.path(), orphan).await;
}
