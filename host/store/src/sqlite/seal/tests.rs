//! Canaries in channels' secrets, looked for in every byte on disk.

use std::collections::BTreeMap;

use sqlx::ConnectOptions as _;
use tempfile::TempDir;
use tidings_domain::grant::Grants;
use tidings_domain::limits::PluginLimits;
use tidings_domain::time::Timestamp;

use super::*;
use crate::sqlite::open;
use crate::{Channel, StoreError};

const CANARY: &str = "canary-7f3a91";

struct Place(TempDir);

impl Place {
    fn new() -> Place {
        Place(tempfile::tempdir().unwrap())
    }

    fn database(&self) -> std::path::PathBuf {
        self.0.path().join("tidings.db")
    }

    async fn open(&self) -> Result<SqliteStore> {
        SqliteStore::open(&self.database(), Mode::Daemon, &KeyFile::Beside).await
    }

    /// Whether any file but the key has the text.
    fn shows(&self, text: &str) -> bool {
        let files = std::fs::read_dir(self.0.path()).unwrap().map(|entry| entry.unwrap().path());
        let has = |file: &std::path::PathBuf| {
            std::fs::read(file).unwrap().windows(text.len()).any(|window| window == text.as_bytes())
        };
        files.filter(|file| file.is_file()).any(|file| has(&file))
    }

    /// Puts a row there as versions before keys wrote it.
    async fn write_clear(&self) {
        let mut connection = open::reading(&self.database()).read_only(false).connect().await.unwrap();
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
async fn no_secret_is_on_disk_in_clear_and_the_key_opens_it_again() {
    let place = Place::new();
    let store = place.open().await.unwrap();
    store.put_channel(&channel(), Timestamp::from_millis(1)).await.unwrap();
    assert!(!place.shows(CANARY), "while it is open, with its log");
    store.close().await;
    assert!(!place.shows(CANARY));
    let store = place.open().await.unwrap();
    assert_eq!(password(&store).await.as_deref(), Some(CANARY));
    store.close().await;
}

#[tokio::test]
async fn secrets_from_before_there_were_keys_are_sealed_at_the_start() {
    let place = Place::new();
    let store = place.open().await.unwrap();
    store.put_channel(&channel(), Timestamp::from_millis(1)).await.unwrap();
    store.close().await;
    place.write_clear().await;
    std::fs::remove_file(place.0.path().join("secrets.key")).unwrap();
    assert!(place.shows(CANARY), "an older version wrote it so");
    let store = place.open().await.unwrap();
    assert_eq!(password(&store).await.as_deref(), Some(CANARY));
    store.close().await;
    assert!(!place.shows(CANARY));
}

#[tokio::test]
async fn without_the_right_key_nothing_starts_and_nothing_is_lost() {
    let place = Place::new();
    let store = place.open().await.unwrap();
    store.put_channel(&channel(), Timestamp::from_millis(1)).await.unwrap();
    store.close().await;
    let key = place.0.path().join("secrets.key");
    let right = std::fs::read_to_string(&key).unwrap();
    for wrong in [None, Some(format!("{}\n", "ab".repeat(32))), Some("nonsense".to_owned())] {
        match &wrong {
            None => std::fs::remove_file(&key).unwrap(),
            Some(text) => std::fs::write(&key, text).unwrap(),
        }
        let error = place.open().await.err().unwrap();
        assert!(matches!(&error, StoreError::Key { path, .. } if path.ends_with("secrets.key")), "{wrong:?}: {error}");
        assert_eq!(std::fs::read_to_string(&key).ok(), wrong, "no key is made where one is needed");
    }
    std::fs::write(&key, right).unwrap();
    let store = place.open().await.unwrap();
    assert_eq!(password(&store).await.as_deref(), Some(CANARY));
    store.close().await;
}

#[tokio::test]
async fn a_key_is_replaced_and_the_old_one_is_of_no_use_afterwards() {
    let place = Place::new();
    let store = place.open().await.unwrap();
    store.put_channel(&channel(), Timestamp::from_millis(1)).await.unwrap();
    let busy = rotate_key(&place.database(), &KeyFile::Beside).await;
    assert!(matches!(busy, Err(StoreError::Locked { .. })), "{busy:?}");
    store.close().await;
    let key = place.0.path().join("secrets.key");
    let old = std::fs::read_to_string(&key).unwrap();
    rotate_key(&place.database(), &KeyFile::Beside).await.unwrap();
    let new = std::fs::read_to_string(&key).unwrap();
    assert_eq!((new.lines().count(), new.contains(old.trim())), (1, false));
    std::fs::write(&key, &old).unwrap();
    assert!(matches!(place.open().await.err(), Some(StoreError::Key { .. })));
    // As it is where the replacement was interrupted: both keys are there.
    std::fs::write(&key, format!("{old}{new}")).unwrap();
    let store = place.open().await.unwrap();
    assert_eq!(password(&store).await.as_deref(), Some(CANARY));
    store.close().await;
    std::fs::write(&key, &old).unwrap();
    place.open().await.expect("it was sealed with the first key of the file").close().await;
}
