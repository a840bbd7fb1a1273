//! The actors of all channels, by name. Its lock is held for an operation of the map only, never while something waits.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::actor::{self, ActorHandle};
use super::status::ChannelStatus;
use super::version_loader::VersionLoader;
use super::{ChannelError, NotReady};

/// The actors, each in a task of its own.
pub(super) struct Registry {
    loader: Arc<VersionLoader>,
    actors: RwLock<HashMap<String, Entry>>,
    /// Ends all actors.
    stop: CancellationToken,
}

struct Entry {
    handle: ActorHandle,
    task: JoinHandle<()>,
}

impl Registry {
    pub(super) fn new(loader: Arc<VersionLoader>) -> Registry {
        Registry { loader, actors: RwLock::default(), stop: CancellationToken::new() }
    }

    /// The actor of a channel that is in the store; it is started where there is none.
    pub(super) fn actor(&self, name: &str) -> Result<ActorHandle, ChannelError> {
        let known = self.read().get(name).filter(|entry| !entry.handle.has_ended()).map(|entry| entry.handle.clone());
        if let Some(handle) = known {
            return Ok(handle);
        }
        let mut actors = self.write();
        // `stop` takes the map after it cancels: an actor that were added later would never be waited for.
        if self.stop.is_cancelled() {
            return Err(NotReady::Stopping.into());
        }
        match actors.get(name) {
            Some(entry) if !entry.handle.has_ended() => Ok(entry.handle.clone()),
            _ => {
                let (handle, task) = actor::spawn(name, Arc::clone(&self.loader), self.stop.clone());
                actors.insert(name.to_owned(), Entry { handle: handle.clone(), task });
                Ok(handle)
            }
        }
    }

    /// Forgets the actor of a channel that was removed, unless the channel has another one by now.
    pub(super) fn forget(&self, name: &str, handle: &ActorHandle) {
        let mut actors = self.write();
        if actors.get(name).is_some_and(|entry| entry.handle.is_same(handle)) {
            actors.remove(name);
        }
    }

    /// What runs for a channel; none where it has no actor.
    pub(super) fn status(&self, name: &str) -> Option<ChannelStatus> {
        self.read().get(name).map(|entry| entry.handle.status())
    }

    /// What runs for each channel.
    pub(super) fn statuses(&self) -> Vec<(String, ChannelStatus)> {
        self.read().iter().map(|(name, entry)| (name.clone(), entry.handle.status())).collect()
    }

    /// Ends all actors and waits for them, with their workers. None is started any more.
    pub(super) async fn stop(&self) {
        self.stop.cancel();
        let actors = std::mem::take(&mut *self.write());
        for (channel, Entry { task, .. }) in actors {
            if let Err(error) = task.await {
                tracing::error!(channel, %error, "the channel's actor panicked while it stopped; its leases expire");
            }
        }
    }

    fn read(&self) -> RwLockReadGuard<'_, HashMap<String, Entry>> {
        self.actors.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, HashMap<String, Entry>> {
        self.actors.write().unwrap_or_else(PoisonError::into_inner)
    }
}
