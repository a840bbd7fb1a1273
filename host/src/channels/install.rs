//! Components in the store: installing and removing them. What a component may do is for grants and limits.

use std::sync::Arc;

use bytes::Bytes;
use tidings_store::ComponentInfo;

use super::{ChannelError, Channels, NotReady};
use crate::clock;

impl Channels {
    /// Checks a component and keeps it. The same file again is no error.
    ///
    /// # Errors
    /// An invalid or untrusted signature, and a file that cannot run here.
    pub async fn install(&self, file: Bytes, signature: Option<String>) -> Result<ComponentInfo, ChannelError> {
        let environment = self.environment();
        let signed = {
            let (trust, file) = (Arc::clone(&environment.trust), file.clone());
            // A large file takes a while: not on a thread that others wait for.
            let verified = tokio::task::spawn_blocking(move || trust.verify(&file, signature.as_deref()));
            verified.await.map_err(|error| NotReady::SignatureCheck(error.to_string()))??
        };
        let admitted = environment.sandbox.admit(&file).await?;
        let manifest = admitted.manifest().clone();
        if let Some(signed) = &signed {
            environment.trust.may_sign(signed, &manifest.name)?;
        }
        let digest = admitted.digest().to_owned();
        let info = ComponentInfo { digest, manifest, bytes: file.len() as u64, installed_at: clock::now(), signed };
        environment.store.put_component(&info, &file).await?;
        let (plugin, version) = (&info.manifest.name, &info.manifest.version);
        tracing::info!(plugin, version, digest = info.digest, "a component was installed");
        Ok(info)
    }

    /// Forgets a component that no channel has active, on trial or to return to.
    pub async fn remove_component(&self, digest: &str) -> Result<(), ChannelError> {
        // No channel takes it into use meanwhile.
        let _unused = self.loader.component_use.write().await;
        self.environment().store.delete_component(digest).await?;
        self.loader.cache.remove(digest);
        tracing::info!(digest, "a component was removed");
        if let Err(error) = self.loader.forget_code().await {
            tracing::warn!(digest, %error, "the compiled code of a removed component stays until the next start");
        }
        Ok(())
    }
}
