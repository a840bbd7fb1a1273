//! Access lists: providers, and the table in the store.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use tidings_domain::acl::Holders;

/// Which rows of the table to list, by name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::IntoParams), into_params(parameter_in = Query))]
pub struct TableQuery {
    /// The cursor of the page: `next` of the page before.
    pub after: Option<String>,
    /// Rows of the page; 100 if absent.
    #[cfg_attr(feature = "openapi", param(minimum = 1, maximum = 1000))]
    pub limit: Option<usize>,
}

/// A package and its holders.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PackageInfo {
    pub name: String,
    pub holders: Holders,
}

/// A group and its members.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct GroupInfo {
    pub name: String,
    pub members: BTreeSet<String>,
}

/// What a request wrote to the table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AccessListsWritten {
    pub packages: usize,
    pub groups: usize,
    /// Whether the configuration takes lists from the table.
    pub in_use: AccessListsInUse,
}

/// Whether the configuration takes lists from the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AccessListsInUse {
    pub packages: bool,
    pub groups: bool,
}

/// The providers of access lists.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AccessListsInfo {
    pub packages: ProviderInfo,
    pub groups: ProviderInfo,
}

/// A provider of access lists, and its lists in memory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ProviderInfo {
    /// `store`, `file`, `pkgdb`, `distgit` or `fasjson`.
    pub provider: String,
    pub in_memory: u64,
    pub being_fetched: usize,
    pub requests: u64,
    /// Lists that were used although they are invalidated, because no newer one was available.
    pub stale_served: u64,
    /// `closed`, `open` or `half_open`.
    pub breaker: String,
}
