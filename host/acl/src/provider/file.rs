//! A JSON file with packages and groups, for deployments without a service. It is in memory as a whole; it is read
//! again only on request, and an unreadable file leaves the old lists in force.

use std::path::{Path, PathBuf};

use arc_swap::ArcSwap;
use async_trait::async_trait;
use tidings_domain::acl::{Acl as _, AclTable, Holders};

use super::{Members, Provider, ProviderError};

/// The file in the form of `AclTable`, for packages and for groups.
#[derive(Debug)]
pub struct JsonFile {
    path: PathBuf,
    table: ArcSwap<AclTable>,
}

/// Why the file was not read.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    #[error("cannot read {}: {source}", path.display())]
    Unreadable { path: PathBuf, source: std::io::Error },
    #[error("{}: {source}", path.display())]
    Invalid { path: PathBuf, source: serde_json::Error },
}

impl JsonFile {
    pub fn open(path: &Path) -> Result<JsonFile, FileError> {
        Ok(JsonFile { path: path.to_owned(), table: ArcSwap::from_pointee(read(path)?) })
    }

    /// Reads the file again. The caller must then call `AclCache::invalidate_all`.
    pub fn reload(&self) -> Result<(), FileError> {
        self.table.store(read(&self.path)?.into());
        Ok(())
    }
}

fn read(path: &Path) -> Result<AclTable, FileError> {
    let unreadable = |source| FileError::Unreadable { path: path.to_owned(), source };
    let text = std::fs::read_to_string(path).map_err(unreadable)?;
    AclTable::from_json(&text).map_err(|source| FileError::Invalid { path: path.to_owned(), source })
}

#[async_trait]
impl Provider<Holders> for JsonFile {
    fn name(&self) -> &'static str {
        "file"
    }

    async fn fetch(&self, name: &str) -> Result<Option<Holders>, ProviderError> {
        Ok(self.table.load().holders(name).cloned())
    }
}

#[async_trait]
impl Provider<Members> for JsonFile {
    fn name(&self) -> &'static str {
        "file"
    }

    async fn fetch(&self, name: &str) -> Result<Option<Members>, ProviderError> {
        Ok(self.table.load().members(name).cloned())
    }
}
