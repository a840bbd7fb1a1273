//! A channel's history as administrators read it: kinds of events and their names.

use serde::{Deserialize, Serialize};

use crate::time::Timestamp;

/// One line of a channel's history.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ChannelEvent {
    pub at: Timestamp,
    pub event: EventKind,
    /// The component that the event concerns.
    pub component: String,
    /// The reason, for administrators.
    pub detail: String,
}

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum EventKind {
    Created,
    /// A candidate gets a share of the deliveries.
    CanaryStarted,
    /// The candidate became the active version.
    Promoted,
    /// Another version became active at once, without a canary.
    Switched,
    /// The candidate failed; the active version stayed.
    FellBack,
    /// The previous version became active again.
    RolledBack,
    Quarantined,
    Released,
    Enabled,
    Disabled,
    Configured,
    Granted,
    Limited,
    PolicySet,
}

/// The role of a version in its channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum VersionState {
    Active,
    Candidate,
    /// The version that a rollback activates.
    Previous,
    /// It failed as candidate, or was rolled back.
    Failed,
    /// It was active or a candidate before, and another version replaced it.
    Retired,
}

macro_rules! words {
    ($kind:ident { $($variant:ident = $word:literal),+ $(,)? }) => {
        impl $kind {
            /// The name for the store and the API.
            pub const fn as_str(self) -> &'static str {
                match self { $($kind::$variant => $word),+ }
            }

            /// Reads the name back.
            pub fn parse(word: &str) -> Option<$kind> {
                match word { $($word => Some($kind::$variant),)+ _ => None }
            }
        }
    };
}

words!(EventKind {
    Created = "created",
    CanaryStarted = "canary_started",
    Promoted = "promoted",
    Switched = "switched",
    FellBack = "fell_back",
    RolledBack = "rolled_back",
    Quarantined = "quarantined",
    Released = "released",
    Enabled = "enabled",
    Disabled = "disabled",
    Configured = "configured",
    Granted = "granted",
    Limited = "limited",
    PolicySet = "policy_set",
});

words!(VersionState {
    Active = "active",
    Candidate = "candidate",
    Previous = "previous",
    Failed = "failed",
    Retired = "retired",
});
