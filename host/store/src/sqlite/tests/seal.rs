//! Sealed secrets: a canary in a channel's secrets is searched for in every file.

use std::collections::BTreeMap;

use sqlx::{ConnectOptions as _, Connection as _};
use tempfile::TempDir;
use tidings_domain::grant::Grants;
use tidings_domain::limits::PluginLimits;
use tidings_domain::time::Timestamp;

use crate::keys::KeyFile;
use crate::sqlite::startup::open_store;
use crate::sqlite::store::SqliteStore;
use crate::sqlite::{Mode, database_file, rotate_key};
use crate::{Channel, ChannelStore as _, Maintenance as _, Result, StoreError};

const CANARY: &str = "canary-7f3a91";

struct TestDirectory(TempDir);

impl TestDirectory {
    fn new() -> TestDirectory {
        TestDirectory(tempfile::tempdir().unwrap())
    }

    fn database(&self) -> std::path::PathBuf {
        self.0.path().join("tidings.db")
    }

    async fn open(&self) -> Result<SqliteStore> {
        open_store(&self.database(), Mode::Daemon, &KeyFile::Beside).await
    }

    /// Whether any file except the key contains the text.
    fn contains(&self, text: &str) -> bool {
        let files = std::fs::read_dir(self.0.path()).unwrap().map(|entry| entry.unwrap().path());
        let has = |file: &std::path::PathBuf| {
            std::fs::read(file).unwrap().windows(text.len()).any(|window| window == text.as_bytes())
        };
        files.filter(|file| file.is_file()).any(|file| has(&file))
    }

    /// Rewrites the row as versions before keys wrote it.
    async fn write_clear(&self) {
        let mut connection = database_file::reading(&self.database()).read_only(false).connect().await.unwrap();
        let clear = format!(r#"{{"config":{{"password":"{CANARY}"}},"credentials":{{}}}}"#);
        sqlx::query("UPDATE channels SET secrets = ?").bind(clear).execute(&mut connection).await.unwrap();
        connection.close().await.unwrap();
    }
}

fn channel() -> Channel {
    Channel {
        name: "email".into(),
        component: "c".repeat(64),
        config: BTreeMap::from([("password".into(), CANARY.into())]),
        former: BTreeMap::new(),
        grants: Grants::default(),
        limits: PluginLimits::default(),
        enabled: false,
        life: tidings_domain::plugin_life::ChannelVersions::default(),
    }
}

async fn password(store: &SqliteStore) -> Option<String> {
    store.channel("email").await.unwrap().config.remove("password")
}

/// Row 48 of the list of failures.
#[tokio::test]
async fn no_secret_is_on_disk_in_clear_and_the_key_opens_it() {
    let directory = TestDirectory::new();
    let store = directory.open().await.unwrap();
    store.put_channel(&channel(), Timestamp::from_millis(1)).await.unwrap();
    assert!(!directory.contains(CANARY), "while it is open, in its log too");
    store.close().await;
    assert!(!directory.contains(CANARY));
    let store = directory.open().await.unwrap();
    assert_eq!(password(&store).await.as_deref(), Some(CANARY));
    store.close().await;
}

#[tokio::test]
async fn secrets_older_than_keys_are_sealed_at_start() {
    let directory = TestDirectory::new();
    let store = directory.open().await.unwrap();
    store.put_channel(&channel(), Timestamp::from_millis(1)).await.unwrap();
    store.close().await;
    directory.write_clear().await;
    std::fs::remove_file(directory.0.path().join("secrets.key")).unwrap();
    assert!(directory.contains(CANARY), "an older version wrote it so");
    let store = directory.open().await.unwrap();
    assert_eq!(password(&store).await.as_deref(), Some(CANARY));
    store.close().await;
    assert!(!directory.contains(CANARY));
}

#[tokio::test]
async fn without_the_right_key_the_store_does_not_open_and_nothing_is_lost() {
    let directory = TestDirectory::new();
    let store = directory.open().await.unwrap();
    store.put_channel(&channel(), Timestamp::from_millis(1)).await.unwrap();
    store.close().await;
    let key = directory.0.path().join("secrets.key");
    let right = std::fs::read_to_string(&key).unwrap();
    for wrong in [None, Some(format!("{}\n", "ab".repeat(32))), Some("nonsense".to_owned())] {
        match &wrong {
            None => std::fs::remove_file(&key).unwrap(),
            Some(text) => std::fs::write(&key, text).unwrap(),
        }
        let error = directory.open().await.err().unwrap();
        assert!(matches!(&error, StoreError::Key { path, .. } if path.ends_with("secrets.key")), "{wrong:?}: {error}");
        assert_eq!(std::fs::read_to_string(&key).ok(), wrong, "no key is created where secrets are sealed");
    }
    std::fs::write(&key, right).unwrap();
    let store = directory.open().await.unwrap();
    assert_eq!(password(&store).await.as_deref(), Some(CANARY));
    store.close().await;
}

#[tokio::test]
async fn a_key_is_replaced_and_the_old_one_no_longer_opens() {
    let directory = TestDirectory::new();
    let store = directory.open().await.unwrap();
    store.put_channel(&channel(), Timestamp::from_millis(1)).await.unwrap();
    let busy = rotate_key(&directory.database(), &KeyFile::Beside).await;
    assert!(matches!(busy, Err(StoreError::Locked { .. })), "{busy:?}");
    store.close().await;
    let key = directory.0.path().join("secrets.key");
    let old = std::fs::read_to_string(&key).unwrap();
    rotate_key(&directory.database(), &KeyFile::Beside).await.unwrap();
    let new = std::fs::read_to_string(&key).unwrap();
    assert_eq!((new.lines().count(), new.contains(old.trim())), (1, false));
    std::fs::write(&key, &old).unwrap();
    assert!(matches!(directory.open().await.err(), Some(StoreError::Key { .. })));
    // As after an interrupted replacement: both keys are in the file.
    std::fs::write(&key, format!("{old}{new}")).unwrap();
    let store = directory.open().await.unwrap();
    assert_eq!(password(&store).await.as_deref(), Some(CANARY));
    store.close().await;
    std::fs::write(&key, &old).unwrap();
    directory.open().await.expect("it was sealed with the first key of the file").close().await;
}
