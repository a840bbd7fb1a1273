//! The transaction of outcomes. A lease counts for what its token still holds; one that was taken over changes nothing, except
//! that what was delivered is delivered.

use std::collections::{BTreeSet, HashSet};

use sqlx::QueryBuilder;
use sqlx::sqlite::{Sqlite, SqliteConnection};
use tidings_domain::delivery::{Content, DeliveryState};
use tidings_domain::outcome::Settlement;

use super::address::Subscriber;
use super::failure::WriteFailure;
use super::fair_queue::{self, ChannelUser};
use super::value::{id_bytes, millis};
use super::writer::SettledBatch;
use crate::Lease;

/// Units in one statement: seven variables each, below SQLite's 32,766.
const UNITS: usize = 1000;

/// What a settlement writes.
struct Change<'a> {
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

/// The rows of a unit: one by its number, or the members of a digest by the digest's id.
#[derive(Clone, Copy)]
enum Unit {
    Single,
    Digest,
}

/// Settles the leases of one caller; returns how many were stale.
pub(super) async fn settle(connection: &mut SqliteConnection, outcomes: &SettledBatch) -> Result<usize, WriteFailure> {
    let now = millis(outcomes.now);
    let mut stale = 0;
    let (mut singles, mut digests, mut gone) = (Vec::new(), Vec::new(), Vec::new());
    // The same unit may come twice, by a stale and by a valid lease: the later one is for the next turn.
    let (mut seen, mut again) = (HashSet::new(), Vec::new());
    for (lease, settlement) in &outcomes.settled {
        if !seen.insert(lease.delivery().id.as_str()) {
            again.push((lease, settlement));
            continue;
        }
        match change(lease, settlement)? {
            Some(change) if is_digest(lease) => digests.push(change),
            Some(change) => singles.push(change),
            None => gone.push((lease, settlement)),
        }
    }
    let mut pairs = BTreeSet::<ChannelUser>::new();
    stale += apply(connection, Unit::Single, &singles, now, &mut pairs).await?;
    stale += apply(connection, Unit::Digest, &digests, now, &mut pairs).await?;
    for (lease, settlement) in again {
        let unit = if is_digest(lease) { Unit::Digest } else { Unit::Single };
        match change(lease, settlement)? {
            Some(change) => stale += apply(connection, unit, &[change], now, &mut pairs).await?,
            None => gone.push((lease, settlement)),
        }
    }
    stale += addresses_gone(connection, &gone, now, &mut pairs).await?;
    fair_queue::refresh(connection, &pairs).await?;
    Ok(stale)
}

/// Settles the leases whose address is gone; returns how many were stale. Each is settled by its own word before what
/// waits for its address is.
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
            let unit = if is_digest(lease) { Unit::Digest } else { Unit::Single };
            apply(connection, unit, &[dead(lease, reason)?], now, pairs).await?;
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
pub(super) async fn release(connection: &mut SqliteConnection, leases: &[Lease]) -> Result<(), WriteFailure> {
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

/// What the settlement writes; none where the address is gone, which concerns more than this unit.
fn change<'a>(lease: &Lease, settlement: &'a Settlement) -> Result<Option<Change<'a>>, WriteFailure> {
    let (state, not_before, used, note) = match settlement {
        Settlement::Delivered { receipt } => (DeliveryState::Delivered, None, 1, receipt.as_deref()),
        Settlement::Again { not_before, reason, counts } => {
            (DeliveryState::Pending, Some(millis(*not_before)), i64::from(*counts), Some(reason.as_str()))
        }
        Settlement::Held { reason } => (DeliveryState::Pending, None, 0, Some(reason.as_str())),
        Settlement::Dead { reason } => return dead(lease, reason).map(Some),
        Settlement::AddressGone { .. } => return Ok(None),
    };
    written(lease, state, not_before, used, note).map(Some)
}

fn dead<'a>(lease: &Lease, reason: &'a str) -> Result<Change<'a>, WriteFailure> {
    written(lease, DeliveryState::Dead, None, 1, Some(reason))
}

fn written<'a>(
    lease: &Lease,
    state: DeliveryState,
    not_before: Option<i64>,
    used: i64,
    note: Option<&'a str>,
) -> Result<Change<'a>, WriteFailure> {
    let id = id_bytes(&lease.delivery().id)?;
    Ok(Change { row: lease.row(), id, token: lease.token(), state, not_before, used, note })
}

/// Writes the changes of distinct units; returns how many of them were stale.
async fn apply(
    connection: &mut SqliteConnection,
    unit: Unit,
    changes: &[Change<'_>],
    now: i64,
    pairs: &mut BTreeSet<ChannelUser>,
) -> Result<usize, WriteFailure> {
    let mut applied = 0;
    for changes in changes.chunks(UNITS) {
        let mut update = update(unit, changes, now);
        let rows: Vec<(String, String, bool)> =
            update.build_query_as().persistent(false).fetch_all(&mut *connection).await?;
        applied += rows.iter().filter(|(_, _, lead)| *lead).count();
        pairs.extend(rows.into_iter().map(|(channel, user, _)| (channel, user)));
    }
    Ok(changes.len().saturating_sub(applied))
}

/// The statement for these changes. It returns channel and user of each row, and whether the row leads its unit.
fn update(unit: Unit, changes: &[Change<'_>], now: i64) -> QueryBuilder<Sqlite> {
    let mut query = QueryBuilder::new("WITH new (seq, id, token, state, not_before, used, note) AS (");
    query.push_values(changes, |mut row, change| {
        row.push_bind(change.row).push_bind(&change.id).push_bind(change.token).push_bind(change.state.as_str());
        row.push_bind(change.not_before).push_bind(change.used).push_bind(change.note);
    });
    query.push(
        ") UPDATE deliveries SET state = new.state, attempts = attempts + new.used, note = new.note, lease = NULL, \
         gathered = NULL, not_before = coalesce(new.not_before, deliveries.not_before), \
         due_at = coalesce(new.not_before, deliveries.not_before), updated_at = ",
    );
    query.push_bind(now).push(" FROM new WHERE ");
    query.push(match unit {
        // The id as well: a row that was pruned may have left its number to another.
        Unit::Single => "deliveries.seq = new.seq AND deliveries.id = new.id",
        Unit::Digest => "deliveries.digest = new.id",
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

/// The statements that settle one unit, for the check of their plans.
#[cfg(test)]
pub(super) fn statements() -> [String; 2] {
    let change = Change {
        row: 1,
        id: vec![0; 16],
        token: 1,
        state: DeliveryState::Delivered,
        not_before: None,
        used: 1,
        note: None,
    };
    [Unit::Single, Unit::Digest].map(|unit| update(unit, std::slice::from_ref(&change), 1).into_string())
}
