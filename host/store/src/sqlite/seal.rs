//! Sealed secrets in the database: reads the keys that belong to it, and seals rows that are not sealed with the first
//! key. `keys` does the cryptography.

use std::path::Path;

use sqlx::Connection as _;
use sqlx::sqlite::SqliteConnection;

use super::database_file::Mode;
use super::failure::opening;
use crate::error::Result;
use crate::keys::{KeyFile, Keys, MissingKeyFile, is_sealed};

/// Reads the keys of the database at `path`; for the daemon, also seals every secret with the first of them. Only the
/// daemon creates a key file, and only where nothing is sealed: a new key does not open what another one sealed.
pub(super) async fn prepare(
    connection: &mut SqliteConnection,
    path: &Path,
    file: &KeyFile,
    mode: Mode,
) -> Result<Keys> {
    let failed = |error: sqlx::Error| opening(error, &path.display().to_string(), "reads what is sealed");
    let rows = secrets(connection).await.map_err(failed)?;
    let if_missing = match (file, mode) {
        (KeyFile::At(_), _) => MissingKeyFile::Refuse,
        _ if rows.iter().any(|(_, text)| is_sealed(text)) => MissingKeyFile::Refuse,
        (KeyFile::Beside, Mode::Daemon) => MissingKeyFile::Create,
        (KeyFile::Beside, Mode::Tool) => MissingKeyFile::Leave,
    };
    let keys = Keys::open(&file.path(path), if_missing)?;
    // All are unsealed before any is written.
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

async fn secrets(connection: &mut SqliteConnection) -> sqlx::Result<Vec<(String, String)>> {
    sqlx::query_as("SELECT name, secrets FROM channels ORDER BY name").fetch_all(connection).await
}

/// Replaces the secrets by sealed texts. The bytes of the old rows are overwritten in the file too; copies that earlier
/// changes of a row left in free pages are not: that takes a `VACUUM`.
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
