//! Failure policies: deliveries that have been pending on their channel for too long become dead, or go to another
//! channel. Only deliveries that are due and not leased change; an expired lease does not count. A digest is as old as
//! its latest member, and its members change together.

use std::collections::BTreeSet;

use sqlx::sqlite::SqliteConnection;
use tidings_domain::delivery::DeliveryId;
use tidings_domain::message::MessageId;
use tidings_domain::subscription::Style;
use tidings_domain::time::Timestamp;

use super::books;
use super::fair_queue::{self, ChannelUser};
use crate::limits::POLICY_BATCH;
use crate::roles::SettingsDocument;
use crate::sqlite::failure::WriteFailure;
use crate::sqlite::row::from_row;
use crate::sqlite::value::{id_bytes, millis, style_bits};

/// The late rows of channel ?1, accepted before ?2, at ?3.
const LATE: &str = "d.channel = ?1 AND d.state = 'pending' AND (d.lease IS NULL OR d.due_at <= ?3) \
     AND d.accepted_at < ?2 \
     AND NOT EXISTS (SELECT 1 FROM deliveries m WHERE m.digest = d.digest AND d.digest IS NOT NULL \
         AND (m.accepted_at >= ?2 OR (m.lease IS NOT NULL AND m.due_at > ?3))) \
     AND (d.gathered IS NULL OR NOT EXISTS (SELECT 1 FROM deliveries m WHERE m.channel = d.channel \
         AND m.user = d.user AND m.address = d.address AND m.gathered IS NOT NULL \
         AND (m.accepted_at >= ?2 OR (m.lead = 1 AND m.due_at > ?3))))";

/// The channel ?5 can take deliveries: one that is disabled or quarantined would hold them too, and they would be late
/// again.
const OPEN: &str = "EXISTS (SELECT 1 FROM channels c WHERE c.name = ?5 AND c.enabled \
     AND json_extract(c.life, '$.quarantine') IS NULL)";

/// The user's first address there; none where the subscription cannot be read.
const ADDRESS: &str = "CASE WHEN json_valid(s.addresses) THEN json_extract(s.addresses, '$[0]') END";

/// Rows that have an address on channel ?5.
fn movable() -> String {
    format!(
        "deliveries d JOIN messages m ON m.seq = d.message \
         JOIN subscriptions s ON s.user = d.user AND s.channel = ?5 AND s.enabled AND s.deleted_at IS NULL \
         WHERE {OPEN} AND {ADDRESS} IS NOT NULL AND NOT EXISTS ( \
         SELECT 1 FROM deliveries x WHERE x.message = d.message AND x.channel = ?5 \
         AND x.address = {ADDRESS} AND x.state IN ('dead', 'cancelled'))"
    )
}

/// In the order of the index of due rows. The members of a digest come before their leading row, so that a crash
/// between two transactions does not leave a digest without it.
const ORDER: &str = "ORDER BY d.user, d.lead, d.due_at";

/// Which deliveries of which channel.
pub(crate) struct FailureFilter {
    channel: String,
    accepted_before: i64,
    reason: String,
    now: i64,
}

impl FailureFilter {
    pub(crate) fn new(channel: &str, accepted_before: Timestamp, reason: &str, now: Timestamp) -> FailureFilter {
        let (channel, reason) = (channel.to_owned(), reason.to_owned());
        FailureFilter { channel, accepted_before: millis(accepted_before), reason, now: millis(now) }
    }

    /// Whether there is a delivery to drop or move, without the writer. One that has no address on `to` does not count.
    pub(crate) async fn any(&self, connection: &mut SqliteConnection, to: Option<&str>) -> Result<bool, WriteFailure> {
        let sql = match to {
            Some(_) => format!("SELECT EXISTS (SELECT 1 FROM {} AND {LATE})", movable()),
            None => format!("SELECT EXISTS (SELECT 1 FROM deliveries d WHERE {LATE})"),
        };
        let query = sqlx::query_scalar(sqlx::AssertSqlSafe(sql));
        let query = query.bind(&self.channel).bind(self.accepted_before).bind(self.now);
        Ok(query.bind(POLICY_BATCH).bind(to).fetch_one(connection).await?)
    }

