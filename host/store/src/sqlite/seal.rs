//! Sealed secrets in the database: the keys that fit it, rows from before there were keys, and another key in the place of
//! the old one. What sealing is, `keys` knows.

use std::path::Path;

use sqlx::Connection as _;
use sqlx::sqlite::SqliteConnection;

use super::failure::opening;
use super::{Mode, SqliteStore};
use crate::keys::{KeyFile, Keys, MissingKeyFile, is_sealed};
use crate::{Result, Store as _};

/// The keys of the database at `path`, and for the daemon every secret sealed with the first of them. A key file is made
/// by the daemon only, and where nothing is sealed yet: another key would be of no use for what is.
pub(super) async fn prepare(
    connection: &mut SqliteConnection,
    path: &Path,
    file: &KeyFile,
    mode: Mode,
) -> Result<Keys> {
    let failed = |error: sqlx::Error| opening(error, &path.display().to_string(), "reads what is sealed");
    let rows = secrets(connection).await.map_err(failed)?;
    let lacking = match (file, mode) {
        (KeyFile::At(_), _) => MissingKeyFile::Refuse,
        _ if rows.iter().any(|(_, text)| is_sealed(text)) => MissingKeyFile::Refuse,
        (KeyFile::Beside, Mode::Daemon) => MissingKeyFile::Make,
        (KeyFile::Beside, Mode::Tool) => MissingKeyFile::Leave,
    };
    let keys = Keys::open(&file.path(path), lacking)?;
    // All are opened before one is written.
    let mut stale = Vec::new();
    for (channel, text) in rows {
        let clear = keys.unseal(&channel, &text)?;
        if mode == Mode::Daemon && !keys.is_current(&channel, &text) {
            stale.push((keys.seal(&channel, clear.expose())?, channel));
        }
    }
    if !stale.is_empty() {
        let count = stale.len();
        replace(connection, stale).await.map_err(failed)?;
        tracing::info!(channels = count, "secrets were sealed with the present key");
    }
    Ok(keys)
}

/// Puts a new key in the place of the old one, for a database that no daemon uses. Whatever interrupts it, the file has
/// every key that something is sealed with; to do it again, or to start the daemon, finishes it.
///
/// # Errors
/// `Locked` while a daemon runs; `Key` where the file cannot be read or written.
pub async fn rotate_key(path: &Path, file: &KeyFile) -> Result<()> {
    let store = SqliteStore::open(path, Mode::Daemon, file).await?;
    let keys = (*store.keys).clone();
    // Sealed with the first by now: older ones are of no use any more.
    let keys = keys.forget_others()?.add();
    store.close().await;
    let keys = keys?;
    let store = SqliteStore::open(path, Mode::Daemon, file).await?;
    let forgotten = keys.forget_others();
    store.close().await;
    forgotten.map(drop)
}

async fn secrets(connection: &mut SqliteConnection) -> sqlx::Result<Vec<(String, String)>> {
    sqlx::query_as("SELECT name, secrets FROM channels ORDER BY name").fetch_all(connection).await
}

/// Writes sealed texts over what was there. What these rows occupied is overwritten in the file too; copies that earlier
/// changes of a row left in free places are not, which takes a `VACUUM`.
async fn replace(connection: &mut SqliteConnection, sealed: Vec<(String, String)>) -> sqlx::Result<()> {
    sqlx::query("PRAGMA secure_delete = ON").execute(&mut *connection).await?;
    let mut transaction = connection.begin().await?;
    for (text, channel) in sealed {
        sqlx::query("UPDATE channels SET secrets = ? WHERE name = ?")
            .bind(text)
            .bind(channel)
            .execute(&mut *transaction)
            .await?;
    }
    transaction.commit().await?;
    sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)").execute(&mut *connection).await?;
    sqlx::query("PRAGMA secure_delete = OFF").execute(connection).await?;
    Ok(())
}

#[cfg(test)]
mod tests;
