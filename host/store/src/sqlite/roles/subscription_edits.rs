//! Changes of subscriptions, each with its consequences for pending deliveries and open digests in the same
//! transaction.

use std::collections::{BTreeMap, BTreeSet};

use sqlx::QueryBuilder;
use sqlx::sqlite::{Sqlite, SqliteConnection};
use tidings_domain::subscription::{Edit, Subscription};

use super::subscription_rows::rows_of;
use crate::roles::{Change, SubscriptionRow};
use crate::sqlite::changes;
use crate::sqlite::failure::WriteFailure;
use crate::sqlite::queue::{digest_assembly, fair_queue};

/// Subscriptions in one statement: seven variables each, below SQLite's limit of 32,766.
const CHUNK: usize = 500;

/// Replaces the subscriptions; pending deliveries to addresses that they no longer have are cancelled. Of several for
/// one user and channel the last counts.
pub(crate) async fn put(
    connection: &mut SqliteConnection,
    subscriptions: Vec<SubscriptionRow>,
    now: i64,
) -> Result<(), WriteFailure> {
    let rows: BTreeMap<(String, String), SubscriptionRow> =
        subscriptions.into_iter().map(|row| ((row.channel.clone(), row.user.clone()), row)).collect();
    let rows: Vec<&SubscriptionRow> = rows.values().collect();
    for rows in rows.chunks(CHUNK) {
        write(connection, rows, now).await?;
        for row in with_pending(connection, rows).await? {
            update_pending(connection, row, now).await?;
        }
    }
    let users: BTreeSet<&String> = rows.iter().map(|row| &row.user).collect();
    let changes = users.into_iter().cloned().map(Change::User).collect();
    changes::publish_many(connection, changes, Change::AllSubscriptions, now).await
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

/// The subscriptions that have pending deliveries; their users have a turn.
async fn with_pending<'a>(
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
    let pending = |row: &&&'a SubscriptionRow| turns.contains(&(row.channel.clone(), row.user.clone()));
    Ok(rows.iter().filter(pending).copied().collect())
}

/// Changes the pending deliveries of a subscription that was written.
async fn update_pending(
    connection: &mut SqliteConnection,
    row: &SubscriptionRow,
    now: i64,
) -> Result<(), WriteFailure> {
    let kept = if row.enabled { row.addresses_text()? } else { "[]" };
    cancel(connection, &row.user, &row.channel, kept, now).await?;
    digest_assembly::retime(connection, &row.channel, &row.user, row.options()?.digest, now).await?;
    refresh(connection, &row.user, &row.channel).await
}

/// Reads the subscription, applies the edit, and writes it back; returns whether it changed.
pub(crate) async fn edit(
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

/// Writes `new` in the place of the subscription that equals `present`, or deletes it; returns whether there was such a one.
pub(crate) async fn replace(
    connection: &mut SqliteConnection,
    present: &Subscription,
    new: Option<SubscriptionRow>,
    now: i64,
) -> Result<bool, WriteFailure> {
    let (user, channel) = (present.user.as_str(), present.channel.as_str());
    let rows = rows_of(connection, user).await?;
    match rows.into_iter().find(|row| row.channel == channel) {
        Some(row) if row.read()? == *present => {}
        _ => return Ok(false),
    }
    match new {
        Some(row) => put(connection, vec![row], now).await?,
        None => {
            delete(connection, user, channel, now).await?;
        }
    }
    Ok(true)
}

/// Deletes the subscription and cancels its pending deliveries; returns whether there was one.
pub(crate) async fn delete(
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
    changes::publish(connection, [Change::User(user.to_owned())], now).await?;
    Ok(true)
}

/// Cancels pending deliveries to addresses other than those `kept` (a JSON array).
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
