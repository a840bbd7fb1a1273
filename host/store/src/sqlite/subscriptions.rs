//! Subscriptions: one row for each user and channel, rules and settings as documents in it. Editing one settles what waits
//! for it in the same transaction.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use sqlx::FromRow;
use sqlx::sqlite::SqliteConnection;
use tidings_domain::subscription::{DigestOptions, Edit, Style, Subscription};

use super::failure::Failure;
use super::value::{from_json, to_json};
use super::{gather, turns};

#[derive(FromRow)]
struct Row {
    user: String,
    channel: String,
    enabled: bool,
    addresses: String,
    settings: String,
    filters: String,
}

/// The column `settings`.
#[derive(Deserialize, Serialize)]
struct Settings {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    digest: Option<DigestOptions>,
    style: Style,
}

impl Row {
    fn read(self) -> Result<Subscription, Failure> {
        let settings: Settings = from_json("subscription", &self.settings)?;
        Ok(Subscription {
            addresses: from_json("subscription", &self.addresses)?,
            filters: from_json("subscription", &self.filters)?,
            user: self.user,
            channel: self.channel,
            enabled: self.enabled,
            digest: settings.digest,
            style: settings.style,
        })
    }
}

/// All of them, by user and channel. One that cannot be read is left out, so that the others are served.
pub(super) async fn all(connection: &mut SqliteConnection) -> Result<Vec<Subscription>, Failure> {
    let rows: Vec<Row> = sqlx::query_as(
        "SELECT user, channel, enabled, addresses, settings, filters FROM subscriptions WHERE deleted_at IS NULL \
         ORDER BY user, channel",
    )
    .fetch_all(connection)
    .await?;
    let read = rows.into_iter().filter_map(|row| {
        let (user, channel) = (row.user.clone(), row.channel.clone());
        let unreadable = |failure: Failure| {
            let error = failure.into_error("reads subscriptions");
            tracing::error!(user, channel, %error, "a subscription is left out");
        };
        row.read().map_err(unreadable).ok()
    });
    Ok(read.collect())
}

/// One user's, by channel.
pub(super) async fn of(connection: &mut SqliteConnection, user: &str) -> Result<Vec<Subscription>, Failure> {
    let rows: Vec<Row> = sqlx::query_as(
        "SELECT user, channel, enabled, addresses, settings, filters FROM subscriptions \
         WHERE user = ? AND deleted_at IS NULL ORDER BY channel",
    )
    .bind(user)
    .fetch_all(connection)
    .await?;
    rows.into_iter().map(Row::read).collect()
}

/// Whose address it is.
pub(super) async fn owner(
    connection: &mut SqliteConnection,
    channel: &str,
    address: &str,
) -> Result<Option<String>, Failure> {
    let query = "SELECT user FROM subscriptions WHERE channel = ? AND deleted_at IS NULL \
         AND EXISTS (SELECT 1 FROM json_each(addresses) WHERE value = ?) ORDER BY user LIMIT 1";
    Ok(sqlx::query_scalar(query).bind(channel).bind(address).fetch_optional(connection).await?)
}

/// Replaces the subscription; what waits for an address that it does not have any more is cancelled.
pub(super) async fn put(
    connection: &mut SqliteConnection,
    subscription: &Subscription,
    now: i64,
) -> Result<(), Failure> {
    let addresses = to_json("subscription", &subscription.addresses)?;
    let settings = Settings { digest: subscription.digest, style: subscription.style };
    sqlx::query(
        "INSERT INTO subscriptions (user, channel, enabled, deleted_at, updated_at, addresses, settings, filters) \
         VALUES (?, ?, ?, NULL, ?, ?, ?, ?) ON CONFLICT (user, channel) DO UPDATE SET \
         enabled = excluded.enabled, deleted_at = NULL, updated_at = excluded.updated_at, \
         addresses = excluded.addresses, settings = excluded.settings, filters = excluded.filters",
    )
    .bind(&subscription.user)
    .bind(&subscription.channel)
    .bind(subscription.enabled)
    .bind(now)
    .bind(&addresses)
    .bind(to_json("subscription", &settings)?)
    .bind(to_json("subscription", &subscription.filters)?)
    .execute(&mut *connection)
    .await?;
    let kept = if subscription.enabled { addresses.as_str() } else { "[]" };
    cancel(connection, &subscription.user, &subscription.channel, kept, now).await?;
    gather::retime(connection, &subscription.channel, &subscription.user, subscription.digest, now).await?;
    refresh(connection, &subscription.user, &subscription.channel).await
}

/// Reads the subscription, changes it, and writes it back, all in one transaction; whether there was anything to change.
pub(super) async fn edit(
    connection: &mut SqliteConnection,
    user: &str,
    channel: &str,
    edit: &Edit,
    now: i64,
) -> Result<bool, Failure> {
    let subscriptions = of(connection, user).await?;
    let Some(mut subscription) = subscriptions.into_iter().find(|one| one.channel == channel) else { return Ok(false) };
    let changed = edit.apply(&mut subscription);
    if changed {
        put(connection, &subscription, now).await?;
    }
    Ok(changed)
}

/// Deletes the subscription and cancels what waits for it; whether there was one.
pub(super) async fn delete(
    connection: &mut SqliteConnection,
    user: &str,
    channel: &str,
    now: i64,
) -> Result<bool, Failure> {
    let deleted = sqlx::query(
        "UPDATE subscriptions SET enabled = 0, deleted_at = ?1, updated_at = ?1, addresses = '[]', filters = '[]' \
         WHERE user = ?2 AND channel = ?3 AND deleted_at IS NULL",
    )
    .bind(now)
    .bind(user)
    .bind(channel)
    .execute(&mut *connection)
    .await?;
    if deleted.rows_affected() == 0 {
        return Ok(false);
    }
    cancel(connection, user, channel, "[]", now).await?;
    refresh(connection, user, channel).await?;
    Ok(true)
}

/// Cancels what waits for addresses other than those `kept` (a JSON array).
async fn cancel(
    connection: &mut SqliteConnection,
    user: &str,
    channel: &str,
    kept: &str,
    now: i64,
) -> Result<(), Failure> {
    sqlx::query(
        "UPDATE deliveries SET state = 'cancelled', lease = NULL, gathered = NULL, updated_at = ?, \
         note = 'the subscription does not want it any more' \
         WHERE channel = ? AND user = ? AND state = 'pending' AND address NOT IN (SELECT value FROM json_each(?))",
    )
    .bind(now)
    .bind(channel)
    .bind(user)
    .bind(kept)
    .execute(connection)
    .await?;
    Ok(())
}

async fn refresh(connection: &mut SqliteConnection, user: &str, channel: &str) -> Result<(), Failure> {
    turns::refresh(connection, &BTreeSet::from([(channel.to_owned(), user.to_owned())])).await
}
