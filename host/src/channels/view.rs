//! A channel as administrators see it. Secrets are shown as set or not set, never with their value.

use std::collections::BTreeMap;

use tidings_domain::grant::Grant;
use tidings_domain::limits::PluginLimits;
use tidings_domain::manifest::{CredentialRequest, GrantRequest, Manifest};
use tidings_domain::permissions_text;
use tidings_domain::plugin_life::{Candidate, FailurePolicy};
use tidings_domain::time::Timestamp;
use tidings_store::Channel;

use super::status::ChannelStatus;
use super::{ResidentView, config_compat};
use crate::clock;
use crate::dispatch::ChannelRest;
use crate::precondition::StateTag;

/// Everything about a channel that may be shown.
#[derive(Clone, Debug)]
pub struct ChannelView {
    pub name: String,
    /// SHA-256 of its component.
    pub component: String,
    pub manifest: Manifest,
    pub enabled: bool,
    pub state: ChannelState,
    /// Values of fields that are not secret.
    pub config: BTreeMap<String, String>,
    /// Names of the secret fields that have a value.
    pub secrets_set: Vec<String>,
    pub reach: Vec<Grant>,
    /// Names of the credentials granted.
    pub credentials: Vec<String>,
    /// What the plugin asks for, with the configuration's values put in.
    pub asks: Vec<GrantRequestView>,
    /// The credentials that it asks for, likewise.
    pub credential_asks: Vec<CredentialRequestView>,
    pub limits: PluginLimits,
    /// What its plugin did, where that is resident and the channel runs.
    pub resident: Option<ResidentView>,
    /// What it may do at present, in plain words.
    pub may: Vec<String>,
    /// The version on trial.
    pub candidate: Option<Candidate>,
    /// SHA-256 of the version that rolling back leads to.
    pub previous: Option<String>,
    pub policy: FailurePolicy,
    /// Names the stored state: what is set, not what the channel is doing.
    pub tag: StateTag,
}

/// A grant that the plugin asks for.
#[derive(Clone, Debug)]
pub struct GrantRequestView {
    pub grant: Grant,
    pub why: String,
    pub granted: bool,
}

/// A credential that the plugin asks for.
#[derive(Clone, Debug)]
pub struct CredentialRequestView {
    pub name: String,
    /// As the contract names it.
    pub kind: String,
    /// None where the configuration does not say yet.
    pub host: Option<String>,
    /// The channel cannot be enabled without it.
    pub required: bool,
    pub why: String,
    /// One of this name, kind and host was given.
    pub granted: bool,
}

/// What a channel is doing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChannelState {
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

impl ChannelState {
    /// The state of a stored channel for which this runs.
    fn new(channel: &Channel, status: &ChannelStatus) -> ChannelState {
        let quarantine = channel.life.quarantine.clone();
        match (status, quarantine) {
            _ if !channel.enabled => ChannelState::Disabled,
            (_, Some(quarantine)) => ChannelState::Quarantined { since: quarantine.since, reason: quarantine.reason },
            (ChannelStatus::Stopped, None) => ChannelState::Disabled,
            (ChannelStatus::Failed { reason }, None) => ChannelState::Failed { reason: reason.clone() },
            (ChannelStatus::Running(worker), None) => match worker.rest() {
                Some(ChannelRest { until, reason }) if clock::now() < until => ChannelState::Resting { until, reason },
                _ => ChannelState::Running,
            },
        }
    }
}

impl ChannelView {
    pub(super) fn new(channel: Channel, manifest: Manifest, status: &ChannelStatus, tag: StateTag) -> ChannelView {
        let state = ChannelState::new(&channel, status);
        // A value of another version's field may be a secret as well.
        let is_public = |name: &str| manifest.config.iter().any(|field| field.name == name && !field.secret);
        let (config, secrets): (BTreeMap<_, _>, BTreeMap<_, _>) =
            channel.config.clone().into_iter().partition(|(name, _)| is_public(name));
        // Before the configuration is complete it is not known what will be asked for.
        let config_in_force = config_compat::complete(&manifest, &channel.config).unwrap_or_default();
        let asks = grant_requests(&manifest, &config_in_force, &channel);
        let credential_asks = credential_requests(&manifest, &config_in_force, &channel);
        let may = permissions_text::reachable(&channel.grants.reach)
            .into_iter()
            .chain(permissions_text::limits(&channel.limits));
        ChannelView {
            may: may.collect(),
            asks,
            credential_asks,
            name: channel.name,
            component: channel.component,
            enabled: channel.enabled,
            state,
            config,
            secrets_set: secrets.into_keys().collect(),
            credentials: channel.grants.credentials.iter().map(|credential| credential.name.clone()).collect(),
            reach: channel.grants.reach,
            limits: channel.limits,
            resident: status.resident_stats().map(ResidentView::from),
            candidate: channel.life.candidate,
            previous: channel.life.previous,
            policy: channel.life.policy,
            manifest,
            tag,
        }
    }
}

fn grant_requests(manifest: &Manifest, config: &BTreeMap<String, String>, channel: &Channel) -> Vec<GrantRequestView> {
    let view = |request: &GrantRequest| {
        let grant = request.resolve(config).ok()?;
        let same = |given: &Grant| {
            given.capability == grant.capability
                && given.host.eq_ignore_ascii_case(&grant.host)
                && given.port == grant.port
        };
        let granted = channel.grants.reach.iter().any(same);
        Some(GrantRequestView { grant, why: request.why.clone(), granted })
    };
    manifest.grants.iter().filter_map(view).collect()
}

fn credential_requests(
    manifest: &Manifest,
    config: &BTreeMap<String, String>,
    channel: &Channel,
) -> Vec<CredentialRequestView> {
    let view = |request: &CredentialRequest| {
        let host = request.host(config).ok();
        CredentialRequestView {
            name: request.name.clone(),
            kind: request.kind.clone(),
            required: request.required,
            why: request.why.clone(),
            granted: host.as_ref().is_some_and(|host| request.is_granted(host, &channel.grants)),
            host: host.map(|host| host.to_string()),
        }
    };
    manifest.credentials.iter().map(view).collect()
}
