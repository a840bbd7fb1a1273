//! Components as channels use them. Whose a component is, is asked before anything of it runs; its code is in memory while
//! a channel has it, and whoever waits for a compilation waits for that component alone.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use tidings_domain::manifest::Manifest;
use tidings_sandbox::Admitted;
use tidings_store::{Channel, ComponentInfo};
use tokio::sync::OnceCell;

use super::{ChannelError, Channels};
use crate::clock;

/// One component: empty while it is being admitted, and where it could not be.
type Place = Arc<OnceCell<Admitted>>;

/// Components that were admitted, by digest.
#[derive(Default)]
pub(super) struct ComponentCache(Mutex<HashMap<String, Place>>);

impl ComponentCache {
    fn places(&self) -> MutexGuard<'_, HashMap<String, Place>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The component, if it is here; nothing is waited for.
    fn get(&self, digest: &str) -> Option<Admitted> {
        self.places().get(digest)?.get().cloned()
    }

    /// Where the component is put. What is not `used` and is not being admitted goes.
    fn place(&self, digest: &str, used: &BTreeSet<String>) -> Place {
        let mut places = self.places();
        places.retain(|digest, place| used.contains(digest) || Arc::strong_count(place) > 1);
        Arc::clone(places.entry(digest.to_owned()).or_default())
    }

    fn remove(&self, digest: &str) {
        self.places().remove(digest);
    }
}

impl Channels {
    /// Checks a component and keeps it. The same file again is no error.
    pub async fn install(&self, file: Bytes, signature: Option<String>) -> Result<ComponentInfo, ChannelError> {
        let signed = {
            let (trust, file) = (Arc::clone(&self.environment.trust), file.clone());
            // A large file takes a while: not on a thread that others wait for.
            let verified = tokio::task::spawn_blocking(move || trust.verify(&file, signature.as_deref()));
            verified.await.map_err(|error| ChannelError::NotReady(error.to_string()))??
        };
        let admitted = self.environment.sandbox.admit(&file).await?;
        let manifest = admitted.manifest().clone();
        if let Some(signed) = &signed {
            self.environment.trust.may_sign(signed, &manifest.name)?;
        }
        let digest = admitted.digest().to_owned();
        let info = ComponentInfo { digest, manifest, bytes: file.len() as u64, installed_at: clock::now(), signed };
        self.environment.store.put_component(&info, &file).await?;
        tracing::info!(plugin = info.manifest.name, version = info.manifest.version, digest = info.digest, "installed");
        Ok(info)
    }

    /// Forgets a component that no channel has active, on trial or to return to.
    pub async fn remove_component(&self, digest: &str) -> Result<(), ChannelError> {
        // No channel takes it into use meanwhile.
        let _workers = self.workers.lock().await;
        self.environment.store.delete_component(digest).await?;
        self.shelf.remove(digest);
        tracing::info!(digest, "a component was removed");
        if let Err(error) = self.forget_code().await {
            tracing::warn!(%error, "the compiled code of a component that was removed stays until the next start");
        }
        Ok(())
    }

    /// The component, from memory or from the store.
    pub(super) async fn admitted(&self, digest: &str) -> Result<Admitted, ChannelError> {
        if let Some(admitted) = self.shelf.get(digest) {
            return Ok(admitted);
        }
        let channels = self.environment.store.channels().await?;
        let used = channels.into_iter().flat_map(components_of).collect();
        let place = self.shelf.place(digest, &used);
        place.get_or_try_init(|| self.admit(digest)).await.cloned()
    }

    /// None of which it is not known that it may run is compiled.
    async fn admit(&self, digest: &str) -> Result<Admitted, ChannelError> {
        let info = self.environment.store.component(digest).await?;
        self.environment.trust.permits(info.signed.as_ref(), &info.manifest.name)?;
        let file = self.environment.store.component_file(digest).await?;
        Ok(self.environment.sandbox.admit(&file).await?)
    }

    /// What a component says of itself, also one that does not run here any more. Nothing is compiled for it.
    pub(super) async fn manifest(&self, digest: &str) -> Result<Manifest, ChannelError> {
        match self.shelf.get(digest) {
            Some(admitted) => Ok(admitted.manifest().clone()),
            None => Ok(self.environment.store.component(digest).await?.manifest),
        }
    }
}

/// The versions that a channel may have to run.
fn components_of(channel: Channel) -> impl Iterator<Item = String> {
    let Channel { component, life, .. } = channel;
    let candidate = life.candidate.map(|candidate| candidate.component);
    [Some(component), candidate, life.previous].into_iter().flatten()
}
