//! Versions of a channel's plugin: upgrades, history, logs.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use tidings_domain::plugin_life::{CanaryPlan, VersionState};
use tidings_domain::time::Timestamp;

/// Switches a channel to another version of its plugin.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct UpgradeRequest {
    /// SHA-256 of an installed component.
    pub component: String,
    /// Switches at once, without a canary.
    #[serde(default)]
    pub now: bool,
    /// The canary; absent values have their default.
    #[serde(default)]
    pub canary: Option<CanaryPlan>,
    /// Configuration values of the new version; null removes one.
    #[serde(default)]
    pub config: BTreeMap<String, Option<String>>,
    /// Skips the contract's test cases.
    #[serde(default)]
    pub unproven: bool,
}

/// A version that the channel has or had.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct VersionInfo {
    /// SHA-256 of its component.
    pub component: String,
    /// From its manifest; null if the component is no longer kept.
    pub version: Option<String>,
    pub state: VersionState,
    /// When it reached that state.
    pub since: Timestamp,
    /// Its resource use since the daemon started; null if the component is no longer kept.
    pub stats: Option<VersionUse>,
}

/// What a version did and used since the daemon started.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct VersionUse {
    pub calls: u64,
    /// Crashed calls, by kind.
    pub crashes: BTreeMap<String, u64>,
    /// The duration of all calls together.
    pub seconds: f64,
    /// Calls by their duration; empty without calls.
    pub latency: Vec<LatencyBucket>,
    /// Processor time of the plugin's code and of the host on its behalf.
    pub cpu_seconds: f64,
    /// The peak linear memory of one instance.
    pub memory_peak_bytes: i64,
    pub host_calls: u64,
    /// Connections, requests and credentials that no grant covered.
    pub egress_denials: u64,
    pub network_bytes: u64,
    pub log_lines: u64,
    pub log_lines_dropped: u64,
}

/// The number of calls that took up to a time, and longer than the bucket before.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct LatencyBucket {
    /// In seconds; null: longer than all others.
    pub up_to: Option<f64>,
    pub count: u64,
}

/// Which lines of the log to return.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::IntoParams), into_params(parameter_in = Query))]
pub struct LogQuery {
    /// Lines after the one with this number.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", param(required = false))]
    pub after: u64,
}

/// One line of a plugin's log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct LogLineInfo {
    /// Grows with each line, also over restarts of the daemon.
    pub number: u64,
    pub at: Timestamp,
    pub level: String,
    /// The plugin's version from its manifest.
    pub version: String,
    pub line: String,
}
