//! From a component file to an admitted plugin: inspect, compile, link, ask for the manifest. The same file is admitted
//! in the same way every time; configuration, grants and network are not involved.

mod error;
mod inspect;

pub use error::AdmissionError;

use std::sync::Arc;

use sha2::{Digest as _, Sha256};
use tidings_domain::limits::REASON_CHARS;
use tidings_domain::manifest::Lifetime;
use tidings_domain::text::one_line;

use crate::abi::LinkedPlugin;
use crate::admitted::Admitted;
use crate::code::CompileError;
use crate::sandbox::Sandbox;

impl Sandbox {
    /// Checks a component file, compiles it (or loads its code from the cache), links it and asks for its manifest.
    ///
    /// # Errors
    /// The file is not a plugin that this sandbox can run, or the sandbox is busy.
    pub async fn admit(&self, file: &[u8]) -> Result<Admitted, AdmissionError> {
        let file: Arc<[u8]> = file.into();
        // Reading every byte of a large file takes a while, so not on an executor thread.
        let inspected = blocking({
            let file = Arc::clone(&file);
            move || Ok((inspect::inspect(&file)?, hex::encode(Sha256::digest(&file))))
        });
        let (outline, digest) = inspected.await?;
        let compiled = self.code.compile(&digest, file).await?.ok_or(AdmissionError::Busy)?;
        let linked = LinkedPlugin::new(outline.version, &self.runtime.linker, &compiled.component);
        let linked = linked.map_err(|error| AdmissionError::Contract(one_line(&format!("{error:#}"), REASON_CHARS)))?;
        let linked = Arc::new(linked);
        let manifest = self.runtime.describe(&linked).await.ok_or(AdmissionError::Busy)?;
        let manifest = manifest.map_err(|(kind, detail)| AdmissionError::Describe { kind, detail })?;
        manifest.check()?;
        check_lifetime(manifest.lifetime, outline.lifetime)?;
        if let Some(code) = compiled.new_code {
            // After all checks, so that a refused file leaves nothing in the cache.
            self.code.keep(&digest, code).await?;
        }
        Ok(Admitted::new(digest, outline.imports, manifest, linked))
    }
}

fn check_lifetime(declared: Lifetime, exported: Lifetime) -> Result<(), AdmissionError> {
    if declared == exported {
        return Ok(());
    }
    Err(AdmissionError::Lifetime { declared: declared.as_str(), exported: exported.as_str() })
}

/// Runs work that computes for a while on a blocking thread.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, AdmissionError> + Send + 'static,
) -> Result<T, AdmissionError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|error| Err(CompileError::Crashed(error.to_string()).into()))
}
