//! Channels: their plugin, configuration, grants and state. Secrets go in and never come out.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use tidings_domain::grant::Grant;
use tidings_domain::limits::PluginLimits;
use tidings_domain::manifest::Manifest;
use tidings_domain::plugin_life::{Candidate, FailurePolicy};
use tidings_domain::time::Timestamp;

/// A channel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ChannelInfo {
    pub name: String,
    /// SHA-256 of its component.
    pub component: String,
    pub manifest: Manifest,
    pub enabled: bool,
    #[serde(flatten)]
    pub state: ChannelStateInfo,
    /// Values of the fields that are not secret.
    pub config: BTreeMap<String, String>,
    /// Names of the secret fields that have a value.
    pub secrets_set: Vec<String>,
    /// What the plugin may reach.
    pub reach: Vec<Grant>,
    /// Names of the granted credentials.
    pub credentials: Vec<String>,
    /// What the plugin requests, with the configuration's values.
    pub asks: Vec<GrantRequestInfo>,
    /// The credentials that it requests.
    pub credential_asks: Vec<CredentialRequestInfo>,
    pub limits: PluginLimits,
    /// The resident instance of its plugin, while the channel runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resident: Option<ResidentInfo>,
    /// What the plugin may do at present, one sentence each.
    pub may: Vec<String>,
    /// The version that runs as a canary.
    pub candidate: Option<Candidate>,
    /// SHA-256 of the version that a rollback activates.
    pub previous: Option<String>,
    pub policy: FailurePolicy,
}

/// The state of a channel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum ChannelStateInfo {
    /// Deliveries are held.
    Disabled,
    Running,
    /// In trouble; deliveries wait until then.
    Resting {
        until: Timestamp,
        reason: String,
    },
    /// Enabled, but its plugin is broken; deliveries are held.
    Quarantined {
        since: Timestamp,
        reason: String,
    },
    /// Enabled, but it cannot run; deliveries are held.
    Failed {
        reason: String,
    },
}

/// A grant that the plugin requests.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct GrantRequestInfo {
    pub grant: Grant,
    /// The plugin's reason.
    pub why: String,
    pub granted: bool,
}

/// A credential that the plugin requests.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CredentialRequestInfo {
    pub name: String,
    /// `header`, `google-service-account` or `client-certificate`.
    pub kind: String,
    /// Null while the setting that names it has no value.
    pub host: Option<String>,
    /// The channel cannot be enabled without it.
    pub required: bool,
    /// The plugin's reason.
    pub why: String,
    /// A credential of this name, kind and host is granted.
    pub granted: bool,
}

/// The resident instance of a channel's plugin since the channel was started.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ResidentInfo {
    /// An instance is alive; otherwise one is being started, or waits after a crash.
    pub alive: bool,
    /// Started instances, and those of them that crashed.
    pub starts: u64,
    pub crashes: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_crash: Option<String>,
    pub wakes: u64,
    /// Wakes that the plugin requested too soon, and that were delayed.
    pub held: u64,
}

/// Creates a channel, or switches it to another component of the same plugin.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PutChannelRequest {
    /// SHA-256 of an installed component.
    pub component: String,
}

/// Either everything that the plugin requests (`as_asked`), or exactly `reach` and `credentials`. An absent list stays.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct GrantsRequest {
    #[serde(default)]
    pub as_asked: bool,
    /// With `as_asked`: also private, loopback and link-local addresses.
    #[serde(default)]
    pub private: bool,
    /// With `as_asked`: HTTP requests also without TLS.
    #[serde(default)]
    pub plain_http: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reach: Option<Vec<Grant>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credentials: Option<Vec<CredentialGrant>>,
}

/// A secret for the host to use on behalf of the plugin.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CredentialGrant {
    pub name: String,
    /// `header` if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// The name of the header, for the kind `header`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub header: Option<String>,
    pub value: String,
    /// The only host that it is used for.
    pub host: String,
}

/// Hides the value.
impl std::fmt::Debug for CredentialGrant {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let CredentialGrant { name, kind, header, host, .. } = self;
        let mut out = out.debug_struct("CredentialGrant");
        out.field("name", name).field("kind", kind).field("header", header).field("host", host).finish_non_exhaustive()
    }
}

/// Sends one message outside the queue.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TestSendRequest {
    pub address: String,
}

/// The result of sending one message outside the queue.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TestSendResult {
    pub outcome: TestOutcome,
    /// The reason, or the remote server's answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_seconds: Option<u64>,
    /// The new address, if the plugin reports one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replacement: Option<String>,
}

/// The kinds of outcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum TestOutcome {
    Delivered,
    Retry,
    Rejected,
    AddressGone,
    ChannelTrouble,
    Crash,
}

impl TestOutcome {
    pub const fn as_str(self) -> &'static str {
        match self {
            TestOutcome::Delivered => "delivered",
            TestOutcome::Retry => "retry",
            TestOutcome::Rejected => "rejected",
            TestOutcome::AddressGone => "address_gone",
            TestOutcome::ChannelTrouble => "channel_trouble",
            TestOutcome::Crash => "crash",
        }
    }
}
