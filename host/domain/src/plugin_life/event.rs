//! What happened to a channel, as administrators read it: words and their spelling.

use serde::{Deserialize, Serialize};

use crate::time::Timestamp;

/// One line of a channel's history.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ChannelEvent {
    pub at: Timestamp,
    pub event: EventKind,
    /// The component it is about.
    pub component: String,
    /// Why, for people.
    pub detail: String,
}

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
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

/// What a version is to its channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VersionState {
    Active,
    Candidate,
    /// Where rolling back leads.
    Previous,
    /// It was given up: it failed as candidate, or was rolled back.
    Failed,
    /// It was active or on trial once, and another one took its place.
    Retired,
}

macro_rules! words {
    ($kind:ident { $($variant:ident = $word:literal),+ $(,)? }) => {
        impl $kind {
            /// The word for the store and the API.
            pub const fn as_str(self) -> &'static str {
                match self { $($kind::$variant => $word),+ }
            }

            /// Reads the word back.
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
