//! Components: plugins as files, identified by their SHA-256.

use async_trait::async_trait;
use tidings_domain::manifest::Manifest;
use tidings_domain::time::Timestamp;

use crate::error::Result;

/// A component, identified by the SHA-256 of its file.
#[derive(Clone, Debug)]
pub struct ComponentInfo {
    /// In hexadecimal.
    pub digest: String,
    pub manifest: Manifest,
    /// The file's size.
    pub bytes: u64,
    pub installed_at: Timestamp,
    /// The signature that it was installed with; none where it had none.
    pub signed: Option<Signed>,
}

/// A signature that was verified at installation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signed {
    /// The publisher, by the name in the settings of that time.
    pub publisher: String,
    /// The publisher's public key that verified it.
    pub key: String,
}

/// Installed components and their files.
#[async_trait]
pub trait ComponentStore: Send + Sync {
    /// Stores a component. One with the same digest is the same file and stays as it is; a new signature replaces the
    /// one that it had.
    async fn put_component(&self, info: &ComponentInfo, file: &[u8]) -> Result<()>;
    /// All components, oldest first.
    async fn components(&self) -> Result<Vec<ComponentInfo>>;
    /// # Errors
    /// `Missing` where there is none with that digest.
    async fn component(&self, digest: &str) -> Result<ComponentInfo>;
    /// The component's file, unchanged.
    ///
    /// # Errors
    /// `Missing` where there is none; `Damaged` where the file no longer has the digest.
    async fn component_file(&self, digest: &str) -> Result<Vec<u8>>;
    /// Deletes a component.
    ///
    /// # Errors
    /// `InUse` where a channel has it as its active, candidate or previous version.
    async fn delete_component(&self, digest: &str) -> Result<()>;
}
