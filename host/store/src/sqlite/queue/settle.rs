//! The transaction of outcomes. A lease counts only for rows that still have its token; one that was taken over changes
//! nothing, except that a delivered one is delivered.

use std::collections::{BTreeSet, HashSet};

use sqlx::QueryBuilder;
use sqlx::sqlite::{Sqlite, SqliteConnection};
use tidings_domain::delivery::{Content, DeliveryState};
use tidings_domain::outcome::Settlement;

use super::address_change::Subscriber;
use super::fair_queue::{self, ChannelUser};
use super::submission::SettledBatch;
use crate::roles::Lease;
use crate::sqlite::failure::WriteFailure;
use crate::sqlite::value::{id_bytes, millis};

/// Leases in one statement: seven variables each, below SQLite's limit of 32,766.
const CHUNK: usize = 1000;

/// What a settlement writes to the rows of a lease.
struct DeliveryUpdate<'a> {
    row: i64,
    id: Vec<u8>,
    token: i64,
    state: DeliveryState,
    /// When it is due again; none: as it was.
    not_before: Option<i64>,
    /// Attempts used up.
    used: i64,
    note: Option<&'a str>,
}

/// How the rows of a lease are found: one by its number, or the members of a digest by the digest's id.
#[derive(Clone, Copy)]
enum LeaseKind {
    Single,
    Digest,
}

/// Settles the leases of one caller; returns how many were stale.
pub(crate) async fn settle(connection: &mut SqliteConnection, batch: &SettledBatch) -> Result<usize, WriteFailure> {
    let now = millis(batch.now);
    let mut stale = 0;
    let (mut singles, mut digests, mut gone) = (Vec::new(), Vec::new(), Vec::new());
    // A delivery may come twice, with a stale and with a valid lease: the second one is applied after the first.
    let (mut seen, mut repeated) = (HashSet::new(), Vec::new());
    for (lease, settlement) in &batch.settled {
        if !seen.insert(lease.delivery().id.as_str()) {
            repeated.push((lease, settlement));
            continue;
        }
        match update_of(lease, settlement)? {
            Some(update) if is_digest(lease) => digests.push(update),
            Some(update) => singles.push(update),
            None => gone.push((lease, settlement)),
        }
    }
    let mut pairs = BTreeSet::<ChannelUser>::new();
    stale += apply(connection, LeaseKind::Single, &singles, now, &mut pairs).await?;
    stale += apply(connection, LeaseKind::Digest, &digests, now, &mut pairs).await?;
    for (lease, settlement) in repeated {
        match update_of(lease, settlement)? {
            Some(update) => stale += apply(connection, kind(lease), &[update], now, &mut pairs).await?,
            None => gone.push((lease, settlement)),
        }
    }
    stale += addresses_gone(connection, &gone, now, &mut pairs).await?;
    fair_queue::refresh(connection, &pairs).await?;
    Ok(stale)
}

/// Settles the leases whose address is gone; returns how many were stale. All of them are settled before the deliveries
/// that are pending for their addresses are changed.
async fn addresses_gone(
    connection: &mut SqliteConnection,
    gone: &[(&Lease, &Settlement)],
    now: i64,
    pairs: &mut BTreeSet<ChannelUser>,
) -> Result<usize, WriteFailure> {
    let mut held = Vec::with_capacity(gone.len());
    for (lease, settlement) in gone {
        let Settlement::AddressGone { replacement, reason } = settlement else { continue };
        let Some((channel, user)) = holder(connection, lease).await? else { continue };
        let replacement = replacement.as_deref().filter(|new| !new.is_empty());
        if replacement.is_none() {
            apply(connection, kind(lease), &[dead(lease, reason)?], now, pairs).await?;
        }
        held.push((lease, Subscriber { channel, user, now }, replacement, reason));
    }
    let stale = gone.len() - held.len();
    for (lease, subscriber, replacement, reason) in held {
        match replacement {
            Some(new) => subscriber.moves(connection, lease, new, reason).await?,
            None => subscriber.leaves(connection, &lease.delivery().address).await?,
        }
        pairs.insert((subscriber.channel, subscriber.user));
    }
    Ok(stale)
}

/// Gives leases back untried.
pub(crate) async fn release(connection: &mut SqliteConnection, leases: &[Lease]) -> Result<(), WriteFailure> {
    let mut pairs = BTreeSet::<ChannelUser>::new();
    for lease in leases {
        let rows: Vec<ChannelUser> = sqlx::query_as(
            "UPDATE deliveries SET lease = NULL, due_at = not_before WHERE lease = ?1 AND (id = ?2 OR digest = ?2) \
             RETURNING channel, user",
        )
        .bind(lease.token())
        .bind(id_bytes(&lease.delivery().id)?)
        .fetch_all(&mut *connection)
        .await?;
        pairs.extend(rows);
    }
    fair_queue::refresh(connection, &pairs).await
}

fn is_digest(lease: &Lease) -> bool {
    matches!(lease.delivery().content, Content::Digest { .. })
}

