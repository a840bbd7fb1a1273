//! Subscriptions: one row for each user and channel, rules and settings as documents in it. Editing one settles what waits
//! for it in the same transaction.

use std::collections::{BTreeMap, BTreeSet};

use crate::limits::SUBSCRIPTION_PAGE_BYTES;
use futures::TryStreamExt as _;
use sqlx::QueryBuilder;
use sqlx::sqlite::{Sqlite, SqliteConnection};
use tidings_domain::subscription::{Edit, Subscription};

use super::failure::WriteFailure;
use super::{digest_assembly, fair_queue, feed};
use crate::{Change, SubscriptionRow};

/// Subscriptions in one statement: seven variables each, below SQLite's 32,766.
const ROWS: usize = 500;

/// The columns of a `SubscriptionRow`.
type Columns = (String, String, bool, Vec<u8>, Vec<u8>, Vec<u8>);

/// Where a page begins.
#[derive(Clone, Copy)]
pub(super) enum Behind<'a> {
    /// A user's channel. The page ends with any row.
    Row(&'a str, &'a str),
    /// All of a user's. The page ends with all of its last user's.
    User(&'a str),
}

/// The next rows, by user and channel: `limit`, or fewer where they are large, but one at least.
pub(super) async fn page(
    connection: &mut SqliteConnection,
    behind: Behind<'_>,
    limit: u32,
) -> Result<Vec<SubscriptionRow>, WriteFailure> {
    let query = match behind {
        Behind::Row(user, channel) => sqlx::query_as::<_, Columns>(PAGE).bind(user).bind(channel),
        Behind::User(user) => sqlx::query_as::<_, Columns>(PAGE_OF_USERS).bind(user),
    };
    let limit = usize::try_from(limit).unwrap_or(usize::MAX).max(1);
    let mut page: Vec<SubscriptionRow> = Vec::new();
    let mut bytes = 0;
    let mut rows = query.fetch(connection);
    while let Some(columns) = rows.try_next().await? {
        let row = SubscriptionRow::new(columns);
        let full = page.len() >= limit || bytes >= SUBSCRIPTION_PAGE_BYTES;
        let same_user = page.last().is_some_and(|last| last.user == row.user);
        if full && !(same_user && matches!(behind, Behind::User(_))) {
            break;
        }
        bytes += row.size();
        page.push(row);
    }
    Ok(page)
}

/// Rows behind a user's channel. No limit: the reader stops.
pub(super) const PAGE: &str = "SELECT user, channel, enabled, addresses, settings, filters FROM subscriptions \
     WHERE deleted_at IS NULL AND (user, channel) > (?, ?) ORDER BY user, channel";

/// Rows behind all of a user's.
pub(super) const PAGE_OF_USERS: &str = "SELECT user, channel, enabled, addresses, settings, filters \
     FROM subscriptions WHERE deleted_at IS NULL AND user > ? ORDER BY user, channel";

/// One user's, by channel.
pub(super) async fn rows_of(
    connection: &mut SqliteConnection,
    user: &str,
) -> Result<Vec<SubscriptionRow>, WriteFailure> {
    let rows: Vec<Columns> = sqlx::query_as(
        "SELECT user, channel, enabled, addresses, settings, filters FROM subscriptions \
         WHERE user = ? AND deleted_at IS NULL ORDER BY channel",
    )
    .bind(user)
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(SubscriptionRow::new).collect())
}

/// Whose address it is.
pub(super) async fn owner(
    connection: &mut SqliteConnection,
    channel: &str,
    address: &str,
) -> Result<Option<String>, WriteFailure> {
    let query = "SELECT user FROM subscriptions WHERE channel = ? AND deleted_at IS NULL \
         AND EXISTS (SELECT 1 FROM json_each(addresses) WHERE value = ?) ORDER BY user LIMIT 1";
    Ok(sqlx::query_scalar(query).bind(channel).bind(address).fetch_optional(connection).await?)
}

/// Replaces the subscriptions; what waits for an address that one does not have any more is cancelled. Of several for one
/// user and channel the last counts.
pub(super) async fn put(
    connection: &mut SqliteConnection,
    subscriptions: Vec<SubscriptionRow>,
    now: i64,
) -> Result<(), WriteFailure> {
    let rows: BTreeMap<(String, String), SubscriptionRow> =
        subscriptions.into_iter().map(|row| ((row.channel.clone(), row.user.clone()), row)).collect();
    let rows: Vec<&SubscriptionRow> = rows.values().collect();
    for rows in rows.chunks(ROWS) {
        write(connection, rows, now).await?;
        for row in waiting(connection, rows).await? {
            follow(connection, row, now).await?;
        }
    }
    let users: BTreeSet<&String> = rows.iter().map(|row| &row.user).collect();
    let changes = users.into_iter().cloned().map(Change::User).collect();
    feed::publish_many(connection, changes, Change::AllSubscriptions, now).await
}

