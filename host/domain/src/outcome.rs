//! What became of an attempt, and what follows from it. The plugin's word is one input; traps, deadlines and nonsense
//! are the others. `decide` is where an outcome becomes the next state of a delivery.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::time::Timestamp;

/// What became of one delivery in one attempt: the plugin's answer, or what the sandbox saw instead of one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum Outcome {
    /// The far side took responsibility.
    Delivered { receipt: Option<String> },
    /// A passing failure of this delivery alone.
    Retry { after: Option<Duration>, reason: String },
    /// The far side will never take it.
    Rejected { reason: String },
    /// The address does not exist any more.
    AddressGone { replacement: Option<String>, reason: String },
    /// The channel is at fault, not the delivery.
    ChannelTrouble { after: Option<Duration>, reason: String },
    /// The plugin gave no answer.
    Crash { kind: CrashKind, detail: String },
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
    /// The answer was none: a wrong number of outcomes, a value over its bound.
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

    /// The word for logs, metrics and the API.
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

/// What an outcome makes of a delivery. The store applies it in one transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Settlement {
    Delivered {
        receipt: Option<String>,
    },
    /// Pending again, not before then. `counts` says whether an attempt was used up.
    Again {
        not_before: Timestamp,
        reason: String,
        counts: bool,
    },
    Dead {
        reason: String,
    },
    /// Dead, and nothing else goes to that address: it leaves the subscription and its pending deliveries are cancelled.
    /// With a replacement the subscription and this delivery move there.
    AddressGone {
        replacement: Option<String>,
        reason: String,
    },
}
