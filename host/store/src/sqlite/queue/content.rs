//! The content of leases: their rows with the events of their messages, as a plugin gets them. A delivery whose event
//! cannot be read becomes dead with that reason, so that it does not stop the others.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use sqlx::QueryBuilder;
use sqlx::sqlite::{Sqlite, SqliteConnection};
use tidings_domain::delivery::{Content, Delivery, StoredEvent};
use tidings_domain::time::Timestamp;

use super::fair_queue;
use crate::limits::DIGEST_BYTES;
use crate::roles::{Lease, LeaseRequest};
use crate::sqlite::failure::WriteFailure;
use crate::sqlite::row::from_row;
use crate::sqlite::value::{delivery_id, millis, size, style, timestamp};

/// Messages in one statement, below SQLite's limit of 32,766 variables.
const CHUNK: usize = 1000;

/// A claimed row, in the columns of both queries below.
struct LeasedRow {
    seq: i64,
    id: Vec<u8>,
    message: i64,
    user: String,
    address: String,
    filter: String,
    style: i64,
    attempts: u32,
    accepted_at: i64,
    digest: Option<Vec<u8>>,
    /// The length of its message's event.
    bytes: Option<i64>,
}

from_row!(LeasedRow { seq, id, message, user, address, filter, style, attempts, accepted_at, digest, bytes });

/// Leading rows of the lease, oldest due first.
const LEADERS: &str = "SELECT d.seq, d.id, d.message, d.user, d.address, d.filter, d.style, d.attempts, d.accepted_at, d.digest, \
     octet_length(m.event) AS bytes FROM deliveries d JOIN messages m ON m.seq = d.message \
     WHERE d.lease = ? AND d.lead = 1 ORDER BY d.not_before, d.seq";

/// Members of a digest, oldest first.
const MEMBERS: &str = "SELECT d.seq, d.id, d.message, d.user, d.address, d.filter, d.style, d.attempts, d.accepted_at, d.digest, \
     octet_length(m.event) AS bytes FROM deliveries d JOIN messages m ON m.seq = d.message \
     WHERE d.digest = ? AND d.lease = ? ORDER BY d.seq LIMIT ?";

/// Builds the leases of a token.
pub(crate) async fn load(
    connection: &mut SqliteConnection,
    token: i64,
    request: &LeaseRequest,
    until: Timestamp,
) -> Result<Vec<Lease>, WriteFailure> {
    let rows: Vec<LeasedRow> = sqlx::query_as(LEADERS).bind(token).fetch_all(&mut *connection).await?;
    let singles = rows.iter().filter(|row| row.digest.is_none()).map(|row| row.message);
    let singles: Vec<i64> = singles.collect::<BTreeSet<_>>().into_iter().collect();
    let events = events(connection, &singles).await?;
    let mut leases = Vec::with_capacity(rows.len());
    let mut unreadable = Vec::new();
    for row in rows {
        let content = match &row.digest {
            Some(digest) => digest_content(connection, digest, token, request).await?,
            None => events.get(&row.message).map(|event| (Content::Single(Arc::clone(event)), None)),
        };
        match content {
            Some((content, summary)) => {
                let seq = row.seq;
                leases.push(Lease::new(delivery(row, content, summary)?, until, token, seq));
            }
            None => unreadable.push(row),
        }
    }
    for row in unreadable {
        give_up(connection, &request.channel, row, request.now).await?;
    }
    Ok(leases)
}

/// What the rows of a digest have in common.
struct DigestSummary {
    /// The latest member's: the user's most recent option.
    style: i64,
    /// The filter of all members; none where they differ.
    filter: Option<String>,
}

fn delivery(row: LeasedRow, content: Content, summary: Option<DigestSummary>) -> Result<Delivery, WriteFailure> {
    let (style_bits, filter) = match summary {
        Some(summary) => (summary.style, summary.filter),
        None => (row.style, Some(row.filter)),
    };
    Ok(Delivery {
        id: delivery_id(row.digest.as_deref().unwrap_or(&row.id))?,
        attempt: row.attempts.saturating_add(1),
        accepted_at: timestamp(row.accepted_at),
        user: row.user,
        address: row.address,
        filter,
        style: style(style_bits),
        content,
    })
}

