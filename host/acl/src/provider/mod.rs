//! Providers of access lists: one trait, and the services and files behind it. A provider only requests and converts;
//! caching, waiting and retrying belong to the cache.

use std::collections::BTreeSet;

use async_trait::async_trait;

mod distgit;
mod fasjson;
mod file;
mod http;
mod pkgdb;

pub use distgit::DistGit;
pub use fasjson::FasJson;
pub use file::{FileError, JsonFile};
pub use http::ServiceError;
pub use pkgdb::Pkgdb;

/// The members of a group: account names.
pub type Members = BTreeSet<String>;

/// A source of lists of one kind: `Provider<Holders>` for packages, `Provider<Members>` for groups. A source of both
/// implements both.
#[async_trait]
pub trait Provider<T>: Send + Sync + 'static {
    /// For logs and metrics.
    fn name(&self) -> &'static str;

    /// The list of the package or group of this name; none if it does not exist. The caller bounds the time, and drops
    /// the future when it is over.
    async fn fetch(&self, name: &str) -> Result<Option<T>, ProviderError>;
}

/// Why a provider did not answer. The list is then unknown: never treat it as empty.
#[derive(Debug, thiserror::Error)]
pub enum ProviderError {
    #[error(transparent)]
    Service(#[from] ServiceError),
    /// A provider that is not a service, such as a store.
    #[error("{0}")]
    Other(String),
}
