//! The books: how many deliveries each channel accepted, and how many are in each state. All SQL of their tables is
//! here, apart from the triggers of the schema, which move counts as rows of `deliveries` change state or are deleted.

use std::collections::BTreeMap;

use sqlx::sqlite::SqliteConnection;
use tidings_domain::delivery::DeliveryState;

use crate::roles::Books;
use crate::sqlite::failure::WriteFailure;
use crate::sqlite::value::count;

/// Pending deliveries of a user, found by channel and user in all channels that the books have: there is no index by
/// user for them.
pub(crate) const PENDING_OF_USER: &str = "SELECT x.seq FROM books_accepted b CROSS JOIN deliveries x \
     WHERE x.channel = b.channel AND x.state = 'pending' AND x.user = ";

/// Counts `n` new rows of a channel as accepted and as pending; triggers do not count insertions.
pub(crate) async fn add_accepted(connection: &mut SqliteConnection, channel: &str, n: i64) -> Result<(), WriteFailure> {
    for sql in [
        "INSERT INTO books_accepted (channel, n) VALUES (?, ?) ON CONFLICT (channel) DO UPDATE SET n = n + excluded.n",
        "INSERT INTO books (channel, state, kept) VALUES (?, 'pending', ?) \
         ON CONFLICT (channel, state) DO UPDATE SET kept = kept + excluded.kept",
    ] {
        sqlx::query(sql).bind(channel).bind(n).execute(&mut *connection).await?;
    }
    Ok(())
}

/// Counts the deliveries of these messages (a JSON array of row numbers) as pruned, before they are deleted.
pub(crate) async fn add_pruned(connection: &mut SqliteConnection, messages: &str) -> Result<(), WriteFailure> {
    sqlx::query(
        "UPDATE books SET pruned = pruned + gone.n FROM (SELECT channel, state, count(*) AS n FROM deliveries \
         WHERE message IN (SELECT value FROM json_each(?)) GROUP BY channel, state) gone \
         WHERE books.channel = gone.channel AND books.state = gone.state",
    )
    .bind(messages)
    .execute(connection)
    .await?;
    Ok(())
}

/// The books by channel.
pub(crate) async fn books(connection: &mut SqliteConnection) -> Result<BTreeMap<String, Books>, WriteFailure> {
    // One statement, so that both counts are of the same moment.
    let rows: Vec<(String, String, i64)> = sqlx::query_as(
        "SELECT channel, 'accepted', n FROM books_accepted UNION ALL SELECT channel, state, kept + pruned FROM books",
    )
    .fetch_all(connection)
    .await?;
    let mut all = BTreeMap::<String, Books>::new();
    for (channel, state, n) in rows {
        let books = all.entry(channel).or_default();
        let total = match DeliveryState::parse(&state) {
            None => &mut books.accepted,
            Some(DeliveryState::Pending) => &mut books.pending,
            Some(DeliveryState::Delivered) => &mut books.delivered,
            Some(DeliveryState::Dead) => &mut books.dead,
            Some(DeliveryState::Cancelled) => &mut books.cancelled,
        };
        *total = count(n);
    }
    Ok(all)
}
