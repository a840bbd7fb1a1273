//! The role `EventStreamStore`.

use std::collections::BTreeSet;

use async_trait::async_trait;
use sqlx::sqlite::SqliteConnection;
use tidings_domain::time::Timestamp;

use crate::error::Result;
use crate::limits::{STREAM_ENTRIES, STREAM_PAGE};
use crate::roles::{EventStreamStore, NewEntry, StreamEntry};
use crate::sqlite::failure::WriteFailure;
use crate::sqlite::store::SqliteStore;
use crate::sqlite::value::millis;

#[async_trait]
impl EventStreamStore for SqliteStore {
    async fn append(&self, channel: &str, new: Vec<NewEntry>, now: Timestamp) -> Result<()> {
        let channel = channel.to_owned();
        let work = self.writer.write("adds to event streams", move |connection| {
            Box::pin(async move { append(connection, &channel, &new, millis(now)).await })
        });
        work.await
    }

    async fn entries(&self, channel: &str, address: &str, after: u64) -> Result<Vec<StreamEntry>> {
        let doing = "reads an event stream";
        let mut connection = self.reader(doing).await?;
        entries(&mut connection, channel, address, after).await.map_err(|failure| failure.into_error(doing))
    }
}

async fn append(
    connection: &mut SqliteConnection,
    channel: &str,
    entries: &[NewEntry],
    now: i64,
) -> Result<(), WriteFailure> {
    for entry in entries {
        sqlx::query(
            "INSERT INTO stream_entries (channel, address, delivery, at, data) VALUES (?, ?, ?, ?, ?) \
             ON CONFLICT (delivery) DO NOTHING",
        )
        .bind(channel)
        .bind(&entry.address)
        .bind(&entry.delivery)
        .bind(now)
        .bind(&entry.data)
        .execute(&mut *connection)
        .await?;
    }
    let addresses: BTreeSet<&str> = entries.iter().map(|entry| entry.address.as_str()).collect();
    for address in addresses {
        sqlx::query(
            "DELETE FROM stream_entries WHERE channel = ?1 AND address = ?2 AND seq <= (SELECT seq FROM stream_entries \
             WHERE channel = ?1 AND address = ?2 ORDER BY seq DESC LIMIT 1 OFFSET ?3)",
        )
        .bind(channel)
        .bind(address)
        .bind(i64::from(STREAM_ENTRIES))
        .execute(&mut *connection)
        .await?;
    }
    Ok(())
}

async fn entries(
    connection: &mut SqliteConnection,
    channel: &str,
    address: &str,
    after: u64,
) -> Result<Vec<StreamEntry>, WriteFailure> {
    let rows: Vec<(i64, String)> = sqlx::query_as(
        "SELECT seq, data FROM stream_entries WHERE channel = ?1 AND address = ?2 AND seq > iif(?3 > \
         (SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'stream_entries'), 0, ?3) \
         ORDER BY seq LIMIT ?4",
    )
    .bind(channel)
    .bind(address)
    .bind(i64::try_from(after).unwrap_or(i64::MAX))
    .bind(i64::from(STREAM_PAGE))
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(|(seq, data)| StreamEntry { seq: seq.unsigned_abs(), data }).collect())
}

/// Deletes entries added before that time.
pub(crate) async fn prune(connection: &mut SqliteConnection, before: i64) -> Result<(), WriteFailure> {
    sqlx::query("DELETE FROM stream_entries WHERE at < ?").bind(before).execute(connection).await?;
    Ok(())
}
