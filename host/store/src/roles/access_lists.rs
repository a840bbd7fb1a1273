//! Access lists in the store: the holders of each package and the members of each group. One of the sources that the
//! cache of access lists asks; lists of other services are not copied here.

use std::collections::BTreeSet;
use std::marker::PhantomData;

use async_trait::async_trait;
use serde::de::DeserializeOwned;
use tidings_domain::acl::{AclTable, Holders};
use tidings_domain::time::Timestamp;

use crate::error::{Result, StoreError};

/// An entry of a list as it is stored. It is parsed when it is read, so that an invalid entry does not hide the others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListRow<T> {
    pub name: String,
    /// JSON, unless it was damaged.
    text: Vec<u8>,
    content: PhantomData<fn() -> T>,
}

/// A package with its holders.
pub type PackageRow = ListRow<Holders>;
/// A group with its members.
pub type GroupRow = ListRow<BTreeSet<String>>;

impl<T: DeserializeOwned> ListRow<T> {
    pub(crate) fn new((name, text): (String, Vec<u8>)) -> ListRow<T> {
        ListRow { name, text, content: PhantomData }
    }

    /// The list.
    ///
    /// # Errors
    /// `Damaged` where it is not what this program writes.
    pub fn read(&self) -> Result<T> {
        serde_json::from_slice(&self.text)
            .map_err(|error| StoreError::Damaged { what: "access list", detail: format!("{}: {error}", self.name) })
    }
}

/// The access lists in the store. Each change is published in the feed of changes.
#[async_trait]
pub trait AccessListStore: Send + Sync {
    /// The holders of the package; none where the store does not know it.
    async fn package(&self, name: &str) -> Result<Option<Holders>>;
    /// The members of the group; none where the store does not know it.
    async fn group(&self, name: &str) -> Result<Option<BTreeSet<String>>>;
    /// Packages by name, those after `after`. An empty page is the end.
    async fn packages(&self, after: Option<&str>, limit: u32) -> Result<Vec<PackageRow>>;
    /// Groups by name, those after `after`. An empty page is the end.
    async fn groups(&self, after: Option<&str>, limit: u32) -> Result<Vec<GroupRow>>;
    /// Writes these packages and groups, in one transaction; others stay as they are.
    async fn put_access_lists(&self, lists: &AclTable, now: Timestamp) -> Result<()>;
    /// Replaces all packages and groups by these, in one transaction.
    async fn replace_access_lists(&self, lists: &AclTable, now: Timestamp) -> Result<()>;
    /// Returns whether there was one.
    async fn delete_package(&self, name: &str, now: Timestamp) -> Result<bool>;
    /// Returns whether there was one.
    async fn delete_group(&self, name: &str, now: Timestamp) -> Result<bool>;
}
