//! What an administrator asks of the queue: the books, lists, another try for the dead, and forgetting what is over.

use std::collections::BTreeMap;

use crate::limits::PRUNE_BATCH;
use sqlx::sqlite::{Sqlite, SqliteConnection};
use sqlx::{FromRow, QueryBuilder};
use tidings_domain::delivery::{DeliveryId, DeliveryState};

use super::failure::WriteFailure;
use super::fair_queue::{self, ChannelUser};
use super::value::{count, delivery_id, id_bytes, size, state, timestamp, to_json};
use super::{confirmation, feed, stream};
use crate::{Books, DeliveryQuery, DeliveryRow};

/// The books by channel.
pub(super) async fn books(connection: &mut SqliteConnection) -> Result<BTreeMap<String, Books>, WriteFailure> {
    // One statement, so that both counts are of the same moment.
    let rows: Vec<(String, String, i64)> = sqlx::query_as(
        "SELECT channel, 'accepted', n FROM books_accepted UNION ALL SELECT channel, state, kept + pruned FROM books",
    )
    .fetch_all(connection)
    .await?;
    let mut all = BTreeMap::<String, Books>::new();
    for (channel, word, n) in rows {
        let books = all.entry(channel).or_default();
        let place = match DeliveryState::parse(&word) {
            None => &mut books.accepted,
            Some(DeliveryState::Pending) => &mut books.pending,
            Some(DeliveryState::Delivered) => &mut books.delivered,
            Some(DeliveryState::Dead) => &mut books.dead,
            Some(DeliveryState::Cancelled) => &mut books.cancelled,
        };
        *place = count(n);
    }
    Ok(all)
}

#[derive(FromRow)]
struct Row {
    id: Vec<u8>,
    channel: String,
    user: String,
    address: String,
    filter: String,
    state: String,
    attempts: u32,
    accepted_at: i64,
    not_before: i64,
    updated_at: i64,
    note: Option<String>,
    message_id: String,
    topic: String,
    subtitle: Option<String>,
}

impl Row {
    fn read(self) -> Result<DeliveryRow, WriteFailure> {
        Ok(DeliveryRow {
            id: delivery_id(&self.id)?,
            channel: self.channel,
            user: self.user,
            address: self.address,
            filter: Some(self.filter),
            state: state(&self.state)?,
            attempts: self.attempts,
            accepted_at: timestamp(self.accepted_at),
            not_before: timestamp(self.not_before),
            updated_at: timestamp(self.updated_at),
            note: self.note,
            message_id: self.message_id,
            topic: self.topic,
            subtitle: self.subtitle.unwrap_or_default(),
        })
    }
}

/// Deliveries, newest first.
pub(super) async fn deliveries(
    connection: &mut SqliteConnection,
    query: &DeliveryQuery,
) -> Result<Vec<DeliveryRow>, WriteFailure> {
    let rows: Vec<Row> = listing(query)?.build_query_as().fetch_all(connection).await?;
    rows.into_iter().map(Row::read).collect()
}

/// The statement that lists these deliveries.
pub(super) fn listing(query: &DeliveryQuery) -> Result<QueryBuilder<Sqlite>, WriteFailure> {
    let mut sql = QueryBuilder::<Sqlite>::new(
        "SELECT d.id, d.channel, d.user, d.address, d.filter, d.state, d.attempts, d.accepted_at, d.not_before, \
         d.updated_at, d.note, m.id AS message_id, m.topic, m.subtitle \
         FROM deliveries d JOIN messages m ON m.seq = d.message WHERE true",
    );
    match query.state {
        // Said again in the words of the partial index, which a bound value does not match.
        Some(state @ (DeliveryState::Dead | DeliveryState::Cancelled)) => {
            sql.push(" AND d.state IN ('dead', 'cancelled') AND d.state = ").push_bind(state.as_str());
        }
        Some(state) => {
            sql.push(" AND d.state = ").push_bind(state.as_str());
        }
        None => {}
    }
    if let Some(channel) = &query.channel {
        sql.push(" AND d.channel = ").push_bind(channel);
    }
    if let Some(user) = &query.user {
        sql.push(" AND d.user = ").push_bind(user);
        // What is over has an index by user; what waits is found by channel and user.
        sql.push(" AND d.seq IN (SELECT seq FROM deliveries WHERE state <> 'pending' AND user = ").push_bind(user);
        sql.push(
            " UNION ALL SELECT x.seq FROM books_accepted b CROSS JOIN deliveries x \
             WHERE x.channel = b.channel AND x.state = 'pending' AND x.user = ",
        );
        sql.push_bind(user).push(")");
    }
    if let Some(after) = &query.after {
        // Ids have no index, which every insertion would pay for. Whoever pages is near the newest, where this begins.
        sql.push(" AND d.seq < (SELECT seq FROM deliveries WHERE id = ").push_bind(id_bytes(after)?);
        sql.push(" ORDER BY seq DESC LIMIT 1)");
    }
    sql.push(" ORDER BY d.seq DESC LIMIT ").push_bind(size(query.limit));
    Ok(sql)
}

