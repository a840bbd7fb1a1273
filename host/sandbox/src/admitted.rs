//! An admitted plugin: checked, compiled, linked, with its manifest.

use std::sync::Arc;

use tidings_domain::manifest::Manifest;

use crate::abi::{EVENT_STREAM, LinkedPlugin};

/// A component that was checked, compiled and linked, and its manifest. Cheap to clone.
#[derive(Clone)]
pub struct Admitted {
    inner: Arc<Inner>,
}

struct Inner {
    digest: String,
    imports: Vec<String>,
    manifest: Manifest,
    linked: Arc<LinkedPlugin>,
}

impl Admitted {
    pub(crate) fn new(digest: String, imports: Vec<String>, manifest: Manifest, linked: Arc<LinkedPlugin>) -> Admitted {
        Admitted { inner: Arc::new(Inner { digest, imports, manifest, linked }) }
    }

    /// SHA-256 of the component file, in lower-case hexadecimal.
    pub fn digest(&self) -> &str {
        &self.inner.digest
    }

    pub fn manifest(&self) -> &Manifest {
        &self.inner.manifest
    }

    /// Whether it can append to event streams.
    pub fn writes_streams(&self) -> bool {
        self.inner.imports.iter().any(|import| import == EVENT_STREAM)
    }

    /// The interfaces of the contract that it imports, e.g. `net`: what it could use if it were granted.
    pub fn imports(&self) -> &[String] {
        &self.inner.imports
    }

    pub(crate) fn linked(&self) -> &Arc<LinkedPlugin> {
        &self.inner.linked
    }
}
