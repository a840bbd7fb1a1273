//! Lists of deliveries, and retries of dead ones.

use sqlx::QueryBuilder;
use sqlx::sqlite::{Sqlite, SqliteConnection};
use tidings_domain::delivery::{DeliveryId, DeliveryState};

use super::books;
use super::fair_queue::{self, ChannelUser};
use crate::roles::{DeliveryQuery, DeliveryRow};
use crate::sqlite::failure::WriteFailure;
use crate::sqlite::row::from_row;
use crate::sqlite::value::{delivery_id, id_bytes, size, state, timestamp};

/// A row of the list.
struct ListedDelivery {
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

from_row!(ListedDelivery {
    id,
    channel,
    user,
    address,
    filter,
    state,
    attempts,
    accepted_at,
    not_before,
    updated_at,
    note,
    message_id,
    topic,
    subtitle,
});

impl ListedDelivery {
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
pub(crate) async fn deliveries(
    connection: &mut SqliteConnection,
    query: &DeliveryQuery,
) -> Result<Vec<DeliveryRow>, WriteFailure> {
    let rows: Vec<ListedDelivery> = listing(query)?.build_query_as().fetch_all(connection).await?;
    rows.into_iter().map(ListedDelivery::read).collect()
}

/// The statement that lists these deliveries.
pub(crate) fn listing(query: &DeliveryQuery) -> Result<QueryBuilder<Sqlite>, WriteFailure> {
    let mut sql = QueryBuilder::<Sqlite>::new(
        "SELECT d.id, d.channel, d.user, d.address, d.filter, d.state, d.attempts, d.accepted_at, d.not_before, \
         d.updated_at, d.note, m.id AS message_id, m.topic, m.subtitle \
         FROM deliveries d JOIN messages m ON m.seq = d.message WHERE true",
    );
    match query.state {
        // The condition of the partial index is repeated: a bound value does not match it.
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
        // Settled deliveries have an index by user; pending ones are found by channel and user.
        sql.push(" AND d.seq IN (SELECT seq FROM deliveries WHERE state <> 'pending' AND user = ").push_bind(user);
        sql.push(" UNION ALL ").push(books::PENDING_OF_USER).push_bind(user).push(")");
    }
    if let Some(after) = &query.after {
        // Ids have no index, since every insertion would maintain it. Pages are near the newest rows, where this scan
        // starts.
        sql.push(" AND d.seq < (SELECT seq FROM deliveries WHERE id = ").push_bind(id_bytes(after)?);
        sql.push(" ORDER BY seq DESC LIMIT 1)");
    }
    sql.push(" ORDER BY d.seq DESC LIMIT ").push_bind(size(query.limit));
    Ok(sql)
}

/// Makes dead deliveries pending again. Members of a digest come back together, and `id` may be theirs or the digest's.
pub(crate) async fn retry_dead(
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
