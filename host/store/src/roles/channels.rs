//! Channels as an administrator configured them, with the versions of their plugins and their history. The domain
//! decides what changes and when; this role stores it.

use std::collections::BTreeMap;
use std::fmt;

use async_trait::async_trait;
use tidings_domain::grant::Grants;
use tidings_domain::limits::PluginLimits;
use tidings_domain::plugin_life::{ChannelEvent, ChannelVersions, VersionState};
use tidings_domain::time::Timestamp;

use crate::error::Result;

/// A channel as an administrator configured it. `Debug` hides the values of its configuration, some of which are
/// secrets.
#[derive(Clone)]
pub struct Channel {
    pub name: String,
    /// SHA-256 of its active component, in hexadecimal.
    pub component: String,
    /// Values by the manifest's field names, secrets included.
    pub config: BTreeMap<String, String>,
    /// What the values that came with the last upgrade were before, or none: a rollback restores them. All count as
    /// secret.
    pub former: BTreeMap<String, Option<String>>,
    pub grants: Grants,
    pub limits: PluginLimits,
    pub enabled: bool,
    /// Its other versions, its quarantine and its failure policy.
    pub life: ChannelVersions,
}

impl fmt::Debug for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Channel")
            .field("name", &self.name)
            .field("component", &self.component)
            .field("config", &self.config.keys())
            .field("former", &self.former.keys())
            .field("grants", &self.grants)
            .field("limits", &self.limits)
            .field("enabled", &self.enabled)
            .field("life", &self.life)
            .finish()
    }
}

/// A version that a channel has or had.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChannelVersion {
    /// SHA-256 of its component, in hexadecimal.
    pub component: String,
    pub state: VersionState,
    /// When it entered that state.
    pub since: Timestamp,
}

/// Channels with their versions and history; each change is one transaction and is published in the feed of changes.
#[async_trait]
pub trait ChannelStore: Send + Sync {
    /// All channels, by name.
    async fn channels(&self) -> Result<Vec<Channel>>;
    /// # Errors
    /// `Missing` where there is none of that name.
    async fn channel(&self, name: &str) -> Result<Channel>;
    /// Creates the channel or replaces it as a whole, its versions too. `event` is added to its history; a version that
    /// the event is about and that is no longer in use counts as failed where the event is a failure.
    async fn change_channel(&self, channel: &Channel, event: Option<ChannelEvent>, now: Timestamp) -> Result<()>;
    /// The same without an entry in its history.
    async fn put_channel(&self, channel: &Channel, now: Timestamp) -> Result<()> {
        self.change_channel(channel, None, now).await
    }
    /// Deletes the channel with its history and its plugin's state. Books and subscriptions stay.
    ///
    /// # Errors
    /// `InUse` while it is enabled, has pending deliveries, or another channel falls back to it.
    async fn delete_channel(&self, name: &str, now: Timestamp) -> Result<()>;
    /// Every version that the channel has or had, the latest change first.
    async fn channel_versions(&self, name: &str) -> Result<Vec<ChannelVersion>>;
    /// The channel's history, newest first; `limits::CHANNEL_EVENTS` are kept.
    async fn channel_events(&self, name: &str, limit: u32) -> Result<Vec<ChannelEvent>>;
}