/// A digest with the events that fit; none where no event can be read.
async fn digest_content(
    connection: &mut SqliteConnection,
    digest: &[u8],
    token: i64,
    request: &LeaseRequest,
) -> Result<Option<(Content, Option<DigestSummary>)>, WriteFailure> {
    let members: i64 = sqlx::query_scalar("SELECT count(*) FROM deliveries WHERE digest = ? AND lease = ?")
        .bind(digest)
        .bind(token)
        .fetch_one(&mut *connection)
        .await?;
    let rows: Vec<LeasedRow> = sqlx::query_as(MEMBERS)
        .bind(digest)
        .bind(token)
        .bind(size(request.digest_events.max(1)))
        .fetch_all(&mut *connection)
        .await?;
    let Some((first, last)) = rows.first().zip(rows.last()) else { return Ok(None) };
    let filter = rows.iter().all(|row| row.filter == first.filter).then(|| first.filter.clone());
    let summary = DigestSummary { style: last.style, filter };
    let mut free = size(DIGEST_BYTES);
    let shown = rows.iter().take_while(|row| {
        let fits = free > 0;
        free = free.saturating_sub(row.bytes.unwrap_or(0));
        fits
    });
    let shown: Vec<i64> = shown.map(|row| row.message).collect();
    let mut texts = events(connection, &shown).await?;
    let events: Vec<Arc<StoredEvent>> = shown.iter().filter_map(|message| texts.remove(message)).collect();
    if events.is_empty() {
        return Ok(None);
    }
    let omitted = members.saturating_sub(size(events.len()));
    let omitted = u32::try_from(omitted).unwrap_or(u32::MAX);
    Ok(Some((Content::Digest { events, omitted }, Some(summary))))
}

/// The events of messages by number, each read once; one that cannot be read is missing.
async fn events(
    connection: &mut SqliteConnection,
    messages: &[i64],
) -> Result<HashMap<i64, Arc<StoredEvent>>, WriteFailure> {
    let mut events = HashMap::with_capacity(messages.len());
    for messages in messages.chunks(CHUNK) {
        let mut query = QueryBuilder::<Sqlite>::new("SELECT seq, event FROM messages WHERE seq IN (");
        let mut list = query.separated(", ");
        for message in messages {
            list.push_bind(message);
        }
        query.push(")");
        // As bytes, so that invalid UTF-8 is an error of one message only.
        let rows: Vec<(i64, Option<Vec<u8>>)> =
            query.build_query_as().persistent(false).fetch_all(&mut *connection).await?;
        for (message, text) in rows {
            match serde_json::from_slice::<StoredEvent>(&text.unwrap_or_default()) {
                Ok(event) => {
                    events.insert(message, Arc::new(event));
                }
                Err(error) => tracing::error!(
                    message,
                    %error,
                    "the stored event of a message cannot be read; its deliveries become dead"
                ),
            }
        }
    }
    Ok(events)
}

/// Makes a delivery dead none of whose events can be read, with that reason.
async fn give_up(
    connection: &mut SqliteConnection,
    channel: &str,
    row: LeasedRow,
    now: Timestamp,
) -> Result<(), WriteFailure> {
    sqlx::query(
        "UPDATE deliveries SET state = 'dead', lease = NULL, gathered = NULL, updated_at = ?, \
         note = 'its stored message cannot be read' WHERE state = 'pending' AND (seq = ? OR digest = ?)",
    )
    .bind(millis(now))
    .bind(row.seq)
    .bind(row.digest)
    .execute(&mut *connection)
    .await?;
    let pair = (channel.to_owned(), row.user);
    fair_queue::refresh(connection, &BTreeSet::from([pair])).await
}
