//! The small key-value store of each channel's plugin, within its limits.

use sqlx::sqlite::SqliteConnection;

use super::failure::WriteFailure;
use super::value::size;

/// What a channel may keep.
pub(super) struct StateQuota {
    pub(super) keys: u32,
    /// Bytes of keys and values.
    pub(super) bytes: u64,
}

pub(super) async fn get(
    connection: &mut SqliteConnection,
    channel: &str,
    key: &str,
) -> Result<Option<Vec<u8>>, WriteFailure> {
    let value = sqlx::query_scalar("SELECT value FROM plugin_state WHERE channel = ? AND key = ?")
        .bind(channel)
        .bind(key)
        .fetch_optional(connection)
        .await?;
    Ok(value)
}

/// Writes the value where there is room; whether it did.
pub(super) async fn set(
    connection: &mut SqliteConnection,
    channel: &str,
    key: &str,
    value: &[u8],
    room: &StateQuota,
) -> Result<bool, WriteFailure> {
    // What the channel keeps, less the value that this one replaces.
    let (keys, bytes): (i64, i64) = sqlx::query_as(
        "SELECT coalesce(sum(keys), 0), coalesce(sum(bytes), 0) FROM ( \
             SELECT keys, bytes FROM plugin_state_use WHERE channel = ?1 \
             UNION ALL \
             SELECT -1, -octet_length(key) - octet_length(value) FROM plugin_state WHERE channel = ?1 AND key = ?2 \
         )",
    )
    .bind(channel)
    .bind(key)
    .fetch_one(&mut *connection)
    .await?;
    let bytes = bytes.saturating_add(size(key.len())).saturating_add(size(value.len()));
    if keys >= i64::from(room.keys) || bytes > i64::try_from(room.bytes).unwrap_or(i64::MAX) {
        return Ok(false);
    }
    sqlx::query(
        "INSERT INTO plugin_state (channel, key, value) VALUES (?, ?, ?) \
         ON CONFLICT (channel, key) DO UPDATE SET value = excluded.value",
    )
    .bind(channel)
    .bind(key)
    .bind(value)
    .execute(connection)
    .await?;
    Ok(true)
}

pub(super) async fn delete(connection: &mut SqliteConnection, channel: &str, key: &str) -> Result<(), WriteFailure> {
    sqlx::query("DELETE FROM plugin_state WHERE channel = ? AND key = ?")
        .bind(channel)
        .bind(key)
        .execute(connection)
        .await?;
    Ok(())
}

/// The keys that begin with `prefix`, in order.
pub(super) async fn keys(
    connection: &mut SqliteConnection,
    channel: &str,
    prefix: &str,
) -> Result<Vec<String>, WriteFailure> {
    let keys = sqlx::query_scalar(
        "SELECT key FROM plugin_state WHERE channel = ?1 AND key >= ?2 AND substr(key, 1, length(?2)) = ?2 ORDER BY key",
    )
    .bind(channel)
    .bind(prefix)
    .fetch_all(connection)
    .await?;
    Ok(keys)
}
