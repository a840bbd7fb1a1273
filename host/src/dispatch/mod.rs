//! Sending what is due. Each enabled channel has a worker of its own that leases due deliveries, calls the channel's
//! plugin, and settles the outcomes; channels share nothing but the store. Dispatch opens no socket and knows no protocol.

mod bounded_map;
mod instance_kind;
pub(crate) mod limits;
mod plugin_runner;
mod version_set;
mod worker;

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use tokio::sync::Notify;

pub use instance_kind::InstanceKind;
pub use plugin_runner::PluginRunner;
pub use version_set::{CallableVersion, Rollout, RolloutReport, RolloutReports, RolloutVerdict, VersionSet};
pub use worker::{DispatchSettings, Worker, WorkerHandle, WorkerStatus};

/// Lets intake tell a channel's worker that something is due. Only a hint: a worker also looks by itself.
#[derive(Default)]
pub struct Wakers {
    channels: RwLock<HashMap<String, Arc<Notify>>>,
}

impl Wakers {
    /// Wakes the channel's worker, if it has one.
    pub fn wake(&self, channel: &str) {
        let channels = self.channels.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(waker) = channels.get(channel) {
            waker.notify_one();
        }
    }

    /// Wakes every worker.
    pub fn wake_all(&self) {
        let channels = self.channels.read().unwrap_or_else(PoisonError::into_inner);
        channels.values().for_each(|waker| waker.notify_one());
    }

    /// The waker that a new worker of the channel listens to.
    pub fn register(&self, channel: &str) -> Arc<Notify> {
        let mut channels = self.channels.write().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(channels.entry(channel.to_owned()).or_default())
    }
}
