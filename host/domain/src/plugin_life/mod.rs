//! The lifecycle of a channel's plugin, as decisions: when a candidate has proved itself, when a version is broken, and
//! what happens to deliveries that a broken channel delays. Pure: `now` is an argument, a reason is returned.

pub mod canary;
pub mod event;
pub mod policy;
pub mod quarantine;

use serde::{Deserialize, Serialize};

use crate::time::Timestamp;

pub use canary::CanaryPlan;
pub use event::{ChannelEvent, EventKind, VersionState};
pub use policy::FailurePolicy;

/// A channel's versions besides the active one. Components are named by their SHA-256 in hexadecimal.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ChannelVersions {
    /// The version that runs as a canary beside the active one.
    pub candidate: Option<Candidate>,
    /// The version that was active before: a rollback activates it.
    pub previous: Option<String>,
    /// When the active version became active. For `limits::WATCH_TIME` it is watched more closely.
    pub switched_at: Option<Timestamp>,
    pub quarantine: Option<Quarantine>,
    pub policy: FailurePolicy,
}

/// A version on trial.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Candidate {
    pub component: String,
    pub plan: CanaryPlan,
    /// When it was requested, for administrators. The canary counts only the time that it ran.
    pub since: Timestamp,
}

/// Why a channel is held although it is enabled.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quarantine {
    pub since: Timestamp,
    pub reason: String,
}

impl ChannelVersions {
    /// Makes `component` active and keeps `active`, the version until now, for a rollback. Clears a quarantine: it was
    /// the other version's.
    pub fn switch(&mut self, active: String, component: &str, now: Timestamp) {
        self.candidate = None;
        self.quarantine = None;
        if active != component {
            self.previous = Some(active);
        }
        self.switched_at = Some(now);
    }

    /// Until when the active version is watched, if a rollback is possible.
    pub fn watched_until(&self, watch: std::time::Duration) -> Option<Timestamp> {
        self.previous.as_ref()?;
        self.switched_at.map(|at| at.after(watch))
    }
}
