//! pkgdb2, Fedora's package database until 2017: `GET /package/NAME` returns each collection of the package, with its
//! point of contact and its ACLs. Format: pkgdb2's own API documentation, `api_package_info`.

use async_trait::async_trait;
use serde::Deserialize;
use tidings_domain::acl::Holders;
use tidings_domain::limits;

use super::http::HttpService;
use super::{Provider, ProviderError, ServiceError};
use crate::settings::{AclSettingsError, ServiceSettings};

/// pkgdb2's HTTP API. Its address includes `/api`: `https://admin.fedoraproject.org/pkgdb/api`.
#[derive(Debug)]
pub struct Pkgdb(HttpService);

impl Pkgdb {
    pub fn new(settings: &ServiceSettings) -> Result<Pkgdb, AclSettingsError> {
        Ok(Pkgdb(HttpService::new(settings)?))
    }
}

#[derive(Deserialize)]
struct Answer {
    output: String,
    #[serde(default)]
    error: Option<String>,
    #[serde(default)]
    packages: Vec<Listing>,
}

/// A package in one collection.
#[derive(Deserialize)]
struct Listing {
    point_of_contact: Option<String>,
    collection: Collection,
    #[serde(default)]
    acls: Vec<Acl>,
}

#[derive(Deserialize)]
struct Collection {
    status: String,
}

#[derive(Deserialize)]
struct Acl {
    fas_name: String,
    acl: String,
    status: String,
}

/// The value of `point_of_contact` without a contact.
const ORPHAN: &str = "orphan";

#[async_trait]
impl Provider<Holders> for Pkgdb {
    fn name(&self) -> &'static str {
        "pkgdb"
    }

    /// The union over the collections that are not at their end of life: point of contact; co-maintained for `commit`;
    /// watch for `watchcommits`. Only approved ACLs count. pkgdb2 already names groups `group::NAME`.
    async fn fetch(&self, name: &str) -> Result<Option<Holders>, ProviderError> {
        let Some(answer) = self.0.get::<Answer>(&["package", name], &[]).await? else { return Ok(None) };
        if answer.output != "ok" {
            let reason = answer.error.unwrap_or(answer.output);
            return Err(ServiceError::Invalid(reason.chars().take(limits::REASON_CHARS).collect()).into());
        }
        let mut holders = Holders::default();
        for listing in answer.packages.into_iter().filter(|listing| listing.collection.status != "EOL") {
            holders.point_of_contact.extend(listing.point_of_contact.filter(|name| name != ORPHAN));
            for acl in listing.acls.into_iter().filter(|acl| acl.status == "Approved") {
                match acl.acl.as_str() {
                    "commit" => holders.co_maintained.insert(acl.fas_name),
                    "watchcommits" => holders.watch.insert(acl.fas_name),
                    _ => false,
                };
            }
        }
        Ok(Some(holders))
    }
}