async fn write(connection: &mut SqliteConnection, rows: &[&SubscriptionRow], now: i64) -> Result<(), WriteFailure> {
    let mut documents = Vec::with_capacity(rows.len());
    for row in rows {
        documents.push((row, row.addresses_text()?, row.settings_text()?, row.filters()?));
    }
    let mut query = QueryBuilder::<Sqlite>::new(
        "INSERT INTO subscriptions (user, channel, enabled, updated_at, addresses, settings, filters) ",
    );
    query.push_values(documents, |mut values, (row, addresses, settings, filters)| {
        values.push_bind(&row.user).push_bind(&row.channel).push_bind(row.enabled).push_bind(now);
        values.push_bind(addresses).push_bind(settings).push_bind(filters);
    });
    query.push(
        " ON CONFLICT (user, channel) DO UPDATE SET \
         enabled = excluded.enabled, deleted_at = NULL, updated_at = excluded.updated_at, \
         addresses = excluded.addresses, settings = excluded.settings, filters = excluded.filters",
    );
    query.build().persistent(rows.len() == 1).execute(connection).await?;
    Ok(())
}

/// Those for whom something waits; a user for whom nothing does has no turn.
async fn waiting<'a>(
    connection: &mut SqliteConnection,
    rows: &[&'a SubscriptionRow],
) -> Result<Vec<&'a SubscriptionRow>, WriteFailure> {
    let mut query = QueryBuilder::<Sqlite>::new("WITH pair (channel, user) AS (");
    query.push_values(rows, |mut values, row| {
        values.push_bind(&row.channel).push_bind(&row.user);
    });
    query.push(
        ") SELECT turns.channel, turns.user FROM pair CROSS JOIN turns ON turns.channel = pair.channel \
         AND turns.user = pair.user WHERE turns.ready_at IS NOT NULL",
    );
    let turns: Vec<fair_queue::ChannelUser> =
        query.build_query_as().persistent(rows.len() == 1).fetch_all(connection).await?;
    let turns: BTreeSet<fair_queue::ChannelUser> = turns.into_iter().collect();
    let waits = |row: &&&'a SubscriptionRow| turns.contains(&(row.channel.clone(), row.user.clone()));
    Ok(rows.iter().filter(waits).copied().collect())
}

/// What waits follows what was written.
async fn follow(connection: &mut SqliteConnection, row: &SubscriptionRow, now: i64) -> Result<(), WriteFailure> {
    let kept = if row.enabled { row.addresses_text()? } else { "[]" };
    cancel(connection, &row.user, &row.channel, kept, now).await?;
    digest_assembly::retime(connection, &row.channel, &row.user, row.options()?.digest, now).await?;
    refresh(connection, &row.user, &row.channel).await
}

/// Reads the subscription, changes it, and writes it back, all in one transaction; whether there was anything to change.
pub(super) async fn edit(
    connection: &mut SqliteConnection,
    user: &str,
    channel: &str,
    edit: &Edit,
    now: i64,
) -> Result<bool, WriteFailure> {
    let rows = rows_of(connection, user).await?;
    let Some(row) = rows.into_iter().find(|row| row.channel == channel) else { return Ok(false) };
    let mut subscription: Subscription = row.read()?;
    let changed = edit.apply(&mut subscription);
    if changed {
        put(connection, vec![SubscriptionRow::write(&subscription)?], now).await?;
    }
    Ok(changed)
}

/// Deletes the subscription and cancels what waits for it; whether there was one.
pub(super) async fn delete(
    connection: &mut SqliteConnection,
    user: &str,
    channel: &str,
    now: i64,
) -> Result<bool, WriteFailure> {
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
    feed::publish(connection, [Change::User(user.to_owned())], now).await?;
    Ok(true)
}

/// Cancels what waits for addresses other than those `kept` (a JSON array).
async fn cancel(
    connection: &mut SqliteConnection,
    user: &str,
    channel: &str,
    kept: &str,
    now: i64,
) -> Result<(), WriteFailure> {
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

async fn refresh(connection: &mut SqliteConnection, user: &str, channel: &str) -> Result<(), WriteFailure> {
    fair_queue::refresh(connection, &BTreeSet::from([(channel.to_owned(), user.to_owned())])).await
}
