//! Outcomes of attempts, and the states that follow. The plugin's answer is one input; traps, deadlines and invalid
//! answers are others. `decide` turns an outcome into the next state of a delivery.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::time::Timestamp;

/// The result of one attempt of one delivery: the plugin's answer, or what the sandbox observed instead.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum Outcome {
    /// The remote server took responsibility.
    Delivered { receipt: Option<String> },
    /// A temporary failure of this delivery alone.
    Retry { after: Option<Duration>, reason: String },
    /// The remote server refuses it permanently.
    Rejected { reason: String },
    /// The address does not exist any more.
    AddressGone { replacement: Option<String>, reason: String },
    /// The channel is at fault, not the delivery.
    ChannelTrouble { after: Option<Duration>, reason: String },
    /// The plugin gave no answer.
    Crash { kind: CrashKind, detail: String },
}

impl Outcome {
    /// The same outcome with the texts of the plugin or the remote server changed by `edit`. Addresses stay.
    pub fn reworded(self, edit: impl Fn(String) -> String) -> Outcome {
        match self {
            Outcome::Delivered { receipt } => Outcome::Delivered { receipt: receipt.map(edit) },
            Outcome::Retry { after, reason } => Outcome::Retry { after, reason: edit(reason) },
            Outcome::Rejected { reason } => Outcome::Rejected { reason: edit(reason) },
            Outcome::AddressGone { replacement, reason } => Outcome::AddressGone { replacement, reason: edit(reason) },
            Outcome::ChannelTrouble { after, reason } => Outcome::ChannelTrouble { after, reason: edit(reason) },
            Outcome::Crash { kind, detail } => Outcome::Crash { kind, detail: edit(detail) },
        }
    }
}

/// Why a call of a plugin gave no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CrashKind {
    /// `unreachable`, a panic, a bad memory access, stack overflow.
    Trap,
    /// The deadline passed, in guest code or in a host call.
    Timeout,
    /// Memory, table or instance growth over the limit.
    Memory,
    /// Too many or too large host calls.
    HostCalls,
    /// An invalid answer: a wrong number of outcomes, or a value over its limit.
    Nonsense,
    /// The component could not be instantiated.
    Instantiate,
}

impl CrashKind {
    pub const ALL: [CrashKind; 6] = [
        CrashKind::Trap,
        CrashKind::Timeout,
        CrashKind::Memory,
        CrashKind::HostCalls,
        CrashKind::Nonsense,
        CrashKind::Instantiate,
    ];

    /// The name for logs, metrics and the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            CrashKind::Trap => "trap",
            CrashKind::Timeout => "timeout",
            CrashKind::Memory => "memory",
            CrashKind::HostCalls => "host_calls",
            CrashKind::Nonsense => "nonsense",
            CrashKind::Instantiate => "instantiate",
        }
    }
}

/// The effect of an outcome on a delivery. The store applies it in one transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Settlement {
    Delivered {
        receipt: Option<String>,
    },
    /// Pending again, due at this time. `counts`: an attempt was used.
    Again {
        not_before: Timestamp,
        reason: String,
        counts: bool,
    },
    /// Pending again in its old position: the cause was not this delivery. No attempt was used.
    Held {
        reason: String,
    },
    Dead {
        reason: String,
    },
    /// Dead, and the address is invalid from now on: it leaves the subscription, and its pending deliveries are
    /// cancelled. With a replacement, the subscription and this delivery move there.
    AddressGone {
        replacement: Option<String>,
        reason: String,
    },
}
