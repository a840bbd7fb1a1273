//! Components in memory while a channel has them. Before anything of a component runs, its signature is checked against the
//! trust policy. Several that wait for the compilation of one component wait for that one alone.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tidings_domain::manifest::Manifest;
use tidings_sandbox::Admitted;
use tidings_store::{Channel, StoreError};
use tokio::sync::OnceCell;

use super::ChannelError;
use super::version_loader::VersionLoader;

/// One component: empty while it is being admitted, and where it could not be.
type CacheSlot = Arc<OnceCell<Admitted>>;

/// Components that were admitted, by digest.
#[derive(Default)]
pub(super) struct ComponentCache(Mutex<HashMap<String, CacheSlot>>);

impl ComponentCache {
    fn slots(&self) -> MutexGuard<'_, HashMap<String, CacheSlot>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The component, if it is in memory. Never waits.
    fn get(&self, digest: &str) -> Option<Admitted> {
        self.slots().get(digest)?.get().cloned()
    }

    /// Where the component is put. What is neither `used` nor being admitted is dropped.
    fn slot(&self, digest: &str, used: &BTreeSet<String>) -> CacheSlot {
        let mut slots = self.slots();
        slots.retain(|digest, slot| used.contains(digest) || Arc::strong_count(slot) > 1);
        Arc::clone(slots.entry(digest.to_owned()).or_default())
    }

    /// Forgets a component.
    pub(super) fn remove(&self, digest: &str) {
        self.slots().remove(digest);
    }
}

impl VersionLoader {
    /// The component, from memory or from the store.
    pub(super) async fn admitted(&self, digest: &str) -> Result<Admitted, ChannelError> {
        if let Some(admitted) = self.cache.get(digest) {
            return Ok(admitted);
        }
        let channels = self.environment().store.channels().await?;
        let used = channels.into_iter().flat_map(components_of).collect();
        let slot = self.cache.slot(digest, &used);
        slot.get_or_try_init(|| self.admit(digest)).await.cloned()
    }

    /// A component is compiled only after the trust policy permits it.
    async fn admit(&self, digest: &str) -> Result<Admitted, ChannelError> {
        let environment = self.environment();
        let info = environment.store.component(digest).await?;
        environment.trust.permits(info.signed.as_ref(), &info.manifest.name)?;
        let file = environment.store.component_file(digest).await?;
        Ok(environment.sandbox.admit(&file).await?)
    }

    /// The component's manifest, also where it does not run here any more. Nothing is compiled for it.
    pub(super) async fn manifest(&self, digest: &str) -> Result<Manifest, ChannelError> {
        match self.cache.get(digest) {
            Some(admitted) => Ok(admitted.manifest().clone()),
            None => Ok(self.environment().store.component(digest).await?.manifest),
        }
    }

    /// Deletes the compiled code of components that are not installed.
    pub(super) async fn forget_code(&self) -> Result<(), StoreError> {
        let components = self.environment().store.components().await?;
        self.environment().sandbox.keep_only(components.into_iter().map(|component| component.digest).collect()).await;
        Ok(())
    }
}

/// The versions that a channel may have to run.
fn components_of(channel: Channel) -> impl Iterator<Item = String> {
    let Channel { component, life, .. } = channel;
    let candidate = life.candidate.map(|candidate| candidate.component);
    [Some(component), candidate, life.previous].into_iter().flatten()
}
