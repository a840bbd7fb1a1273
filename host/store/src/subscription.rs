//! A subscription as it is stored: its documents as text, so that whoever compiles a million filters does not need them a
//! second time as trees.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tidings_domain::subscription::{DigestOptions, Style, Subscription};

use crate::{Result, StoreError};

/// One user's subscription for one channel. A row whose documents cannot be read says so when it is asked for them, with
/// its user and channel, and stands in nobody else's way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubscriptionRow {
    pub user: String,
    pub channel: String,
    pub enabled: bool,
    /// JSON, or what somebody made of it: as bytes, since a text that is no UTF-8 is this row's trouble alone.
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
        let unwritable = |error: serde_json::Error| damaged(user, channel, &error.to_string());
        Ok(SubscriptionRow {
            user: user.clone(),
            channel: channel.clone(),
            enabled: *enabled,
            addresses: serde_json::to_vec(addresses).map_err(unwritable)?,
            settings: serde_json::to_vec(&settings).map_err(unwritable)?,
            filters: serde_json::to_vec(filters).map_err(unwritable)?,
        })
    }

    /// From the columns, in the order of the fields.
    pub(crate) fn new(columns: (String, String, bool, Vec<u8>, Vec<u8>, Vec<u8>)) -> SubscriptionRow {
        let (user, channel, enabled, addresses, settings, filters) = columns;
        SubscriptionRow { user, channel, enabled, addresses, settings, filters }
    }

    /// The filters as stored: a JSON array of `domain::subscription::Filter`. It is text; whether it is such an array,
    /// whoever parses it finds out.
    ///
    /// # Errors
    /// `Damaged` where it is no text.
    pub fn filters(&self) -> Result<&str> {
        self.text(&self.filters)
    }

    pub(crate) fn addresses_text(&self) -> Result<&str> {
        self.text(&self.addresses)
    }

    pub(crate) fn settings_text(&self) -> Result<&str> {
        self.text(&self.settings)
    }

    /// What matching needs besides the filters.
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
