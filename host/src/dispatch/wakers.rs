//! How intake tells a channel's worker that something is due. Only a hint: a worker also looks by itself.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use tokio::sync::Notify;

/// The wakers of all channels that have had a worker.
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

    /// The waker that a new worker of the channel waits on.
    pub fn register(&self, channel: &str) -> Arc<Notify> {
        let mut channels = self.channels.write().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(channels.entry(channel.to_owned()).or_default())
    }

    /// Forgets the waker of a channel that was removed.
    pub fn forget(&self, channel: &str) {
        self.channels.write().unwrap_or_else(PoisonError::into_inner).remove(channel);
    }
}
