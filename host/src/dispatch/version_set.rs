//! Which versions of its plugin a channel's worker calls: the active one, and what is on trial. The worker is given a set
//! and reports what it learned about a version; it does not act on the report. A call that began with a version ends with
//! it.

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
    pub runner: Arc<PluginRunner>,
    pub label: VersionLabel,
}

impl CallableVersion {
    /// Whether one instance lives as long as its channel. A second one beside it would be a second user of the service
    /// that it is connected to.
    pub fn is_resident(&self) -> bool {
        self.runner.is_resident()
    }
}

/// The versions of a channel.
#[derive(Clone)]
pub struct VersionSet {
    /// Unique in this daemon: a report about one set says nothing about the next, though the versions are the same and
    /// only their configuration or grants are not.
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

    /// Whether a worker may change to it, or from it, while calls are in flight.
    pub fn is_shareable(&self) -> bool {
        !self.active.is_resident() && self.candidate().is_none_or(|candidate| !candidate.is_resident())
    }
}

/// The trial of a version.
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

/// What a worker learned about a version. It sends one for each set, and calls the version no more from then on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RolloutReport {
    /// The number of the version set.
    pub version_set: u64,
    pub component: Arc<str>,
    pub verdict: RolloutVerdict,
    pub reason: String,
}

/// What is to be done with the version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RolloutVerdict {
    /// The candidate passed its trial.
    Proved,
    /// The candidate failed its trial.
    Failed,
    /// The active version crashes again and again.
    Broken,
}

/// Where a worker sends its reports.
pub type RolloutReports = mpsc::Sender<RolloutReport>;
