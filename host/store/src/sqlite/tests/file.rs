//! Files: damaged, newer, older, new, shared, and left behind by a killed process.

use std::os::unix::fs::{FileExt as _, PermissionsExt as _};
use std::path::Path;
use std::sync::Arc;

use crate::limits::COMPONENT_PART_BYTES;
use sqlx::{ConnectOptions as _, Connection as _};
use tidings_domain::delivery::Acceptance;
use tidings_domain::outcome::Settlement;
use tidings_domain::subscription::{Style, Subscription};
use tokio::task::JoinSet;

use super::super::open;
use super::{Fixture, at, files_as_they_are, message, request};
use crate::{Change, Changes, ChannelLife as _, ComponentInfo, DeliveryQuery, Mode, Store as _, StoreError, Token};

/// Runs SQL on a database that nobody has open.
async fn execute(path: &Path, sql: &'static str) {
    let mut connection = open::reading(path).read_only(false).connect().await.unwrap();
    sqlx::query(sql).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
}

#[tokio::test]
async fn a_new_database_is_made_with_its_directory_for_its_owner_alone() {
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
async fn a_directory_that_cannot_be_made_is_named() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("file"), "").unwrap();
    let refused = crate::open(&directory.path().join("file/tidings.db"), Mode::Daemon).await.err().unwrap();
    let StoreError::Unavailable { source, .. } = &refused else { panic!("{refused:?}") };
    assert!(source.to_string().contains(&*directory.path().join("file").to_string_lossy()), "{source}");
}

/// Row 18 of the list of failures.
#[tokio::test]
async fn a_second_daemon_is_refused_while_a_tool_works_beside_the_first() {
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
async fn a_tool_may_be_the_first_and_keeps_no_daemon_out() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("tidings.db");
    let tool = crate::open(&path, Mode::Tool).await.unwrap();
    let daemon = crate::open(&path, Mode::Daemon).await.unwrap();
    tool.check().await.unwrap();
    daemon.check().await.unwrap();
}

/// Row 20 of the list of failures.
#[tokio::test]
async fn a_newer_schema_is_refused_and_left_alone() {
    let fixture = Fixture::new().await;
    fixture.store.close().await;
    execute(
        &fixture.path(),
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
         VALUES (9999, 'later', 1, x'00', 0)",
    )
    .await;
    let before = std::fs::read(fixture.path()).unwrap();
    for mode in [Mode::Daemon, Mode::Tool] {
        let refused = crate::open(&fixture.path(), mode).await.err();
        assert!(matches!(refused, Some(StoreError::Newer { found: 9999, .. })), "{refused:?}");
    }
    assert_eq!(std::fs::read(fixture.path()).unwrap(), before);
}

#[tokio::test]
async fn a_migration_that_was_edited_after_it_ran_is_noticed() {
    let fixture = Fixture::new().await;
    fixture.store.close().await;
    execute(&fixture.path(), "UPDATE _sqlx_migrations SET checksum = x'00'").await;
    let refused = crate::open(&fixture.path(), Mode::Daemon).await.err();
    assert!(matches!(refused, Some(StoreError::Damaged { what: "schema", .. })), "{refused:?}");
}

