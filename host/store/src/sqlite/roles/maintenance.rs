//! The role `Maintenance`.

use async_trait::async_trait;
use sqlx::sqlite::SqliteConnection;
use tidings_domain::time::Timestamp;

use super::{confirmations, event_streams};
use crate::error::{Result, StoreError};
use crate::roles::Maintenance;
use crate::sqlite::changes;
use crate::sqlite::failure::WriteFailure;
use crate::sqlite::queue::pruning;
use crate::sqlite::store::SqliteStore;
use crate::sqlite::value::millis;

#[async_trait]
impl Maintenance for SqliteStore {
    async fn prune(&self, seen_before: Timestamp) -> Result<u64> {
        let before = millis(seen_before);
        let (mut pruned, mut from) = (0, Some((i64::MIN, 0)));
        while let Some(cursor) = from {
            let step = self.writer.write("prunes messages", move |connection| {
                Box::pin(async move { pruning::messages(connection, before, cursor).await })
            });
            let (messages, next) = step.await?;
            pruned += messages;
            from = next;
        }
        let work = self.writer.write("prunes messages", move |connection| Box::pin(delete_old(connection, before)));
        work.await?;
        Ok(pruned)
    }

    async fn check(&self) -> Result<()> {
        let work = self.writer.write("is checked", |connection| Box::pin(write_check(connection)));
        let written = work.await?;
        let doing = "is checked";
        let mut connection = self.reader(doing).await?;
        let read = read_check(&mut connection).await.map_err(|failure| failure.into_error(doing))?;
        if read < written {
            let detail = format!("{written} was written and {read} is read");
            return Err(StoreError::Damaged { what: "counter", detail });
        }
        Ok(())
    }

    async fn close(&self) {
        self.writer.close().await;
        self.readers.close().await;
    }
}

/// Deletes marks of deleted subscriptions, turns of users who have nothing pending, and what is old in the other
/// tables.
async fn delete_old(connection: &mut SqliteConnection, before: i64) -> Result<(), WriteFailure> {
    sqlx::query("DELETE FROM subscriptions WHERE deleted_at < ?").bind(before).execute(&mut *connection).await?;
    pruning::idle_turns(connection).await?;
    event_streams::prune(connection, before).await?;
    confirmations::expire(connection, before).await?;
    changes::prune(connection).await
}

/// Increments the counter of the readiness check; returns its value.
async fn write_check(connection: &mut SqliteConnection) -> Result<i64, WriteFailure> {
    let n = sqlx::query_scalar("UPDATE counters SET n = n + 1 WHERE name = 'check' RETURNING n");
    Ok(n.fetch_one(connection).await?)
}

/// The value that `write_check` wrote last.
async fn read_check(connection: &mut SqliteConnection) -> Result<i64, WriteFailure> {
    Ok(sqlx::query_scalar("SELECT n FROM counters WHERE name = 'check'").fetch_one(connection).await?)
}
