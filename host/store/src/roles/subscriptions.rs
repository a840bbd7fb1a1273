//! Subscriptions: one for each user and channel. A row keeps its documents as text, so that compiling a million filters
//! does not need them a second time as parsed trees.

use async_trait::async_trait;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tidings_domain::subscription::{DigestOptions, Edit, Style, Subscription};
use tidings_domain::time::Timestamp;

use crate::error::{Result, StoreError};

/// Users' subscriptions. Each change is published in the feed of changes.
#[async_trait]
pub trait SubscriptionStore: Send + Sync {
    /// Subscriptions of all users in bounded memory: rows after `after` (user and channel), by user and channel;
    /// `limit` of them, or fewer where they are large (`limits::SUBSCRIPTION_PAGE_BYTES`). An empty page is the end.
    async fn subscription_page(&self, after: Option<(&str, &str)>, limit: u32) -> Result<Vec<SubscriptionRow>>;
    /// The same by users: rows of the users after `after`. A page ends with all rows of its last user, and may be that
    /// much longer.
    async fn subscription_page_of_users(&self, after: Option<&str>, limit: u32) -> Result<Vec<SubscriptionRow>>;
    /// One user's, by channel, as they are stored.
    async fn subscription_rows_of(&self, user: &str) -> Result<Vec<SubscriptionRow>>;
    /// One user's, by channel.
    ///
    /// # Errors
    /// `Damaged` where one of them cannot be read.
    async fn subscriptions_of(&self, user: &str) -> Result<Vec<Subscription>> {
        self.subscription_rows_of(user).await?.iter().map(SubscriptionRow::read).collect()
    }
    /// The user who has this address on the channel; the first by name where several have. Reads all subscriptions of
    /// the channel: for a user's command, not for messages.
    async fn owner_of(&self, channel: &str, address: &str) -> Result<Option<String>>;
    /// Replaces the user's subscription for that channel. Pending deliveries to addresses that it no longer has, or all
    /// of them where it is disabled, are cancelled. A digest that is being collected is due by the new options, and at
    /// once where the subscription no longer has any.
    async fn put_subscription(&self, subscription: &Subscription, now: Timestamp) -> Result<()> {
        self.put_subscriptions(std::slice::from_ref(subscription), now).await
    }
    /// The same for many, in one transaction; of several for one user and channel the last counts.
    async fn put_subscriptions(&self, subscriptions: &[Subscription], now: Timestamp) -> Result<()>;
    /// Applies the edit to the user's subscription for that channel in one transaction, so that no concurrent change is
    /// lost. Returns whether it changed anything. Deliveries are cancelled as in `put_subscription`.
    async fn edit_subscription(&self, user: &str, channel: &str, edit: &Edit, now: Timestamp) -> Result<bool>;
    /// Replaces the subscription that equals `present` by `new`, which has the same user and channel, or deletes it if
    /// `new` is none; in one transaction, so that no concurrent change is lost. Returns false, and changes nothing, if the
    /// stored one is different or absent. Deliveries are cancelled as in `put_subscription`.
    async fn replace_subscription(
        &self,
        present: &Subscription,
        new: Option<&Subscription>,
        now: Timestamp,
    ) -> Result<bool>;
    /// Deletes a subscription and cancels its pending deliveries. Returns whether there was one.
    async fn delete_subscription(&self, user: &str, channel: &str, now: Timestamp) -> Result<bool>;
}

/// One user's subscription for one channel. Its documents are parsed when they are read; an error names the user and
/// the channel, and does not affect other rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubscriptionRow {
    pub user: String,
    pub channel: String,
    pub enabled: bool,
    /// JSON unless it was damaged. Bytes, so that invalid UTF-8 is an error of this row only.
    addresses: Vec<u8>,
    settings: Vec<u8>,
    filters: Vec<u8>,
}

/// A subscription apart from its filters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubscriptionOptions {
    pub addresses: Vec<String>,
    pub digest: Option<DigestOptions>,
    pub style: Style,
}

/// The document `settings`.
#[derive(Deserialize, Serialize)]
pub(crate) struct SettingsDocument {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) digest: Option<DigestOptions>,
    pub(crate) style: Style,
}

impl SubscriptionRow {
    /// The row that keeps this subscription.
    pub(crate) fn write(subscription: &Subscription) -> Result<SubscriptionRow> {
        let Subscription { user, channel, enabled, addresses, digest, style, filters } = subscription;
        let settings = SettingsDocument { digest: *digest, style: *style };
        let encode_failed = |error: serde_json::Error| damaged(user, channel, &error.to_string());
        Ok(SubscriptionRow {
            user: user.clone(),
            channel: channel.clone(),
            enabled: *enabled,
            addresses: serde_json::to_vec(addresses).map_err(encode_failed)?,
            settings: serde_json::to_vec(&settings).map_err(encode_failed)?,
            filters: serde_json::to_vec(filters).map_err(encode_failed)?,
        })
    }

    /// From the columns, in the order of the fields.
    pub(crate) fn new(columns: (String, String, bool, Vec<u8>, Vec<u8>, Vec<u8>)) -> SubscriptionRow {
        let (user, channel, enabled, addresses, settings, filters) = columns;
        SubscriptionRow { user, channel, enabled, addresses, settings, filters }
    }

    /// The filters as stored: a JSON array of `domain::subscription::Filter`, not parsed here.
    ///
    /// # Errors
    /// `Damaged` where it is not UTF-8.
    pub fn filters(&self) -> Result<&str> {
        self.text(&self.filters)
    }

    pub(crate) fn addresses_text(&self) -> Result<&str> {
        self.text(&self.addresses)
    }

    pub(crate) fn settings_text(&self) -> Result<&str> {
        self.text(&self.settings)
    }

    /// What matching needs in addition to the filters.
    ///
    /// # Errors
    /// `Damaged` where it is not what this program writes.
    pub fn options(&self) -> Result<SubscriptionOptions> {
        let SettingsDocument { digest, style } = self.parse(&self.settings)?;
        Ok(SubscriptionOptions { addresses: self.parse(&self.addresses)?, digest, style })
    }

    /// The subscription as users edit it.
    ///
    /// # Errors
    /// `Damaged` where it is not what this program writes.
    pub fn read(&self) -> Result<Subscription> {
        let SubscriptionOptions { addresses, digest, style } = self.options()?;
        let filters = self.parse(&self.filters)?;
        let (user, channel) = (self.user.clone(), self.channel.clone());
        Ok(Subscription { user, channel, enabled: self.enabled, addresses, digest, style, filters })
    }

    /// Bytes of its documents.
    pub fn size(&self) -> usize {
        self.addresses.len() + self.settings.len() + self.filters.len()
    }

    fn text<'a>(&self, column: &'a [u8]) -> Result<&'a str> {
        std::str::from_utf8(column).map_err(|error| damaged(&self.user, &self.channel, &error.to_string()))
    }

    fn parse<T: DeserializeOwned>(&self, column: &[u8]) -> Result<T> {
        serde_json::from_slice(column).map_err(|error| damaged(&self.user, &self.channel, &error.to_string()))
    }
}

fn damaged(user: &str, channel: &str, detail: &str) -> StoreError {
    StoreError::Damaged { what: "subscription", detail: format!("{user} on {channel}: {detail}") }
}