/// Dead deliveries are pending again. Members of a digest come back together, and `id` may be theirs or the digest's.
pub(super) async fn retry_dead(
    connection: &mut SqliteConnection,
    channel: Option<&str>,
    id: Option<&DeliveryId>,
    now: i64,
) -> Result<u64, WriteFailure> {
    let rows: Vec<ChannelUser> = sqlx::query_as(
        "UPDATE deliveries SET state = 'pending', attempts = 0, accepted_at = ?1, not_before = ?1, due_at = ?1, \
         updated_at = ?1 WHERE state IN ('dead', 'cancelled') AND state = 'dead' AND (?2 IS NULL OR channel = ?2) AND (?3 IS NULL \
         OR id = ?3 OR digest = ?3 OR digest = (SELECT x.digest FROM deliveries x WHERE x.id = ?3)) \
         RETURNING channel, user",
    )
    .bind(now)
    .bind(channel)
    .bind(id.map(id_bytes).transpose()?)
    .fetch_all(&mut *connection)
    .await?;
    let revived = rows.len() as u64;
    fair_queue::refresh(connection, &rows.into_iter().collect()).await?;
    Ok(revived)
}

/// A message that pruning looked at: when it was seen, and its number.
pub(super) type PruneCursor = (i64, i64);

/// Forgets the next messages after `from` that are over. Returns how many, and where to go on if there may be more.
pub(super) async fn prune(
    connection: &mut SqliteConnection,
    seen_before: i64,
    from: PruneCursor,
) -> Result<(u64, Option<PruneCursor>), WriteFailure> {
    let over: Vec<PruneCursor> = sqlx::query_as(
        "SELECT seen_at, seq FROM messages WHERE seen_at < ? AND (seen_at, seq) > (?, ?) AND NOT EXISTS \
         (SELECT 1 FROM deliveries d WHERE d.message = messages.seq AND d.state IN ('pending', 'dead')) \
         ORDER BY seen_at, seq LIMIT ?",
    )
    .bind(seen_before)
    .bind(from.0)
    .bind(from.1)
    .bind(PRUNE_BATCH)
    .fetch_all(&mut *connection)
    .await?;
    let seqs: Vec<i64> = over.iter().map(|(_, seq)| *seq).collect();
    let seqs = to_json("message", &seqs)?;
    for sql in [
        "UPDATE books SET pruned = pruned + gone.n FROM (SELECT channel, state, count(*) AS n FROM deliveries \
         WHERE message IN (SELECT value FROM json_each(?)) GROUP BY channel, state) gone \
         WHERE books.channel = gone.channel AND books.state = gone.state",
        "DELETE FROM deliveries WHERE message IN (SELECT value FROM json_each(?))",
        "DELETE FROM messages WHERE seq IN (SELECT value FROM json_each(?))",
    ] {
        sqlx::query(sql).bind(&seqs).execute(&mut *connection).await?;
    }
    let full = over.len() as u64 == u64::from(PRUNE_BATCH);
    Ok((over.len() as u64, over.last().copied().filter(|_| full)))
}

/// Forgets marks of deleted subscriptions, turns of users for whom nothing waits, and old changes.
pub(super) async fn sweep(connection: &mut SqliteConnection, before: i64) -> Result<(), WriteFailure> {
    sqlx::query("DELETE FROM subscriptions WHERE deleted_at < ?").bind(before).execute(&mut *connection).await?;
    sqlx::query("DELETE FROM turns WHERE ready_at IS NULL").execute(&mut *connection).await?;
    stream::prune(connection, before).await?;
    confirmation::expire(connection, before).await?;
    feed::prune(connection).await
}

/// Writes a counter that means nothing, to see that writing works; returns its value.
pub(super) async fn bump(connection: &mut SqliteConnection) -> Result<i64, WriteFailure> {
    let n = sqlx::query_scalar("UPDATE counters SET n = n + 1 WHERE name = 'check' RETURNING n");
    Ok(n.fetch_one(connection).await?)
}

/// The value that `bump` wrote last.
pub(super) async fn bumped(connection: &mut SqliteConnection) -> Result<i64, WriteFailure> {
    Ok(sqlx::query_scalar("SELECT n FROM counters WHERE name = 'check'").fetch_one(connection).await?)
}
