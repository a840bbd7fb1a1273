//! The role `PluginStateStore`. Triggers of the schema count keys and bytes of each channel.

use async_trait::async_trait;
use sqlx::sqlite::SqliteConnection;

use crate::error::Result;
use crate::roles::PluginStateStore;
use crate::sqlite::failure::WriteFailure;
use crate::sqlite::store::SqliteStore;
use crate::sqlite::value::size;

#[async_trait]
impl PluginStateStore for SqliteStore {
    async fn plugin_state_get(&self, channel: &str, key: &str) -> Result<Option<Vec<u8>>> {
        let doing = "reads a plugin's state";
        let mut connection = self.reader(doing).await?;
        get(&mut connection, channel, key).await.map_err(|failure| failure.into_error(doing))
    }

    async fn plugin_state_set(
        &self,
        channel: &str,
        key: &str,
        value: &[u8],
        max_keys: u32,
        max_bytes: u64,
    ) -> Result<bool> {
        let (channel, key, value) = (channel.to_owned(), key.to_owned(), value.to_vec());
        let quota = StateQuota { keys: max_keys, bytes: max_bytes };
        let work = self.writer.write("writes a plugin's state", move |connection| {
            Box::pin(async move { set(connection, &channel, &key, &value, &quota).await })
        });
        work.await
    }

    async fn plugin_state_delete(&self, channel: &str, key: &str) -> Result<()> {
        let (channel, key) = (channel.to_owned(), key.to_owned());
        let work = self.writer.write("writes a plugin's state", move |connection| {
            Box::pin(async move { delete(connection, &channel, &key).await })
        });
        work.await
    }

    async fn plugin_state_keys(&self, channel: &str, prefix: &str) -> Result<Vec<String>> {
        let doing = "reads a plugin's state";
        let mut connection = self.reader(doing).await?;
        keys(&mut connection, channel, prefix).await.map_err(|failure| failure.into_error(doing))
    }
}

/// What a channel may keep.
struct StateQuota {
    keys: u32,
    /// Bytes of keys and values.
    bytes: u64,
}

async fn get(connection: &mut SqliteConnection, channel: &str, key: &str) -> Result<Option<Vec<u8>>, WriteFailure> {
    let value = sqlx::query_scalar("SELECT value FROM plugin_state WHERE channel = ? AND key = ?")
        .bind(channel)
        .bind(key)
        .fetch_optional(connection)
        .await?;
    Ok(value)
}

/// Writes the value unless that exceeds the quota; returns whether it wrote.
async fn set(
    connection: &mut SqliteConnection,
    channel: &str,
    key: &str,
    value: &[u8],
    quota: &StateQuota,
) -> Result<bool, WriteFailure> {
    // What the channel keeps, without the value that this one replaces.
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
    if keys >= i64::from(quota.keys) || bytes > i64::try_from(quota.bytes).unwrap_or(i64::MAX) {
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

async fn delete(connection: &mut SqliteConnection, channel: &str, key: &str) -> Result<(), WriteFailure> {
    sqlx::query("DELETE FROM plugin_state WHERE channel = ? AND key = ?")
        .bind(channel)
        .bind(key)
        .execute(connection)
        .await?;
    Ok(())
}

/// The keys that begin with `prefix`, in order.
async fn keys(connection: &mut SqliteConnection, channel: &str, prefix: &str) -> Result<Vec<String>, WriteFailure> {
    let keys = sqlx::query_scalar(
        "SELECT key FROM plugin_state WHERE channel = ?1 AND key >= ?2 AND substr(key, 1, length(?2)) = ?2 ORDER BY key",
    )
    .bind(channel)
    .bind(prefix)
    .fetch_all(connection)
    .await?;
    Ok(keys)
}
