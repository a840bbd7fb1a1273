//! Migrations: which are published, and databases of older and newer versions.

use sqlx::{ConnectOptions as _, Connection as _};

use super::{Fixture, MANIFEST, at, component, execute};
use crate::limits::COMPONENT_PART_BYTES;
use crate::sqlite::{database_file, migrations};
use crate::{Change, Changes, DeliveryQuery, Maintenance as _, Mode, StoreError};

/// The published migrations with the beginning of their checksums. There never was a 0007; a database that ran the
/// others has their numbers and checksums, so that none of them may be renumbered, edited or removed.
const PUBLISHED: [(i64, &str, &str); 10] = [
    (1, "outbox", "0ba3e1a37e97ba95"),
    (2, "changes", "34c06259f36270c8"),
    (3, "intake", "ed575439375130c6"),
    (4, "signed", "4c89173d63f4c9ea"),
    (5, "signing key", "6c28209549475964"),
    (6, "versions", "cf2a3cc76860940f"),
    (8, "component parts", "91a8325279f7509b"),
    (9, "streams", "9271730cfc9600e7"),
    (10, "confirmations", "63c4eeeb4ba9c3ce"),
    (11, "state use", "36e6823463484a98"),
];

#[test]
fn published_migrations_keep_their_numbers_and_contents() {
    let embedded: Vec<(i64, String, String)> = migrations::MIGRATIONS
        .iter()
        .map(|migration| {
            let checksum = hex::encode(&migration.checksum[..8]);
            (migration.version, migration.description.to_string(), checksum)
        })
        .collect();
    let published = PUBLISHED.map(|(version, name, checksum)| (version, name.to_owned(), checksum.to_owned()));
    assert_eq!(embedded[..published.len()], published);
    let later = embedded[published.len()..].iter().map(|(version, ..)| *version);
    assert!(later.clone().eq(12..12 + later.count() as i64), "new migrations continue at 0012 without a gap");
}

/// Row 20 of the list of failures.
#[tokio::test]
async fn a_newer_schema_is_refused_and_not_changed() {
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

/// Row 16 (e) of the list of failures: a killed migration leaves none of its tables, or all of them.
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
    let first = migrations::MIGRATIONS.iter().find(|migration| migration.version == 1).unwrap().clone();
    let mut connection = database_file::reading(&path).read_only(false).connect().await.unwrap();
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

/// Older versions stored the whole file in the component's row.
#[tokio::test]
async fn a_component_of_an_older_version_stays_the_same_file_when_it_is_installed_again() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("tidings.db");
    std::fs::write(&path, "").unwrap();
    let file: Vec<u8> = (0..COMPONENT_PART_BYTES * 3 + 11).map(|n| (n % 251) as u8).collect();
    let info = component(&file);
    let old = migrations::MIGRATIONS.iter().filter(|migration| migration.version < 8).cloned().collect();
    let mut connection = database_file::reading(&path).read_only(false).connect().await.unwrap();
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
