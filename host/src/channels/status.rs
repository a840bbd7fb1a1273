//! What runs for a channel, as its actor publishes it. Reading it never waits.

use tidings_sandbox::ResidentStats;

use crate::dispatch::WorkerMonitor;

/// What runs for a channel. During a change it is what ran before.
#[derive(Clone)]
pub(super) enum ChannelStatus {
    /// No worker: the channel is disabled, quarantined, or not started yet.
    Stopped,
    Running(WorkerMonitor),
    /// No worker, although the channel is enabled: it could not be started.
    Failed {
        reason: String,
    },
}

impl ChannelStatus {
    /// What the channel's resident plugin did, where one runs.
    pub(super) fn resident_stats(&self) -> Option<ResidentStats> {
        match self {
            ChannelStatus::Running(worker) => worker.runner().resident_stats(),
            ChannelStatus::Stopped | ChannelStatus::Failed { .. } => None,
        }
    }
}
