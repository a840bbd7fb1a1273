//! Addresses that change while deliveries are pending: they are removed from the user's subscription or replaced in it,
//! and pending deliveries follow. Part of the transaction that stores the outcome.

use std::collections::BTreeSet;

use crate::limits::ADDRESS_MOVE_REST;
use crate::roles::{Change, Lease};
use crate::sqlite::changes;
use crate::sqlite::failure::WriteFailure;
use crate::sqlite::value::{id_bytes, millis, timestamp, to_json};
use sqlx::sqlite::SqliteConnection;

/// The subscription that has the address, and the time of the outcome.
pub(crate) struct Subscriber {
    pub(crate) channel: String,
    pub(crate) user: String,
    pub(crate) now: i64,
}

impl Subscriber {
    /// The address no longer exists: it is removed from the subscription, and its pending deliveries are cancelled.
    pub(crate) async fn leaves(&self, connection: &mut SqliteConnection, address: &str) -> Result<(), WriteFailure> {
        self.edit_addresses(connection, address, None).await?;
        sqlx::query(
            "UPDATE deliveries SET state = 'cancelled', lease = NULL, gathered = NULL, updated_at = ?, \
             note = 'the address does not exist any more' \
             WHERE channel = ? AND user = ? AND state = 'pending' AND address = ?",
        )
        .bind(self.now)
        .bind(&self.channel)
        .bind(&self.user)
        .bind(address)
        .execute(connection)
        .await?;
        Ok(())
    }

    /// The address has a successor: the subscription, this delivery and all others that are pending move there. Leased
    /// ones keep their lease. Where the same message already goes there, one of the two is cancelled.
    ///
    /// The new address is tried at once. Addresses that name themselves or each other must not loop: a delivery that
    /// moves in a later attempt than its first waits for `ADDRESS_MOVE_REST`, and the move of another does not make it
    /// due.
    pub(crate) async fn moves(
        &self,
        connection: &mut SqliteConnection,
        lease: &Lease,
        new: &str,
        reason: &str,
    ) -> Result<(), WriteFailure> {
        let old = lease.delivery().address.as_str();
        self.edit_addresses(connection, old, Some(new)).await?;
        let first = lease.delivery().attempt == 1 && old != new;
        let due = if first { self.now } else { millis(timestamp(self.now).after(ADDRESS_MOVE_REST)) };
        sqlx::query(
            "UPDATE deliveries SET lease = NULL, due_at = ?2, not_before = ?2, updated_at = ?1, attempts = attempts + 1, \
             note = ?3 WHERE lease = ?4 AND state = 'pending' AND (id = ?5 OR digest = ?5)",
        )
        .bind(self.now)
        .bind(due)
        .bind(reason)
        .bind(lease.token())
        .bind(id_bytes(&lease.delivery().id)?)
        .execute(&mut *connection)
        .await?;
        if old == new {
            return Ok(());
        }
        sqlx::query(
            "UPDATE OR IGNORE deliveries SET address = ?1, not_before = iif(attempts < 2, ?2, not_before), \
             due_at = iif(lease IS NULL AND attempts < 2, ?2, due_at) \
             WHERE channel = ?3 AND user = ?4 AND state = 'pending' AND address = ?5",
        )
        .bind(new)
        .bind(self.now)
        .bind(&self.channel)
        .bind(&self.user)
        .bind(old)
        .execute(&mut *connection)
        .await?;
        sqlx::query(
            "UPDATE deliveries SET state = 'cancelled', lease = NULL, gathered = NULL, digest = NULL, updated_at = ?, \
             note = 'its message goes to the new address already' \
             WHERE channel = ? AND user = ? AND state = 'pending' AND address = ?",
        )
        .bind(self.now)
        .bind(&self.channel)
        .bind(&self.user)
        .bind(old)
        .execute(&mut *connection)
        .await?;
        self.restore_leaders(connection, new).await
    }

    /// After a move a digest may have lost its leading row, and two open digests may have become one: every digest gets
    /// one leading row, and an open one is due now.
    async fn restore_leaders(&self, connection: &mut SqliteConnection, address: &str) -> Result<(), WriteFailure> {
        sqlx::query(
            "UPDATE deliveries SET not_before = ?1, due_at = ?1 \
             WHERE channel = ?2 AND user = ?3 AND address = ?4 AND gathered IS NOT NULL",
        )
        .bind(self.now)
        .bind(&self.channel)
        .bind(&self.user)
        .bind(address)
        .execute(&mut *connection)
        .await?;
        sqlx::query(
            "WITH grouped (seq, place) AS ( \
             SELECT seq, row_number() OVER (PARTITION BY digest ORDER BY seq) FROM deliveries \
             WHERE channel = ?1 AND user = ?2 AND state = 'pending' AND address = ?3 \
             AND (gathered IS NOT NULL OR digest IS NOT NULL)) \
             UPDATE deliveries SET lead = (place = 1) FROM grouped WHERE deliveries.seq = grouped.seq",
        )
        .bind(&self.channel)
        .bind(&self.user)
        .bind(address)
        .execute(connection)
        .await?;
        Ok(())
    }

    /// Removes an address from the subscription, or replaces it.
    async fn edit_addresses(
        &self,
        connection: &mut SqliteConnection,
        old: &str,
        new: Option<&str>,
    ) -> Result<(), WriteFailure> {
        let stored: Option<String> =
            sqlx::query_scalar("SELECT addresses FROM subscriptions WHERE user = ? AND channel = ?")
                .bind(&self.user)
                .bind(&self.channel)
                .fetch_optional(&mut *connection)
                .await?;
        let Some(stored) = stored else { return Ok(()) };
        let addresses: Vec<String> = match serde_json::from_str(&stored) {
            Ok(addresses) => addresses,
            // The other outcomes of this transaction are still stored.
            Err(error) => {
                tracing::error!(
                    user = self.user,
                    channel = self.channel,
                    %error,
                    "the stored subscription cannot be read; its addresses stay as they are"
                );
                return Ok(());
            }
        };
        let before = addresses.clone();
        let edited = addresses.into_iter().filter_map(|address| match new {
            _ if address != old => Some(address),
            new => new.map(str::to_owned),
        });
        let mut seen = BTreeSet::new();
        let edited: Vec<String> = edited.filter(|address| seen.insert(address.clone())).collect();
        if edited == before {
            return Ok(());
        }
        sqlx::query("UPDATE subscriptions SET addresses = ?, updated_at = ? WHERE user = ? AND channel = ?")
            .bind(to_json("subscription", &edited)?)
            .bind(self.now)
            .bind(&self.user)
            .bind(&self.channel)
            .execute(&mut *connection)
            .await?;
        changes::publish(connection, [Change::User(self.user.clone())], self.now).await
    }
}
