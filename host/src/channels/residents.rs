//! Channels whose plugin lives on: what it did, for whoever asks, and the running one for whoever wants to use it.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Serialize;
use tidings_sandbox::ResidentStats;

use super::{Channels, Slot};
use crate::dispatch::PluginRunner;

/// The life of a channel's resident plugin since the channel was started.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ResidentView {
    /// There is an instance; else it is being started, or rests after a crash.
    pub alive: bool,
    /// Instances that were started, and those of them that crashed.
    pub starts: u64,
    pub crashes: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_crash: Option<String>,
    pub wakes: u64,
    /// Wakes that it asked for too soon, and that were held back.
    pub held: u64,
}

impl From<ResidentStats> for ResidentView {
    fn from(stats: ResidentStats) -> ResidentView {
        let ResidentStats { starts, crashes, last_crash, wakes, delayed_wakes: held, alive, .. } = stats;
        let last_crash = last_crash.map(|(kind, detail)| format!("{}: {detail}", kind.as_str()));
        ResidentView { alive, starts, crashes, last_crash, wakes, held }
    }
}

impl Slot {
    /// What its resident plugin did, where it has one.
    pub(super) fn life(&self) -> Option<ResidentStats> {
        self.sender()?.life()
    }

    fn sender(&self) -> Option<Arc<PluginRunner>> {
        match self {
            Slot::Running(worker) => Some(worker.sender()),
            Slot::Failed(_) => None,
        }
    }
}

impl Channels {
    /// What each running resident plugin did, by channel.
    pub async fn residents(&self) -> BTreeMap<String, ResidentView> {
        let workers = self.workers.lock().await;
        workers.iter().filter_map(|(name, slot)| Some((name.clone(), slot.life()?.into()))).collect()
    }

    /// What the channel's resident plugin is reached by, where one runs.
    pub(super) async fn running_resident(&self, channel: &str) -> Option<Arc<PluginRunner>> {
        let workers = self.workers.lock().await;
        let sender = workers.get(channel)?.sender()?;
        sender.life().is_some().then_some(sender)
    }
}
