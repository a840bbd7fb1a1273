//! Open digests: the deliveries of one user, channel and address that are collected to be sent as one. A digest is open
//! until it is leased for the first time; it has an id from then on.

use std::collections::{BTreeMap, BTreeSet};

use sqlx::QueryBuilder;
use sqlx::sqlite::{Sqlite, SqliteConnection};
use tidings_domain::delivery::Recipient;
use tidings_domain::subscription::DigestOptions;

use super::fair_queue::{self, ChannelUser};
use super::submission::PreparedMessage;
use crate::sqlite::failure::WriteFailure;

/// Channel, user and address.
type Destination = (String, String, String);

/// Destinations in one statement: three variables each.
const CHUNK: usize = 1000;

/// The open digests that new deliveries join.
pub(crate) struct DigestAssemblies {
    open: BTreeMap<Destination, OpenDigest>,
}

#[derive(Default)]
struct OpenDigest {
    /// The position of its latest member; 0 while it has none.
    last: i64,
    due_at: i64,
    /// Whether members joined it in this transaction.
    grew: bool,
    /// Whether it reached its count in this transaction: it is due before the time that its members were given.
    full: bool,
}

impl DigestAssemblies {
    /// Loads the open digests of the recipients of these messages; runs no statement where none of them has digests.
    pub(crate) async fn load(
        connection: &mut SqliteConnection,
        messages: &[(&PreparedMessage, i64)],
    ) -> Result<DigestAssemblies, WriteFailure> {
        let recipients = messages.iter().flat_map(|(prepared, _)| prepared.message.recipients.iter());
        let keys: BTreeSet<Destination> = recipients
            .filter(|recipient| recipient.digest.is_some())
            .map(|recipient| (recipient.channel.clone(), recipient.user.clone(), recipient.address.clone()))
            .collect();
        let keys: Vec<Destination> = keys.into_iter().collect();
        let mut open = BTreeMap::new();
        for keys in keys.chunks(CHUNK) {
            let mut query = QueryBuilder::<Sqlite>::new("WITH key (channel, user, address) AS (");
            query.push_values(keys, |mut row, (channel, user, address)| {
                row.push_bind(channel).push_bind(user).push_bind(address);
            });
            query.push(
                ") SELECT d.channel, d.user, d.address, d.gathered, d.due_at FROM key JOIN deliveries d ON d.seq = \
                 (SELECT x.seq FROM deliveries x WHERE x.channel = key.channel AND x.user = key.user \
                  AND x.address = key.address AND x.gathered IS NOT NULL ORDER BY x.gathered DESC LIMIT 1)",
            );
            let rows: Vec<(String, String, String, i64, i64)> =
                query.build_query_as().persistent(false).fetch_all(&mut *connection).await?;
            open.extend(rows.into_iter().map(|(channel, user, address, last, due_at)| {
                ((channel, user, address), OpenDigest { last, due_at, ..OpenDigest::default() })
            }));
        }
        Ok(DigestAssemblies { open })
    }

    /// Adds a new delivery to its open digest, or starts one. Returns when it is due, and its position.
    pub(crate) fn join(&mut self, recipient: &Recipient, options: DigestOptions, now: i64) -> (i64, Option<i64>) {
        let key = (recipient.channel.clone(), recipient.user.clone(), recipient.address.clone());
        let digest = self.open.entry(key).or_default();
        if digest.last == 0 {
            digest.due_at = due_at(now, options);
        }
        digest.last += 1;
        digest.grew = true;
        if options.count.is_some_and(|count| digest.last >= i64::from(count)) && digest.due_at > now {
            digest.due_at = now;
            digest.full = true;
        }
        (digest.due_at, Some(digest.last))
    }

    /// Marks the leading row of each digest that grew, and makes those due whose count was reached.
    pub(crate) async fn save(self, connection: &mut SqliteConnection) -> Result<(), WriteFailure> {
        let grown: Vec<(Destination, OpenDigest)> = self.open.into_iter().filter(|(_, digest)| digest.grew).collect();
        for digests in grown.chunks(CHUNK) {
            let mut query = QueryBuilder::<Sqlite>::new("WITH key (channel, user, address) AS (");
            query.push_values(digests, |mut row, ((channel, user, address), _)| {
                row.push_bind(channel).push_bind(user).push_bind(address);
            });
            query.push(
                ") UPDATE deliveries SET lead = 1 WHERE lead = 0 AND seq IN (SELECT \
                 (SELECT x.seq FROM deliveries x WHERE x.channel = key.channel AND x.user = key.user \
                  AND x.address = key.address AND x.gathered IS NOT NULL ORDER BY x.gathered LIMIT 1) FROM key)",
            );
            query.build().persistent(false).execute(&mut *connection).await?;
        }
        let mut full = BTreeSet::<ChannelUser>::new();
        for ((channel, user, address), digest) in grown.into_iter().filter(|(_, digest)| digest.full) {
            sqlx::query(
                "UPDATE deliveries SET not_before = ?1, due_at = ?1 \
                 WHERE channel = ?2 AND user = ?3 AND address = ?4 AND gathered IS NOT NULL",
            )
            .bind(digest.due_at)
            .bind(&channel)
            .bind(&user)
            .bind(address)
            .execute(&mut *connection)
            .await?;
            full.insert((channel, user));
        }
        fair_queue::refresh(connection, &full).await
    }
}

/// When a digest is due whose earliest delivery was accepted at `first`.
fn due_at(first: i64, options: DigestOptions) -> i64 {
    let interval = i64::try_from(options.interval_seconds).unwrap_or(i64::MAX).saturating_mul(1000);
    first.saturating_add(interval)
}

/// The user's digest options changed: an open digest is due by the new ones, and at once where there are none. It is
/// still sent as one.
pub(crate) async fn retime(
    connection: &mut SqliteConnection,
    channel: &str,
    user: &str,
    options: Option<DigestOptions>,
    now: i64,
) -> Result<(), WriteFailure> {
    let open: Vec<(String, i64, i64)> = sqlx::query_as(
        "SELECT address, min(accepted_at), count(*) FROM deliveries \
         WHERE channel = ? AND user = ? AND gathered IS NOT NULL GROUP BY address",
    )
    .bind(channel)
    .bind(user)
    .fetch_all(&mut *connection)
    .await?;
    for (address, first, members) in open {
        let due_at = match options {
            Some(options) if options.count.is_none_or(|count| members < i64::from(count)) => due_at(first, options),
            Some(_) | None => now,
        };
        sqlx::query(
            "UPDATE deliveries SET not_before = ?1, due_at = ?1 \
             WHERE channel = ?2 AND user = ?3 AND address = ?4 AND gathered IS NOT NULL",
        )
        .bind(due_at)
        .bind(channel)
        .bind(user)
        .bind(address)
        .execute(&mut *connection)
        .await?;
    }
    Ok(())
}
