//! Access lists: holders of packages and members of groups, fetched from services and kept in memory until a bus
//! message reports a change. Matching asks `AclCache` for the lists of one message and gets a `View`. This crate does
//! not match, reads no bus, and stores nothing: its lists are lost when the process ends.

mod breaker;
mod cache;
mod entry;
mod group_set;
pub mod limits;
mod list_cache;
mod metrics;
mod provider;
mod settings;
mod view;

pub use breaker::BreakerState;
pub use cache::AclCache;
pub use group_set::GroupSet;
pub use metrics::{Figures, Histogram, LOAD_BUCKETS, ListFigures, LoadResult};
pub use provider::{DistGit, FasJson, FileError, JsonFile, Members, Pkgdb, Provider, ProviderError, ServiceError};
pub use settings::{AclSettings, AclSettingsError, DistGitSettings, GroupSource, PackageSource, ServiceSettings};
pub use view::{Missing, Need, Unavailable, View};
