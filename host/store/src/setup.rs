//! What an administrator set up: channels, components, tokens.

use std::collections::BTreeMap;
use std::fmt;

use tidings_domain::grant::Grants;
use tidings_domain::limits::PluginLimits;
use tidings_domain::manifest::Manifest;
use tidings_domain::plugin_life::{ChannelVersions, VersionState};
use tidings_domain::time::Timestamp;

/// A channel as an administrator set it up. `Debug` hides the values of its configuration, some of which are secrets.
#[derive(Clone)]
pub struct Channel {
    pub name: String,
    /// SHA-256 of its active component, in hexadecimal.
    pub component: String,
    /// Values by the manifest's field names, secrets included.
    pub config: BTreeMap<String, String>,
    /// The values that came with the last upgrade had these before, or none: what going back puts back. All count as secret.
    pub former: BTreeMap<String, Option<String>>,
    pub grants: Grants,
    pub limits: PluginLimits,
    pub enabled: bool,
    /// Its other versions, and how it is doing.
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

/// A component, known by the SHA-256 of its file.
#[derive(Clone, Debug)]
pub struct ComponentInfo {
    pub digest: String,
    pub manifest: Manifest,
    pub bytes: u64,
    pub installed_at: Timestamp,
    /// Whose signature it was installed with; none where it had none.
    pub signed: Option<Signed>,
}

/// A signature that was found good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signed {
    /// The publisher, by the name in the settings of that time.
    pub publisher: String,
    /// The publisher's public key that it was checked with.
    pub key: String,
}

/// A version that a channel has or had.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChannelVersion {
    /// SHA-256 of its component, in hexadecimal.
    pub component: String,
    pub state: VersionState,
    /// When it got into that state.
    pub since: Timestamp,
}

/// A token of the API: only its hash is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    pub id: String,
    pub name: String,
    pub hash: [u8; 32],
    pub created_at: Timestamp,
    pub expires_at: Option<Timestamp>,
}
