//! Which versions of its plugin a channel's worker calls: the active one, and what is on trial. The worker is given a
//! fleet and reports what it found; who acts on it is not its business. A call that began with a version ends with it.

use std::sync::Arc;

use tidings_domain::plugin_life::CanaryPlan;
use tidings_domain::time::Timestamp;
use tokio::sync::mpsc;

use super::PluginRunner;
use crate::telemetry::VersionLabel;

/// One version, ready to be called.
#[derive(Clone)]
pub struct CallableVersion {
    /// SHA-256 of its component.
    pub component: Arc<str>,
    pub sender: Arc<PluginRunner>,
    pub label: VersionLabel,
    /// It lives as long as its channel, and a second one beside it would be a second user of the far side.
    pub resident: bool,
}

/// The versions of a channel.
#[derive(Clone)]
pub struct VersionSet {
    /// No other fleet of this daemon has it: what is found about one says nothing about the next, though the versions are
    /// the same and only their configuration or grants are not.
    pub number: u64,
    pub active: CallableVersion,
    pub trial: Rollout,
}

impl VersionSet {
    /// The version on trial beside the active one.
    pub fn candidate(&self) -> Option<&CallableVersion> {
        match &self.trial {
            Rollout::Canary { candidate, .. } => Some(candidate),
            Rollout::None | Rollout::Watch { .. } => None,
        }
    }

    /// Whether a worker may go over to it, or from it, while calls are in flight.
    pub fn is_shareable(&self) -> bool {
        !self.active.resident && self.candidate().is_none_or(|candidate| !candidate.resident)
    }
}

/// What is being tried.
#[derive(Clone)]
pub enum Rollout {
    None,
    /// A candidate beside the active version, from the moment that the worker gets it.
    Canary {
        candidate: CallableVersion,
        plan: CanaryPlan,
    },
    /// The active version itself, until then; there is one to return to.
    Watch {
        until: Timestamp,
    },
}

/// What a worker found out about a version. It sends one for each fleet, and leaves the version alone from then on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RolloutReport {
    pub channel: String,
    /// The number of the fleet.
    pub fleet: u64,
    pub component: Arc<str>,
    pub verdict: RolloutVerdict,
    pub reason: String,
}

/// What is to be done with the version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RolloutVerdict {
    /// The candidate is good.
    Proved,
    /// The candidate is not.
    Failed,
    /// The active version crashes again and again.
    Broken,
}

/// Where findings go.
pub type RolloutReports = mpsc::Sender<RolloutReport>;
