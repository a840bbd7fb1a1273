//! Leasing: claims due deliveries of one channel, round robin by user, and marks each with the token of its lease. A
//! lease only avoids duplicate work; `settle` decides what a stale one may still change.

use sqlx::sqlite::SqliteConnection;
use tidings_domain::delivery::DeliveryId;

use super::{content, fair_queue};
use crate::roles::{Lease, LeaseRequest};
use crate::sqlite::failure::WriteFailure;
use crate::sqlite::value::{delivery_id, id_bytes, millis, size};

/// Users with due deliveries, those who waited longest first.
pub(crate) const READY: &str =
    "SELECT user FROM turns WHERE channel = ?1 AND ready_at <= ?2 ORDER BY ready_at, turn LIMIT ?3";

/// Claims the first due deliveries of each of them; a digest is claimed by its leading row.
pub(crate) const CLAIM: &str = "UPDATE deliveries SET lease = ?5, due_at = ?6 WHERE seq IN ( \
     SELECT d.seq FROM (SELECT user FROM turns WHERE channel = ?1 AND ready_at <= ?2 \
     ORDER BY ready_at, turn LIMIT ?3) t CROSS JOIN deliveries d ON d.seq IN ( \
     SELECT x.seq FROM deliveries x WHERE x.channel = ?1 AND x.user = t.user AND x.lead = 1 AND x.state = 'pending' \
     AND x.due_at <= ?2 ORDER BY x.due_at, x.seq LIMIT ?4)) \
     RETURNING channel, user, address, gathered IS NOT NULL, digest";

/// Marks them as served: they come after all users who are ready now, or when they are due again.
pub(crate) const SERVED: &str = "UPDATE turns SET served_at = ?2, turn = ?4, ready_at = max(?2, \
     (SELECT min(d.due_at) FROM deliveries d \
      WHERE d.channel = turns.channel AND d.user = turns.user AND d.lead = 1 AND d.state = 'pending')) \
     WHERE channel = ?1 AND user IN (SELECT user FROM turns WHERE channel = ?1 AND ready_at <= ?2 \
     ORDER BY ready_at, turn LIMIT ?3)";

/// A claimed row: channel, user, address, whether it leads an open digest, and the closed digest that it leads.
type ClaimedRow = (String, String, String, bool, Option<Vec<u8>>);

/// What one call claims with.
struct Claim<'a> {
    request: &'a LeaseRequest,
    token: i64,
    now: i64,
    until: i64,
}

/// Leases up to `request.max` deliveries. `clock_went_back` says that `now` is before the `now` of an earlier request.
pub(crate) async fn lease(
    connection: &mut SqliteConnection,
    request: &LeaseRequest,
    clock_went_back: bool,
) -> Result<Vec<Lease>, WriteFailure> {
    let until = request.now.after(request.lifetime);
    if clock_went_back {
        shorten(connection, millis(until)).await?;
    }
    let token = sqlx::query_scalar("UPDATE counters SET n = n + 1 WHERE name = 'lease' RETURNING n")
        .fetch_one(&mut *connection)
        .await?;
    let claim = Claim { request, token, now: millis(request.now), until: millis(until) };
    let mut free = request.max;
    while free > 0 {
        let claimed = claim.round(connection, free).await?;
        if claimed.is_empty() {
            break;
        }
        free = free.saturating_sub(claimed.len());
        for row in claimed {
            claim.complete(connection, row).await?;
        }
    }
    content::load(connection, token, request, until).await
}

impl Claim<'_> {
    /// One round: every ready user gets the same share of what is free. Empty when no user is ready.
    async fn round(&self, connection: &mut SqliteConnection, free: usize) -> Result<Vec<ClaimedRow>, WriteFailure> {
        let channel = self.request.channel.as_str();
        loop {
            let ready: Vec<String> = sqlx::query_scalar(READY)
                .bind(channel)
                .bind(self.now)
                .bind(size(free))
                .fetch_all(&mut *connection)
                .await?;
            if ready.is_empty() {
                return Ok(Vec::new());
            }
            let claimed: Vec<ClaimedRow> = sqlx::query_as(CLAIM)
                .bind(channel)
                .bind(self.now)
                .bind(size(free))
                .bind(size(free / ready.len()))
                .bind(self.token)
                .bind(self.until)
                .fetch_all(&mut *connection)
                .await?;
            sqlx::query(SERVED)
                .bind(channel)
                .bind(self.now)
                .bind(size(free))
                .bind(self.token)
                .execute(&mut *connection)
                .await?;
            // None of them had a delivery due. Their rows are correct now, and other users may be ready.
            if !claimed.is_empty() {
                return Ok(claimed);
            }
        }
    }

    /// Claims the other members of a digest with its leading row. An open digest is closed: from now on it has an id
    /// and keeps its members. A digest of one is a single delivery.
    async fn complete(&self, connection: &mut SqliteConnection, row: ClaimedRow) -> Result<(), WriteFailure> {
        let (channel, user, address, open, digest) = row;
        if let Some(digest) = digest {
            sqlx::query("UPDATE deliveries SET lease = ?, due_at = ? WHERE digest = ? AND state = 'pending'")
                .bind(self.token)
                .bind(self.until)
                .bind(digest)
                .execute(connection)
                .await?;
            return Ok(());
        }
        if !open {
            return Ok(());
        }
        let first: Vec<Vec<u8>> = sqlx::query_scalar(
            "SELECT id FROM deliveries WHERE channel = ? AND user = ? AND address = ? AND gathered IS NOT NULL \
             ORDER BY gathered LIMIT 2",
        )
        .bind(&channel)
        .bind(&user)
        .bind(&address)
        .fetch_all(&mut *connection)
        .await?;
        let digest = match first.as_slice() {
            [first, _] => Some(id_bytes(&DeliveryId::digest_of(&delivery_id(first)?))?),
            _ => None,
        };
        sqlx::query(
            "UPDATE deliveries SET gathered = NULL, digest = ?, lease = ?, due_at = ? \
             WHERE channel = ? AND user = ? AND address = ? AND gathered IS NOT NULL",
        )
        .bind(digest)
        .bind(self.token)
        .bind(self.until)
        .bind(channel)
        .bind(user)
        .bind(address)
        .execute(connection)
        .await?;
        Ok(())
    }
}

/// The clock went back: no lease may live longer than one given now, and no user may wait for a time of service that is
/// now in the future.
async fn shorten(connection: &mut SqliteConnection, until: i64) -> Result<(), WriteFailure> {
    sqlx::query("UPDATE deliveries SET due_at = ?1 WHERE lease IS NOT NULL AND due_at > ?1")
        .bind(until)
        .execute(&mut *connection)
        .await?;
    fair_queue::reset(connection).await
}

/// Gives up all leases: the process that held them has ended. Returns how many there were.
pub(crate) async fn release_all(connection: &mut SqliteConnection) -> Result<i64, WriteFailure> {
    let leases = sqlx::query_scalar("SELECT count(*) FROM deliveries WHERE lease IS NOT NULL AND lead = 1")
        .fetch_one(&mut *connection)
        .await?;
    sqlx::query("UPDATE deliveries SET lease = NULL, due_at = not_before WHERE lease IS NOT NULL")
        .execute(&mut *connection)
        .await?;
    fair_queue::reset(connection).await?;
    Ok(leases)
}
