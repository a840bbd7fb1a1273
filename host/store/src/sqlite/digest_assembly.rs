//! Digests that gather: the deliveries of one user, channel and address that wait to be sent as one. A group is open until
//! it is claimed for the first time; `digest` closes it.

use std::collections::{BTreeMap, BTreeSet};

use sqlx::QueryBuilder;
use sqlx::sqlite::{Sqlite, SqliteConnection};
use tidings_domain::delivery::Recipient;
use tidings_domain::subscription::DigestOptions;

use super::failure::WriteFailure;
use super::fair_queue::{self, ChannelUser};
use super::writer::PreparedMessage;

/// Channel, user and address.
type Destination = (String, String, String);

/// Destinations in one statement: three variables each.
const DESTINATIONS: usize = 1000;

/// The open groups that new deliveries join.
pub(super) struct DigestAssemblies {
    groups: BTreeMap<Destination, Group>,
}

#[derive(Default)]
struct Group {
    /// The place of its latest member; 0 for a group yet to begin.
    last: i64,
    due_at: i64,
    /// Members joined it.
    grew: bool,
    /// Its count was reached now: it is due before the time that its members were given.
    full: bool,
}

impl DigestAssemblies {
    /// Loads the open groups of the digest recipients of these messages; nothing where there are none.
    pub(super) async fn load(
        connection: &mut SqliteConnection,
        messages: &[(&PreparedMessage, i64)],
    ) -> Result<DigestAssemblies, WriteFailure> {
        let recipients = messages.iter().flat_map(|(intake, _)| intake.message.recipients.iter());
        let keys: BTreeSet<Destination> = recipients
            .filter(|recipient| recipient.digest.is_some())
            .map(|recipient| (recipient.channel.clone(), recipient.user.clone(), recipient.address.clone()))
            .collect();
        let keys: Vec<Destination> = keys.into_iter().collect();
        let mut groups = BTreeMap::new();
        for keys in keys.chunks(DESTINATIONS) {
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
            groups.extend(rows.into_iter().map(|(channel, user, address, last, due_at)| {
                ((channel, user, address), Group { last, due_at, ..Group::default() })
            }));
        }
        Ok(DigestAssemblies { groups })
    }

    /// A new delivery joins its group, or begins one: when it is due, and its place.
    pub(super) fn join(&mut self, recipient: &Recipient, options: DigestOptions, now: i64) -> (i64, Option<i64>) {
        let key = (recipient.channel.clone(), recipient.user.clone(), recipient.address.clone());
        let group = self.groups.entry(key).or_default();
        if group.last == 0 {
            group.due_at = due_at(now, options);
        }
        group.last += 1;
        group.grew = true;
        if options.count.is_some_and(|count| group.last >= i64::from(count)) && group.due_at > now {
            group.due_at = now;
            group.full = true;
        }
        (group.due_at, Some(group.last))
    }

    /// Names the leader of each group that grew, and makes those due whose count was reached.
    pub(super) async fn save(self, connection: &mut SqliteConnection) -> Result<(), WriteFailure> {
        let grown: Vec<(Destination, Group)> = self.groups.into_iter().filter(|(_, group)| group.grew).collect();
        for groups in grown.chunks(DESTINATIONS) {
            let mut query = QueryBuilder::<Sqlite>::new("WITH key (channel, user, address) AS (");
            query.push_values(groups, |mut row, ((channel, user, address), _)| {
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
        for ((channel, user, address), group) in grown.into_iter().filter(|(_, group)| group.full) {
            sqlx::query(
                "UPDATE deliveries SET not_before = ?1, due_at = ?1 \
                 WHERE channel = ?2 AND user = ?3 AND address = ?4 AND gathered IS NOT NULL",
            )
            .bind(group.due_at)
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

/// When a digest is due whose earliest delivery was accepted then.
fn due_at(first: i64, options: DigestOptions) -> i64 {
    let interval = i64::try_from(options.interval_seconds).unwrap_or(i64::MAX).saturating_mul(1000);
    first.saturating_add(interval)
}

/// The user's digest options changed: an open group is due by the new ones, and at once where there are none any more.
/// What was gathered is still sent as one.
pub(super) async fn retime(
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
