//! One-shot filters during intake: the first message that matches deactivates its filter, even where the matcher's copy
//! of the rules is older and still has it active.

use std::collections::{BTreeMap, BTreeSet};

use sqlx::sqlite::SqliteConnection;
use tidings_domain::delivery::Recipient;
use tidings_domain::subscription::Filter;

use super::submission::PreparedMessage;
use crate::roles::Change;
use crate::sqlite::changes;
use crate::sqlite::failure::WriteFailure;
use crate::sqlite::value::to_json;

/// The subscriptions whose one-shot filters matched, as they are stored.
pub(crate) struct OneShotFilters {
    subscriptions: BTreeMap<(String, String), StoredFilters>,
}

struct StoredFilters {
    addresses: Vec<String>,
    filters: Vec<Filter>,
    changed: bool,
}

impl StoredFilters {
    fn read(addresses: &str, filters: &str) -> Result<StoredFilters, serde_json::Error> {
        Ok(StoredFilters {
            addresses: serde_json::from_str(addresses)?,
            filters: serde_json::from_str(filters)?,
            changed: false,
        })
    }
}

/// The filters that one message fires. All addresses of a subscription get the message.
pub(crate) struct MessageFilters<'a> {
    filters: &'a mut OneShotFilters,
    fired: BTreeSet<(&'a str, &'a str, &'a str)>,
}

impl OneShotFilters {
    /// Loads the subscriptions of the one-shot recipients of these messages; runs no statement where there are none.
    pub(crate) async fn load(
        connection: &mut SqliteConnection,
        messages: &[(&PreparedMessage, i64)],
    ) -> Result<OneShotFilters, WriteFailure> {
        let recipients = messages.iter().flat_map(|(prepared, _)| prepared.message.recipients.iter());
        let keys: BTreeSet<(&str, &str)> =
            recipients.filter(|r| r.oneshot).map(|r| (r.user.as_str(), r.channel.as_str())).collect();
        let mut subscriptions = BTreeMap::new();
        for (user, channel) in keys {
            let row: Option<(String, String)> = sqlx::query_as(
                "SELECT addresses, filters FROM subscriptions WHERE user = ? AND channel = ? AND enabled",
            )
            .bind(user)
            .bind(channel)
            .fetch_optional(&mut *connection)
            .await?;
            let Some((addresses, filters)) = row else { continue };
            match StoredFilters::read(&addresses, &filters) {
                Ok(stored) => _ = subscriptions.insert((user.to_owned(), channel.to_owned()), stored),
                // The other recipients still get the message.
                Err(error) => tracing::error!(
                    user,
                    channel,
                    %error,
                    "the stored subscription cannot be read; its one-shot filters do not fire"
                ),
            }
        }
        Ok(OneShotFilters { subscriptions })
    }

    /// The filters as the next message sees them.
    pub(crate) fn message(&mut self) -> MessageFilters<'_> {
        MessageFilters { filters: self, fired: BTreeSet::new() }
    }

    /// Writes the filters that were deactivated, and publishes the change.
    pub(crate) async fn save(&self, connection: &mut SqliteConnection, now: i64) -> Result<(), WriteFailure> {
        for ((user, channel), stored) in self.subscriptions.iter().filter(|(_, stored)| stored.changed) {
            sqlx::query("UPDATE subscriptions SET filters = ?, updated_at = ? WHERE user = ? AND channel = ?")
                .bind(to_json("subscription", &stored.filters)?)
                .bind(now)
                .bind(user)
                .bind(channel)
                .execute(&mut *connection)
                .await?;
            changes::publish(connection, [Change::User(user.clone())], now).await?;
        }
        Ok(())
    }
}

impl<'a> MessageFilters<'a> {
    /// Whether this message still fires the recipient's filter. It does not where the filter fired before, or where the
    /// filter or the destination no longer exists.
    pub(crate) fn fires(&mut self, recipient: &'a Recipient) -> bool {
        let key = (recipient.user.clone(), recipient.channel.clone());
        let Some(stored) = self.filters.subscriptions.get_mut(&key) else { return false };
        if !stored.addresses.contains(&recipient.address) {
            return false;
        }
        let fired = (recipient.user.as_str(), recipient.channel.as_str(), recipient.filter.as_str());
        if self.fired.contains(&fired) {
            return true;
        }
        let filter = stored.filters.iter_mut().find(|f| f.oneshot && f.active && f.name == recipient.filter);
        let Some(filter) = filter else { return false };
        filter.active = false;
        stored.changed = true;
        self.fired.insert(fired);
        true
    }
}
