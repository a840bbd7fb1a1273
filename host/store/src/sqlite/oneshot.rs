//! One-shot filters during intake: the first message that matches deactivates its filter, whatever the matcher's copy of
//! the rules still says.

use std::collections::{BTreeMap, BTreeSet};

use sqlx::sqlite::SqliteConnection;
use tidings_domain::delivery::Recipient;
use tidings_domain::subscription::Filter;

use super::failure::WriteFailure;
use super::feed;
use super::value::to_json;
use super::writer::PreparedMessage;
use crate::Change;

/// The subscriptions whose one-shot filters matched, as they are stored.
pub(super) struct OneShots {
    subscriptions: BTreeMap<(String, String), Stored>,
}

struct Stored {
    addresses: Vec<String>,
    filters: Vec<Filter>,
    changed: bool,
}

impl Stored {
    fn read(addresses: &str, filters: &str) -> Result<Stored, serde_json::Error> {
        Ok(Stored {
            addresses: serde_json::from_str(addresses)?,
            filters: serde_json::from_str(filters)?,
            changed: false,
        })
    }
}

/// The filters that one message fires. All addresses of a subscription get it.
pub(super) struct Firing<'a> {
    oneshots: &'a mut OneShots,
    fired: BTreeSet<(&'a str, &'a str, &'a str)>,
}

impl OneShots {
    /// Loads what the one-shot recipients of these messages need; nothing where there are none.
    pub(super) async fn load(
        connection: &mut SqliteConnection,
        messages: &[(&PreparedMessage, i64)],
    ) -> Result<OneShots, WriteFailure> {
        let recipients = messages.iter().flat_map(|(intake, _)| intake.message.recipients.iter());
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
            match Stored::read(&addresses, &filters) {
                Ok(stored) => _ = subscriptions.insert((user.to_owned(), channel.to_owned()), stored),
                // One user's trouble: the message goes to the others.
                Err(error) => tracing::error!(user, channel, %error, "a subscription cannot be read"),
            }
        }
        Ok(OneShots { subscriptions })
    }

    /// Begins a message.
    pub(super) fn message(&mut self) -> Firing<'_> {
        Firing { oneshots: self, fired: BTreeSet::new() }
    }

    /// Writes the filters that were deactivated, and tells of it.
    pub(super) async fn save(&self, connection: &mut SqliteConnection, now: i64) -> Result<(), WriteFailure> {
        for ((user, channel), stored) in self.subscriptions.iter().filter(|(_, stored)| stored.changed) {
            sqlx::query("UPDATE subscriptions SET filters = ?, updated_at = ? WHERE user = ? AND channel = ?")
                .bind(to_json("subscription", &stored.filters)?)
                .bind(now)
                .bind(user)
                .bind(channel)
                .execute(&mut *connection)
                .await?;
            feed::publish(connection, [Change::User(user.clone())], now).await?;
        }
        Ok(())
    }
}

impl<'a> Firing<'a> {
    /// Whether this message still fires the recipient's filter. It does not where the filter fired before or is gone, or
    /// where the destination is.
    pub(super) fn fires(&mut self, recipient: &'a Recipient) -> bool {
        let key = (recipient.user.clone(), recipient.channel.clone());
        let Some(stored) = self.oneshots.subscriptions.get_mut(&key) else { return false };
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
