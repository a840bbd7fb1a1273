//! The role `ChannelStore`: a channel changes together with its versions and its history.

use std::sync::Arc;

use async_trait::async_trait;
use sqlx::sqlite::SqliteConnection;
use tidings_domain::plugin_life::ChannelEvent;
use tidings_domain::time::Timestamp;

use super::channel_rows::{ChannelRow, StoredGrants, split};
use super::channel_versions;
use crate::error::{Result, StoreError};
use crate::keys::Keys;
use crate::roles::{Change, Channel, ChannelStore, ChannelVersion};
use crate::sqlite::changes;
use crate::sqlite::failure::{WriteFailure, missing};
use crate::sqlite::store::SqliteStore;
use crate::sqlite::value::{millis, to_json};

#[async_trait]
impl ChannelStore for SqliteStore {
    async fn channels(&self) -> Result<Vec<Channel>> {
        let doing = "reads channels";
        let mut connection = self.reader(doing).await?;
        channels(&mut connection, &self.keys).await.map_err(|failure| failure.into_error(doing))
    }

    async fn channel(&self, name: &str) -> Result<Channel> {
        let doing = "reads a channel";
        let mut connection = self.reader(doing).await?;
        channel(&mut connection, &self.keys, name).await.map_err(|failure| failure.into_error(doing))
    }

    async fn delete_channel(&self, name: &str, now: Timestamp) -> Result<()> {
        let name = name.to_owned();
        let work = self.writer.write("deletes a channel", move |connection| {
            Box::pin(async move { delete_channel(connection, &name, millis(now)).await })
        });
        work.await
    }

    async fn change_channel(&self, channel: &Channel, event: Option<ChannelEvent>, now: Timestamp) -> Result<()> {
        let (channel, keys) = (channel.clone(), Arc::clone(&self.keys));
        let work = self.writer.write("writes a channel", move |connection| {
            Box::pin(async move { put_channel(connection, &keys, &channel, event.as_ref(), millis(now)).await })
        });
        work.await
    }

    async fn channel_versions(&self, name: &str) -> Result<Vec<ChannelVersion>> {
        let doing = "reads a channel's versions";
        let mut connection = self.reader(doing).await?;
        channel_versions::versions(&mut connection, name).await.map_err(|failure| failure.into_error(doing))
    }

    async fn channel_events(&self, name: &str, limit: u32) -> Result<Vec<ChannelEvent>> {
        let doing = "reads a channel's history";
        let mut connection = self.reader(doing).await?;
        channel_versions::events(&mut connection, name, limit).await.map_err(|failure| failure.into_error(doing))
    }
}

/// All channels, by name.
async fn channels(connection: &mut SqliteConnection, keys: &Keys) -> Result<Vec<Channel>, WriteFailure> {
    let rows: Vec<ChannelRow> = sqlx::query_as(
        "SELECT name, component, enabled, config, grants, limits, secrets, life FROM channels ORDER BY name",
    )
    .fetch_all(connection)
    .await?;
    rows.into_iter().map(|row| row.read(keys)).collect()
}

async fn channel(connection: &mut SqliteConnection, keys: &Keys, name: &str) -> Result<Channel, WriteFailure> {
    let row: Option<ChannelRow> = sqlx::query_as(
        "SELECT name, component, enabled, config, grants, limits, secrets, life FROM channels WHERE name = ?",
    )
    .bind(name)
    .fetch_optional(connection)
    .await?;
    row.ok_or_else(|| missing("channel", name))?.read(keys)
}

async fn put_channel(
    connection: &mut SqliteConnection,
    keys: &Keys,
    channel: &Channel,
    event: Option<&ChannelEvent>,
    now: i64,
) -> Result<(), WriteFailure> {
    let (config, secrets) = split(connection, channel).await?;
    let grants = StoredGrants::new(&channel.grants);
    sqlx::query(
        "INSERT INTO channels (name, component, enabled, updated_at, config, grants, limits, secrets, life) \
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (name) DO UPDATE SET component = excluded.component, \
         enabled = excluded.enabled, updated_at = excluded.updated_at, config = excluded.config, \
         grants = excluded.grants, limits = excluded.limits, secrets = excluded.secrets, life = excluded.life",
    )
    .bind(&channel.name)
    .bind(&channel.component)
    .bind(channel.enabled)
    .bind(now)
    .bind(to_json("channel", &config)?)
    .bind(to_json("channel", &grants)?)
    .bind(to_json("channel", &channel.limits)?)
    .bind(keys.seal(&channel.name, &to_json("channel", &secrets)?)?)
    .bind(to_json("channel", &channel.life)?)
    .execute(&mut *connection)
    .await?;
    channel_versions::record(connection, channel, event, now).await?;
    changes::publish(connection, [Change::Channel(channel.name.clone())], now).await
}

/// Deletes a channel that is disabled and has no pending deliveries, with its history and its plugin's state. Its books
/// stay, and subscriptions for the name apply to a later channel of that name.
async fn delete_channel(connection: &mut SqliteConnection, name: &str, now: i64) -> Result<(), WriteFailure> {
    let row: Option<(bool, bool, Option<String>)> = sqlx::query_as(
        "SELECT enabled, EXISTS (SELECT 1 FROM deliveries d WHERE d.channel = c.name AND d.state = 'pending'), \
         (SELECT o.name FROM channels o WHERE json_extract(o.life, '$.policy.channel') = c.name) \
         FROM channels c WHERE c.name = ?",
    )
    .bind(name)
    .fetch_optional(&mut *connection)
    .await?;
    let by = match row.ok_or_else(|| missing("channel", name))? {
        (true, _, _) => Some("its deliveries: it is enabled".to_owned()),
        (_, true, _) => Some("deliveries that it holds".to_owned()),
        (_, _, Some(other)) => Some(format!("the failure policy of the channel {other}")),
        (false, false, None) => None,
    };
    if let Some(by) = by {
        return Err(StoreError::InUse { what: "channel", by }.into());
    }
    for sql in [
        "DELETE FROM channels WHERE name = ?",
        "DELETE FROM channel_versions WHERE channel = ?",
        "DELETE FROM channel_events WHERE channel = ?",
        "DELETE FROM plugin_state WHERE channel = ?",
    ] {
        sqlx::query(sql).bind(name).execute(&mut *connection).await?;
    }
    changes::publish(connection, [Change::Channel(name.to_owned())], now).await
}
