//! Puts the store together: checks and migrates the file, reads the keys, starts the writer.

use std::path::Path;
use std::sync::Arc;

use tokio::sync::watch;

use super::database_file::{self, Mode};
use super::roles::components;
use super::store::SqliteStore;
use super::writer::{WriteConnection, Writer};
use super::{changes, seal};
use crate::error::Result;
use crate::keys::KeyFile;
use crate::roles::{Maintenance as _, Store};

/// Opens the database file `path`, and creates it and the directories above it where they do not exist. Refuses one
/// that is locked, damaged or of a newer version; migrates an older one.
///
/// # Errors
/// `Locked`, `Corrupt`, `Newer`, `Key`, or `Unavailable` where a file cannot be read or written.
pub async fn open(path: &Path, mode: Mode) -> Result<Arc<dyn Store>> {
    open_with(path, mode, &KeyFile::Beside).await
}

/// The same with the keys of channels' secrets from that file.
///
/// # Errors
/// As `open`.
pub async fn open_with(path: &Path, mode: Mode, keys: &KeyFile) -> Result<Arc<dyn Store>> {
    Ok(Arc::new(open_store(path, mode, keys).await?))
}

pub(super) async fn open_store(path: &Path, mode: Mode, keys: &KeyFile) -> Result<SqliteStore> {
    let mut database = database_file::open(path, mode).await?;
    if mode == Mode::Daemon {
        let deleted = components::delete_unfinished(&mut database.connection).await;
        deleted.map_err(|failure| failure.into_error("deletes unfinished components"))?;
    }
    let keys = Arc::new(seal::prepare(&mut database.connection, path, keys, mode).await?);
    let latest = changes::revision(&mut database.connection).await;
    let latest = latest.map_err(|failure| failure.into_error("reads the feed of changes"))?;
    let (sender, changed) = watch::channel(latest);
    let connection = WriteConnection::new(database.options, database.connection, sender);
    let writer = Writer::start(connection, database.lock);
    Ok(SqliteStore::new(path, writer, keys, changed))
}

/// Replaces the key of a database that no daemon uses. If it is interrupted, the key file still has every key that a
/// secret is sealed with; running it again, or starting the daemon, finishes it.
///
/// # Errors
/// `Locked` while a daemon runs; `Key` where the file cannot be read or written.
pub async fn rotate_key(path: &Path, file: &KeyFile) -> Result<()> {
    let store = open_store(path, Mode::Daemon, file).await?;
    let keys = (*store.keys).clone();
    // Everything is sealed with the first key now: older ones are no longer needed.
    let keys = keys.keep_first()?.add();
    store.close().await;
    let keys = keys?;
    let store = open_store(path, Mode::Daemon, file).await?;
    let kept = keys.keep_first();
    store.close().await;
    kept.map(drop)
}
