//! The feed of changes: rows that are written in the transaction of the change. SQLite has one writer at a time, so the
//! order of their numbers is the order of commits.

use std::collections::HashSet;

use sqlx::QueryBuilder;
use sqlx::sqlite::{Sqlite, SqliteConnection};

use super::failure::WriteFailure;
use crate::limits::{CHANGES_KEPT, CHANGES_PAGE, CHANGES_SINGLY};
use crate::roles::{Change, Changes, Revision};

/// Changes in one statement: three variables each, far below SQLite's limit of 32,766.
const CHUNK: usize = 1000;

/// The newest change. There is always one.
pub(super) const LATEST: &str = "SELECT max(seq) FROM changes";

/// Changes from the reader's own position on.
pub(super) const AFTER: &str = "SELECT seq, kind, key FROM changes WHERE seq >= ? ORDER BY seq LIMIT ?";

impl Change {
    /// The columns `kind` and `key`.
    fn columns(&self) -> (&'static str, &str) {
        match self {
            Change::User(name) => ("user", name),
            Change::AllSubscriptions => ("subscriptions", ""),
            Change::Package(name) => ("package", name),
            Change::Group(name) => ("group", name),
            Change::AllAccessLists => ("access", ""),
            Change::Channel(name) => ("channel", name),
        }
    }

    /// Reads the columns; none where the kind is unknown.
    fn parse(kind: &str, key: String) -> Option<Change> {
        match kind {
            "user" => Some(Change::User(key)),
            "subscriptions" => Some(Change::AllSubscriptions),
            "package" => Some(Change::Package(key)),
            "group" => Some(Change::Group(key)),
            "access" => Some(Change::AllAccessLists),
            "channel" => Some(Change::Channel(key)),
            _ => None,
        }
    }
}

/// Writes changes to the feed, in the transaction that makes them.
pub(super) async fn publish(
    connection: &mut SqliteConnection,
    changes: impl IntoIterator<Item = Change>,
    now: i64,
) -> Result<(), WriteFailure> {
    let changes: Vec<Change> = changes.into_iter().collect();
    for changes in changes.chunks(CHUNK) {
        let mut query = QueryBuilder::<Sqlite>::new("INSERT INTO changes (kind, key, at) ");
        query.push_values(changes, |mut row, change| {
            let (kind, key) = change.columns();
            row.push_bind(kind).push_bind(key).push_bind(now);
        });
        query.build().persistent(changes.len() == 1).execute(&mut *connection).await?;
    }
    Ok(())
}

/// Writes each of these changes, or only `all` where they are so many that reading everything again costs less.
pub(super) async fn publish_many(
    connection: &mut SqliteConnection,
    changes: Vec<Change>,
    all: Change,
    now: i64,
) -> Result<(), WriteFailure> {
    if changes.len() > CHANGES_SINGLY {
        return publish(connection, [all], now).await;
    }
    publish(connection, changes, now).await
}

pub(super) async fn revision(connection: &mut SqliteConnection) -> Result<Revision, WriteFailure> {
    Ok(Revision::new(sqlx::query_scalar(LATEST).fetch_one(connection).await?))
}

pub(super) async fn changes(connection: &mut SqliteConnection, after: Revision) -> Result<Changes, WriteFailure> {
    let rows: Vec<(i64, String, String)> = sqlx::query_as(AFTER)
        .bind(after.seq())
        .bind(CHANGES_PAGE.saturating_add(1))
        .fetch_all(&mut *connection)
        .await?;
    let known = rows.first().is_some_and(|(seq, _, _)| *seq == after.seq());
    let upto = rows.last().map_or(after, |(seq, _, _)| Revision::new(*seq));
    let changes: Option<Vec<Change>> =
        rows.into_iter().skip(1).map(|(_, kind, key)| Change::parse(&kind, key)).collect();
    match changes {
        Some(changes) if known => Ok(Changes::These { changes: latest_of_each(changes), upto }),
        _ => Ok(Changes::Everything { upto: revision(connection).await? }),
    }
}

/// Leaves out a change that is repeated later.
fn latest_of_each(changes: Vec<Change>) -> Vec<Change> {
    let mut seen = HashSet::with_capacity(changes.len());
    let repeated: Vec<bool> = changes.iter().rev().map(|change| !seen.insert(change)).collect();
    let repeated = repeated.into_iter().rev();
    changes.into_iter().zip(repeated).filter_map(|(change, repeated)| (!repeated).then_some(change)).collect()
}

/// Deletes changes that are much older than the newest: the oldest first, so that there is no gap.
pub(super) async fn prune(connection: &mut SqliteConnection) -> Result<(), WriteFailure> {
    let kept = i64::try_from(CHANGES_KEPT.as_millis()).unwrap_or(i64::MAX);
    sqlx::query(
        "DELETE FROM changes WHERE seq < (SELECT seq FROM changes WHERE at >= \
         (SELECT at FROM changes ORDER BY seq DESC LIMIT 1) - ? ORDER BY seq LIMIT 1)",
    )
    .bind(kept)
    .execute(connection)
    .await?;
    Ok(())
}
