//! The order of users: the table `turns` has one row for each channel and user, with the time when the user's next
//! delivery is due. Every transaction that changes when a delivery is due keeps it exact, so that `lease` and
//! `next_due` read one index entry and not the queue.

use std::collections::BTreeSet;

use sqlx::QueryBuilder;
use sqlx::sqlite::{Sqlite, SqliteConnection};

use crate::sqlite::failure::WriteFailure;

/// The earliest moment at which a user has a delivery due.
pub(crate) const NEXT_DUE: &str = "SELECT min(ready_at) FROM turns WHERE channel = ? AND ready_at IS NOT NULL";

/// A channel and a user.
pub(crate) type ChannelUser = (String, String);

/// Pairs in one statement: two variables each, far below SQLite's limit of 32,766.
const CHUNK: usize = 1000;

/// Enters the new deliveries of the messages from `first` on. The row of a user who has a delivery due as early already
/// is not written: under a backlog that is nearly every user.
pub(crate) async fn enqueue(connection: &mut SqliteConnection, first: i64) -> Result<(), WriteFailure> {
    sqlx::query(
        "INSERT INTO turns (channel, user, ready_at) \
         SELECT channel, user, min(due_at) FROM deliveries WHERE message >= ? AND lead = 1 GROUP BY channel, user \
         ON CONFLICT (channel, user) DO UPDATE \
         SET ready_at = max(served_at, excluded.ready_at) \
         WHERE turns.ready_at IS NULL OR excluded.ready_at < turns.ready_at",
    )
    .bind(first)
    .execute(connection)
    .await?;
    Ok(())
}

/// Recomputes when the earliest deliveries of these users are due.
pub(crate) async fn refresh(
    connection: &mut SqliteConnection,
    pairs: &BTreeSet<ChannelUser>,
) -> Result<(), WriteFailure> {
    let pairs: Vec<&ChannelUser> = pairs.iter().collect();
    for pairs in pairs.chunks(CHUNK) {
        refresh_statement(pairs).build().persistent(false).execute(&mut *connection).await?;
    }
    Ok(())
}

fn refresh_statement(pairs: &[&ChannelUser]) -> QueryBuilder<Sqlite> {
    let mut query = QueryBuilder::new("WITH pair (channel, user) AS (");
    query.push_values(pairs, |mut row, (channel, user)| {
        row.push_bind(channel).push_bind(user);
    });
    query.push(
        ") INSERT INTO turns (channel, user, ready_at) SELECT channel, user, \
         (SELECT min(d.due_at) FROM deliveries d \
          WHERE d.channel = pair.channel AND d.user = pair.user AND d.lead = 1 AND d.state = 'pending') \
         FROM pair WHERE true \
         ON CONFLICT (channel, user) DO UPDATE SET ready_at = max(served_at, excluded.ready_at)",
    );
    query
}

/// Clears when users were last served and recomputes all rows: at start, and when the clock went back, since a time of
/// service in the future would delay its user.
pub(crate) async fn reset(connection: &mut SqliteConnection) -> Result<(), WriteFailure> {
    sqlx::query(
        "UPDATE turns SET served_at = 0, turn = 0, ready_at = \
         (SELECT min(d.due_at) FROM deliveries d \
          WHERE d.channel = turns.channel AND d.user = turns.user AND d.lead = 1 AND d.state = 'pending')",
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// When the channel's earliest delivery is due or its earliest lease ends; a moment already past means now.
pub(crate) async fn next_due(connection: &mut SqliteConnection, channel: &str) -> Result<Option<i64>, WriteFailure> {
    Ok(sqlx::query_scalar(NEXT_DUE).bind(channel).fetch_one(connection).await?)
}

/// The statement that recomputes one user's row, for the check of its plan.
#[cfg(test)]
pub(crate) fn statement() -> String {
    refresh_statement(&[&ChannelUser::default()]).into_string()
}
