//! A channel as administrators see it. Secrets are shown as set or not set, never with their value.

use std::collections::BTreeMap;

use serde::Serialize;
use tidings_domain::grant::Grant;
use tidings_domain::limits::PluginLimits;
use tidings_domain::manifest::Manifest;
use tidings_domain::time::Timestamp;
use tidings_domain::words;
use tidings_store::Channel;

/// Everything about a channel that may be shown.
#[derive(Clone, Debug, Serialize)]
pub struct ChannelView {
    pub name: String,
    /// SHA-256 of its component.
    pub component: String,
    pub manifest: Manifest,
    pub enabled: bool,
    #[serde(flatten)]
    pub state: ChannelState,
    /// Values of fields that are not secret.
    pub config: BTreeMap<String, String>,
    /// Names of the secret fields that have a value.
    pub secrets_set: Vec<String>,
    pub reach: Vec<Grant>,
    /// Names of the credentials granted.
    pub credentials: Vec<String>,
    /// What the plugin asks for, with the configuration's values put in.
    pub asks: Vec<Ask>,
    pub limits: PluginLimits,
    /// What it may do as things are, in plain words.
    pub may: Vec<String>,
}

/// A grant that the plugin asks for.
#[derive(Clone, Debug, Serialize)]
pub struct Ask {
    pub grant: Grant,
    pub why: String,
    pub granted: bool,
}

/// What a channel is doing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum ChannelState {
    /// Deliveries are held.
    Disabled,
    Running,
    /// In trouble; deliveries wait until then.
    Resting {
        until: Timestamp,
        reason: String,
    },
    /// Enabled, but it cannot run; deliveries are held.
    Failed {
        reason: String,
    },
}

impl ChannelView {
    pub(super) fn new(channel: Channel, manifest: Manifest, state: ChannelState) -> ChannelView {
        let is_secret = |name: &str| manifest.config.iter().any(|field| field.name == name && field.secret);
        let (secrets, config): (BTreeMap<_, _>, BTreeMap<_, _>) =
            channel.config.clone().into_iter().partition(|(name, _)| is_secret(name));
        // Before the configuration is complete it is not known what will be asked for.
        let config_in_force = manifest.configure(&channel.config).unwrap_or_default();
        let asks = manifest.grants.iter().filter_map(|request| {
            let grant = request.resolve(&config_in_force).ok()?;
            let same = |given: &Grant| {
                given.capability == grant.capability
                    && given.host.eq_ignore_ascii_case(&grant.host)
                    && given.port == grant.port
            };
            let granted = channel.grants.reach.iter().any(same);
            Some(Ask { grant, why: request.why.clone(), granted })
        });
        let may = words::reachable(&channel.grants.reach).into_iter().chain(words::limits(&channel.limits));
        ChannelView {
            may: may.collect(),
            asks: asks.collect(),
            name: channel.name,
            component: channel.component,
            enabled: channel.enabled,
            state,
            config,
            secrets_set: secrets.into_keys().collect(),
            credentials: channel.grants.credentials.iter().map(|credential| credential.name.clone()).collect(),
            reach: channel.grants.reach,
            limits: channel.limits,
            manifest,
        }
    }
}
