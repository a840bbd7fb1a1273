//! Pruning of the queue: messages whose deliveries are all settled, and users who have nothing pending.

use sqlx::sqlite::SqliteConnection;

use super::books;
use crate::limits::PRUNE_BATCH;
use crate::sqlite::failure::WriteFailure;
use crate::sqlite::value::to_json;

/// The last message that pruning looked at: when it was seen, and its row number.
pub(crate) type PruneCursor = (i64, i64);

/// Deletes the next settled messages after `from`. Returns how many, and where to continue if there may be more.
pub(crate) async fn messages(
    connection: &mut SqliteConnection,
    seen_before: i64,
    from: PruneCursor,
) -> Result<(u64, Option<PruneCursor>), WriteFailure> {
    let settled: Vec<PruneCursor> = sqlx::query_as(
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
    let seqs: Vec<i64> = settled.iter().map(|(_, seq)| *seq).collect();
    let seqs = to_json("message", &seqs)?;
    books::add_pruned(connection, &seqs).await?;
    for sql in [
        "DELETE FROM deliveries WHERE message IN (SELECT value FROM json_each(?))",
        "DELETE FROM messages WHERE seq IN (SELECT value FROM json_each(?))",
    ] {
        sqlx::query(sql).bind(&seqs).execute(&mut *connection).await?;
    }
    let full = settled.len() as u64 == u64::from(PRUNE_BATCH);
    Ok((settled.len() as u64, settled.last().copied().filter(|_| full)))
}

/// Deletes the turns of users who have nothing pending.
pub(crate) async fn idle_turns(connection: &mut SqliteConnection) -> Result<(), WriteFailure> {
    sqlx::query("DELETE FROM turns WHERE ready_at IS NULL").execute(connection).await?;
    Ok(())
}
