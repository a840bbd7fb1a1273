//! The state of the daemon.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use tidings_domain::time::Timestamp;

use crate::ChannelStateInfo;

/// The process answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Health {
    pub healthy: bool,
}

/// The store accepts writes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Readiness {
    pub ready: bool,
}

/// The daemon, its bus endpoints, messages and channels.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct StatusInfo {
    pub version: String,
    pub bus: Vec<EndpointInfo>,
    pub messages: MessageCounts,
    pub channels: Vec<ChannelSummary>,
}

/// Messages since the daemon started, by result. `received` is the sum of the others once none is in progress.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct MessageCounts {
    pub received: u64,
    pub matched: u64,
    pub unmatched: u64,
    /// Seen before.
    pub duplicate: u64,
    /// Seen before with another content.
    pub conflict: u64,
    /// The daemon itself failed on them.
    pub poison: u64,
    /// By reason; reasons that did not occur are absent.
    pub refused: BTreeMap<String, u64>,
}

impl MessageCounts {
    /// Messages with a result; equals `received` when none is in progress.
    pub fn settled(&self) -> u64 {
        let refused: u64 = self.refused.values().sum();
        self.matched + self.unmatched + self.duplicate + self.conflict + self.poison + refused
    }

    /// Each count under its name, for a table.
    pub fn rows(&self) -> Vec<[String; 2]> {
        let MessageCounts { received, matched, unmatched, duplicate, conflict, poison, refused } = self;
        let counts = [
            ("received", received),
            ("matched", matched),
            ("unmatched", unmatched),
            ("duplicate", duplicate),
            ("conflict", conflict),
            ("poison", poison),
        ];
        let counts = counts.into_iter().map(|(name, count)| [name.to_owned(), count.to_string()]);
        counts.chain(refused.iter().map(|(reason, count)| [format!("refused: {reason}"), count.to_string()])).collect()
    }
}

/// The state of a bus endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum BusEndpointState {
    Connecting,
    Subscribed,
    BackingOff,
    Ended,
}

impl BusEndpointState {
    pub const fn as_str(self) -> &'static str {
        match self {
            BusEndpointState::Connecting => "connecting",
            BusEndpointState::Subscribed => "subscribed",
            BusEndpointState::BackingOff => "backing_off",
            BusEndpointState::Ended => "ended",
        }
    }
}

/// An endpoint of the bus.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct EndpointInfo {
    pub name: String,
    pub state: BusEndpointState,
    pub since: Timestamp,
    /// The latest trouble, kept after it has passed.
    pub trouble: Option<String>,
    pub messages: u64,
    pub bytes: u64,
    /// Messages that the source refused, by reason.
    pub refused: Vec<RefusedMessages>,
    /// Connections that replaced a lost one.
    pub reconnects: u64,
    /// Connections that replaced a silent one.
    pub renewals: u64,
    /// Messages that found the buffer full and waited.
    pub waits: u64,
    /// Jumps of a publisher's counter, and the missing numbers.
    pub gaps: u64,
    pub missing: u64,
    /// Publishers that restarted their counter.
    pub restarts: u64,
    pub started_at: Timestamp,
    pub last_message_at: Option<Timestamp>,
}

/// How often a source refused a message for one reason.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RefusedMessages {
    pub reason: String,
    pub count: u64,
}

/// A channel and its state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ChannelSummary {
    pub name: String,
    #[serde(flatten)]
    pub state: ChannelStateInfo,
}