    /// Makes some of them dead; returns how many.
    pub(crate) async fn give_up(&self, connection: &mut SqliteConnection) -> Result<u64, WriteFailure> {
        let sql = format!(
            "UPDATE deliveries SET state = 'dead', gathered = NULL, lease = NULL, updated_at = ?3, note = ?5 \
             WHERE seq IN (SELECT d.seq FROM deliveries d WHERE {LATE} {ORDER} LIMIT ?4) RETURNING channel, user"
        );
        let rows: Vec<ChannelUser> = sqlx::query_as(sqlx::AssertSqlSafe(sql))
            .bind(&self.channel)
            .bind(self.accepted_before)
            .bind(self.now)
            .bind(POLICY_BATCH)
            .bind(&self.reason)
            .fetch_all(&mut *connection)
            .await?;
        let dropped = rows.len() as u64;
        fair_queue::refresh(connection, &rows.into_iter().collect()).await?;
        Ok(dropped)
    }

    /// Moves some of them to their users' first addresses on the channel `to`, as single deliveries that are due now;
    /// returns how many left their channel. Deliveries of users who have no address there stay, and so do those whose
    /// message was given up there. All stay where `to` is disabled or quarantined.
    pub(crate) async fn move_to(&self, connection: &mut SqliteConnection, to: &str) -> Result<u64, WriteFailure> {
        let mut pairs = BTreeSet::<ChannelUser>::new();
        let rows = self.movable(connection, to).await?;
        let (mut left, mut made) = (0, 0);
        for row in rows {
            made += self.copy(connection, to, &row).await?;
            let moved: Vec<ChannelUser> = sqlx::query_as(
                "UPDATE deliveries SET state = 'cancelled', gathered = NULL, lease = NULL, updated_at = ?, note = ? \
                 WHERE seq = ? RETURNING channel, user",
            )
            .bind(self.now)
            .bind(&self.reason)
            .bind(row.seq)
            .fetch_all(&mut *connection)
            .await?;
            left += moved.len() as u64;
            pairs.extend(moved);
            pairs.insert((to.to_owned(), row.user));
        }
        books::add_accepted(connection, to, made).await?;
        fair_queue::refresh(connection, &pairs).await?;
        Ok(left)
    }

    async fn movable(&self, connection: &mut SqliteConnection, to: &str) -> Result<Vec<Movable>, WriteFailure> {
        let sql = format!(
            "SELECT d.seq, d.message, m.id AS message_id, d.user, d.filter, d.accepted_at, \
             {ADDRESS} AS address, CAST(s.settings AS BLOB) AS settings FROM {} AND {LATE} {ORDER} LIMIT ?4",
            movable()
        );
        let rows = sqlx::query_as(sqlx::AssertSqlSafe(sql))
            .bind(&self.channel)
            .bind(self.accepted_before)
            .bind(self.now)
            .bind(POLICY_BATCH)
            .bind(to)
            .fetch_all(connection)
            .await?;
        Ok(rows)
    }

    /// Inserts a delivery of the same message on the other channel, unless there is one; returns how many it inserted.
    async fn copy(&self, connection: &mut SqliteConnection, to: &str, row: &Movable) -> Result<i64, WriteFailure> {
        // Settings that cannot be read do not stop the delivery: it uses the default style.
        let settings: Result<SettingsDocument, _> = serde_json::from_slice(&row.settings);
        let style = settings.map_or_else(|_| Style::default(), |settings| settings.style);
        let id = DeliveryId::derive(&MessageId::made(&row.message_id), to, &row.address);
        let made = sqlx::query(
            "INSERT INTO deliveries (id, message, channel, user, address, filter, style, accepted_at, not_before, \
             due_at, updated_at, note) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?9, ?9, ?10) \
             ON CONFLICT (message, channel, address) DO NOTHING",
        )
        .bind(id_bytes(&id)?)
        .bind(row.message)
        .bind(to)
        .bind(&row.user)
        .bind(&row.address)
        .bind(&row.filter)
        .bind(style_bits(style))
        .bind(row.accepted_at)
        .bind(self.now)
        .bind(&self.reason)
        .execute(connection)
        .await?;
        Ok(i64::try_from(made.rows_affected()).unwrap_or(0))
    }
}

/// A late delivery and the address on the other channel.
struct Movable {
    seq: i64,
    message: i64,
    message_id: String,
    user: String,
    filter: String,
    accepted_at: i64,
    address: String,
    settings: Vec<u8>,
}

from_row!(Movable { seq, message, message_id, user, filter, accepted_at, address, settings });
