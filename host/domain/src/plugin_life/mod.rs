//! The life of a channel's plugin, as decisions: when a new version has proved itself, when a version is broken, what
//! becomes of deliveries that a broken channel keeps waiting. Nothing here acts; `now` comes in, a reason goes out.

pub mod canary;
pub mod event;
pub mod policy;
pub mod quarantine;

use serde::{Deserialize, Serialize};

use crate::time::Timestamp;

pub use canary::CanaryPlan;
pub use event::{ChannelEvent, EventKind, VersionState};
pub use policy::FailurePolicy;

/// What a channel knows of its versions besides the active one. The names of components are SHA-256 in hexadecimal.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ChannelVersions {
    /// The version that is being tried beside the active one.
    pub candidate: Option<Candidate>,
    /// The version that was active before: where rolling back leads.
    pub previous: Option<String>,
    /// When the active version became active. For `limits::WATCH_TIME` it is watched more closely.
    pub switched_at: Option<Timestamp>,
    pub quarantine: Option<Quarantine>,
    pub policy: FailurePolicy,
}

/// A version on trial.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Candidate {
    pub component: String,
    pub plan: CanaryPlan,
    /// When it was wished for, for people; its trial is as old as it has run.
    pub since: Timestamp,
}

/// Why a channel is held although it is enabled.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quarantine {
    pub since: Timestamp,
    pub reason: String,
}

impl ChannelVersions {
    /// `component` is active from now on, and `active`, which was until now, can be returned to. A quarantine was the
    /// other version's.
    pub fn switch(&mut self, active: String, component: &str, now: Timestamp) {
        self.candidate = None;
        self.quarantine = None;
        if active != component {
            self.previous = Some(active);
        }
        self.switched_at = Some(now);
    }

    /// Until when the active version is watched, if there is one to return to.
    pub fn watched_until(&self, watch: std::time::Duration) -> Option<Timestamp> {
        self.previous.as_ref()?;
        self.switched_at.map(|at| at.after(watch))
    }
}
