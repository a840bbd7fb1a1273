//! Whose turn it is: the queue's heads, one for each channel and user. Kept exact in every transaction that makes a
//! delivery due earlier, later or not at all, so that `lease` and `next_due` look at one index entry and not at the queue.

use std::collections::BTreeSet;

use sqlx::QueryBuilder;
use sqlx::sqlite::{Sqlite, SqliteConnection};

use super::failure::WriteFailure;

/// The earliest moment at which somebody's turn comes.
pub(super) const NEXT_DUE: &str = "SELECT min(ready_at) FROM turns WHERE channel = ? AND ready_at IS NOT NULL";

/// A channel and a user.
pub(super) type ChannelUser = (String, String);

/// Pairs in one statement: two variables each, far below SQLite's 32,766.
const PAIRS: usize = 1000;

/// The new deliveries of the messages from `first` on join their users' queues. Whoever waits already for something as
/// early keeps his turn, and his row is not written: under a backlog that is nearly everybody.
pub(super) async fn enqueue(connection: &mut SqliteConnection, first: i64) -> Result<(), WriteFailure> {
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

/// Looks anew when these users' earliest deliveries are due.
pub(super) async fn refresh(
    connection: &mut SqliteConnection,
    pairs: &BTreeSet<ChannelUser>,
) -> Result<(), WriteFailure> {
    let pairs: Vec<&ChannelUser> = pairs.iter().collect();
    for pairs in pairs.chunks(PAIRS) {
        refreshing(pairs).build().persistent(false).execute(&mut *connection).await?;
    }
    Ok(())
}

fn refreshing(pairs: &[&ChannelUser]) -> QueryBuilder<Sqlite> {
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

/// Forgets when users were last served and looks anew at all of them: at start, and when the clock went back, since a
/// moment of service in the future would keep its user waiting.
pub(super) async fn reset(connection: &mut SqliteConnection) -> Result<(), WriteFailure> {
    sqlx::query(
        "UPDATE turns SET served_at = 0, turn = 0, ready_at = \
         (SELECT min(d.due_at) FROM deliveries d \
          WHERE d.channel = turns.channel AND d.user = turns.user AND d.lead = 1 AND d.state = 'pending')",
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// When the channel's earliest delivery is due or its earliest lease ends; a moment already past stands for now.
pub(super) async fn next_due(connection: &mut SqliteConnection, channel: &str) -> Result<Option<i64>, WriteFailure> {
    Ok(sqlx::query_scalar(NEXT_DUE).bind(channel).fetch_one(connection).await?)
}

/// The statement that looks anew at one user, for the check of its plan.
#[cfg(test)]
pub(super) fn statement() -> String {
    refreshing(&[&ChannelUser::default()]).into_string()
}