fn kind(lease: &Lease) -> LeaseKind {
    if is_digest(lease) { LeaseKind::Digest } else { LeaseKind::Single }
}

/// What the settlement writes; none where the address is gone, which concerns other deliveries too.
fn update_of<'a>(lease: &Lease, settlement: &'a Settlement) -> Result<Option<DeliveryUpdate<'a>>, WriteFailure> {
    let (state, not_before, used, note) = match settlement {
        Settlement::Delivered { receipt } => (DeliveryState::Delivered, None, 1, receipt.as_deref()),
        Settlement::Again { not_before, reason, counts } => {
            (DeliveryState::Pending, Some(millis(*not_before)), i64::from(*counts), Some(reason.as_str()))
        }
        Settlement::Held { reason } => (DeliveryState::Pending, None, 0, Some(reason.as_str())),
        Settlement::Dead { reason } => return dead(lease, reason).map(Some),
        Settlement::AddressGone { .. } => return Ok(None),
    };
    new_update(lease, state, not_before, used, note).map(Some)
}

fn dead<'a>(lease: &Lease, reason: &'a str) -> Result<DeliveryUpdate<'a>, WriteFailure> {
    new_update(lease, DeliveryState::Dead, None, 1, Some(reason))
}

fn new_update<'a>(
    lease: &Lease,
    state: DeliveryState,
    not_before: Option<i64>,
    used: i64,
    note: Option<&'a str>,
) -> Result<DeliveryUpdate<'a>, WriteFailure> {
    let id = id_bytes(&lease.delivery().id)?;
    Ok(DeliveryUpdate { row: lease.row(), id, token: lease.token(), state, not_before, used, note })
}

/// Writes the updates of distinct leases of one kind; returns how many of them were stale.
async fn apply(
    connection: &mut SqliteConnection,
    kind: LeaseKind,
    updates: &[DeliveryUpdate<'_>],
    now: i64,
    pairs: &mut BTreeSet<ChannelUser>,
) -> Result<usize, WriteFailure> {
    let mut applied = 0;
    for updates in updates.chunks(CHUNK) {
        let mut update = statement(kind, updates, now);
        let rows: Vec<(String, String, bool)> =
            update.build_query_as().persistent(false).fetch_all(&mut *connection).await?;
        applied += rows.iter().filter(|(_, _, lead)| *lead).count();
        pairs.extend(rows.into_iter().map(|(channel, user, _)| (channel, user)));
    }
    Ok(updates.len().saturating_sub(applied))
}

/// The statement for these updates. It returns channel and user of each row, and whether the row is the one that stands
/// for its delivery: a digest has one such row.
fn statement(kind: LeaseKind, updates: &[DeliveryUpdate<'_>], now: i64) -> QueryBuilder<Sqlite> {
    let mut query = QueryBuilder::new("WITH new (seq, id, token, state, not_before, used, note) AS (");
    query.push_values(updates, |mut row, update| {
        row.push_bind(update.row).push_bind(&update.id).push_bind(update.token).push_bind(update.state.as_str());
        row.push_bind(update.not_before).push_bind(update.used).push_bind(update.note);
    });
    query.push(
        ") UPDATE deliveries SET state = new.state, attempts = attempts + new.used, note = new.note, lease = NULL, \
         gathered = NULL, not_before = coalesce(new.not_before, deliveries.not_before), \
         due_at = coalesce(new.not_before, deliveries.not_before), updated_at = ",
    );
    query.push_bind(now).push(" FROM new WHERE ");
    query.push(match kind {
        // The id as well: the number of a pruned row may have been given to another.
        LeaseKind::Single => "deliveries.seq = new.seq AND deliveries.id = new.id",
        LeaseKind::Digest => "deliveries.digest = new.id",
    });
    query.push(
        " AND ((deliveries.lease = new.token AND deliveries.state = 'pending') \
         OR (new.state = 'delivered' AND deliveries.state <> 'delivered')) \
         RETURNING deliveries.channel, deliveries.user, deliveries.lead",
    );
    query
}

/// Channel and user of the rows that the lease still holds.
async fn holder(connection: &mut SqliteConnection, lease: &Lease) -> Result<Option<ChannelUser>, WriteFailure> {
    let holder = sqlx::query_as(
        "SELECT channel, user FROM deliveries WHERE lease = ?1 AND state = 'pending' AND (id = ?2 OR digest = ?2) LIMIT 1",
    )
    .bind(lease.token())
    .bind(id_bytes(&lease.delivery().id)?)
    .fetch_optional(connection)
    .await?;
    Ok(holder)
}

/// The statements that settle one delivery, for the check of their plans.
#[cfg(test)]
pub(crate) fn statements() -> [String; 2] {
    let update = DeliveryUpdate {
        row: 1,
        id: vec![0; 16],
        token: 1,
        state: DeliveryState::Delivered,
        not_before: None,
        used: 1,
        note: None,
    };
    [LeaseKind::Single, LeaseKind::Digest].map(|kind| statement(kind, std::slice::from_ref(&update), 1).into_string())
}