/// Row 15 of the list of failures.
#[tokio::test]
async fn a_damaged_file_is_refused_and_left_alone() {
    let fixture = Fixture::new().await;
    for n in 0..50 {
        fixture.accept(&format!("m{n}"), "ann").await.unwrap();
    }
    fixture.store.close().await;
    let path = fixture.path();
    // Every page but the first, which has the schema, loses the head that says what it is.
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
async fn a_file_that_is_no_database_is_refused_and_left_alone() {
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
async fn what_was_answered_survives_a_kill_at_any_moment() {
    let fixture = Fixture::new().await;
    let path = fixture.path();
    // Copied one after the other, the files are of one moment only while the log does nothing but grow.
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
    const NEW: Acceptance = Acceptance::New { deliveries: 2 };
    let mut answered = Vec::new();
    while answered.len() < 150 {
        answered.push(calls.join_next().await.unwrap().unwrap());
    }
    let leases = fixture.lease(10).await;
    assert_eq!(leases.len(), 100);
    let (kept, settled): (Vec<_>, Vec<_>) = leases.into_iter().enumerate().partition(|(n, _)| *n < 30);
    let settled = settled.into_iter().map(|(_, lease)| (lease, Settlement::Delivered { receipt: None })).collect();
    fixture.store.settle(settled, at(20)).await.unwrap();

    let (_directory, copy) = files_as_they_are(&path);
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

/// Row 16 (e) of the list of failures: a killed migration leaves no tables behind, or all of them.
#[tokio::test]
async fn a_database_without_its_first_migration_gets_it() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("tidings.db");
    std::fs::write(&path, "").unwrap();
    execute(&path, "PRAGMA user_version = 1").await;
    let store = crate::open(&path, Mode::Daemon).await.unwrap();
    store.check().await.unwrap();
    assert_eq!(store.books().await.unwrap().len(), 0);
}

#[tokio::test]
async fn a_database_of_the_first_version_keeps_what_it_holds() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("tidings.db");
    std::fs::write(&path, "").unwrap();
    let first = open::MIGRATIONS.iter().find(|migration| migration.version == 1).unwrap().clone();
    let mut connection = open::reading(&path).read_only(false).connect().await.unwrap();
    sqlx::migrate::Migrator::with_migrations(vec![first]).run(&mut connection).await.unwrap();
    for sql in [
        "INSERT INTO messages (id, topic, digest, seen_at, subtitle, event) VALUES ('m1', 't', zeroblob(32), 1, '', '{')",
        "INSERT INTO deliveries (id, message, channel, user, address, filter, style, accepted_at, not_before, due_at, \
         updated_at) VALUES (zeroblob(16), 1, 'email', 'ann', 'a@x', '', 0, 1, 1, 1, 1)",
        "INSERT INTO books_accepted (channel, n) VALUES ('email', 1)",
        "INSERT INTO books (channel, state, kept) VALUES ('email', 'pending', 1)",
        "INSERT INTO subscriptions (user, channel, enabled, updated_at, addresses, settings, filters) \
         VALUES ('ann', 'email', 1, 1, '[\"a@x\"]', '{\"style\": {}}', '[]')",
        "INSERT INTO plugin_state (channel, key, value) VALUES ('irc', 'ab', zeroblob(8)), ('irc', 'cd', zeroblob(8))",
    ] {
        sqlx::query(sql).execute(&mut connection).await.unwrap();
    }
    connection.close().await.unwrap();
    let store = crate::open(&path, Mode::Daemon).await.unwrap();
    assert_eq!(store.subscriptions_of("ann").await.unwrap()[0].addresses, ["a@x"]);
    let query = DeliveryQuery { user: Some("ann".into()), limit: 10, ..DeliveryQuery::default() };
    assert_eq!(store.deliveries(query).await.unwrap().len(), 1);
    assert!(store.books().await.unwrap()["email"].balance());
    assert!(!store.plugin_state_set("irc", "e", b"", 2, 99).await.unwrap(), "the two keys are counted");
    assert!(!store.plugin_state_set("irc", "ab", &[0; 9], 2, 20).await.unwrap(), "and their bytes");
    assert!(store.plugin_state_set("irc", "ab", &[0; 8], 2, 20).await.unwrap());
    let start = store.revision().await.unwrap();
    store.delete_subscription("ann", "email", at(2)).await.unwrap();
    let Changes::These { changes, .. } = store.changes(start).await.unwrap() else { panic!("the feed has no start") };
    assert_eq!(changes, [Change::User("ann".into())]);
    store.close().await;
}

fn component(file: &[u8]) -> ComponentInfo {
    let manifest = serde_json::from_str(MANIFEST).unwrap();
    let digest = hex::encode(ring::digest::digest(&ring::digest::SHA256, file));
    ComponentInfo { digest, manifest, bytes: file.len() as u64, installed_at: at(1), signed: None }
}

const MANIFEST: &str = r#"{"name": "email", "version": "1", "summary": "", "address_label": "", "address_example": "",
    "config": [], "grants": []}"#;

/// Versions before parts kept the whole file in the component's row.
#[tokio::test]
async fn a_component_of_an_older_version_stays_the_same_file_when_it_is_installed_again() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("tidings.db");
    std::fs::write(&path, "").unwrap();
    let file: Vec<u8> = (0..COMPONENT_PART_BYTES * 3 + 11).map(|n| (n % 251) as u8).collect();
    let info = component(&file);
    let old = open::MIGRATIONS.iter().filter(|migration| migration.version < 8).cloned().collect();
    let mut connection = open::reading(&path).read_only(false).connect().await.unwrap();
    sqlx::migrate::Migrator::with_migrations(old).run(&mut connection).await.unwrap();
    let row = "INSERT INTO components (digest, manifest, bytes, installed_at, file) VALUES (?, ?, ?, 1, ?)";
    let row = sqlx::query(row).bind(&info.digest).bind(MANIFEST).bind(file.len() as i64).bind(&file);
    row.execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
    let store = crate::open(&path, Mode::Daemon).await.unwrap();
    assert!(store.component_file(&info.digest).await.unwrap() == file, "after the migration");
    store.put_component(&info, &file).await.unwrap();
    assert!(store.component_file(&info.digest).await.unwrap() == file, "installed again");
    store.close().await;
}

#[tokio::test]
async fn a_component_whose_file_was_changed_is_not_given_out() {
    let fixture = Fixture::new().await;
    let info = component(b"what was judged");
    fixture.store.put_component(&info, b"what was judged").await.unwrap();
    fixture.execute("UPDATE component_parts SET bytes = CAST('what was forged' AS BLOB)").await;
    let refused = fixture.store.component_file(&info.digest).await;
    assert!(matches!(refused, Err(StoreError::Damaged { what: "component", .. })), "{refused:?}");
}

/// It may run as another user, and beside a daemon that makes one at the same moment.
#[tokio::test]
async fn a_tool_makes_no_key_and_the_daemon_makes_it_for_both() {
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
    assert_eq!(moved, 2, "whose address can be read, is told");
}

#[tokio::test]
async fn what_is_left_of_a_component_that_was_never_kept_is_forgotten() {
    let fixture = Fixture::new().await;
    fixture.store.close().await;
    let orphan = "INSERT INTO component_parts (digest, part, bytes) VALUES (printf('%064d', 1), 0, x'00')";
    execute(&fixture.path(), orphan).await;
    let daemon = crate::open(&fixture.path(), Mode::Daemon).await.unwrap();
    daemon.close().await;
    // A second one of the same place shows that the first is gone.
    execute(&fixture.path(), orphan).await;
}
