//! Access lists that are kept here: who holds which package, and who is in which group. One of the sources that the
//! cache of access lists asks; what other services know is not copied here.

use std::collections::BTreeSet;
use std::marker::PhantomData;

use async_trait::async_trait;
use serde::de::DeserializeOwned;
use tidings_domain::acl::{AclTable, Holders};
use tidings_domain::time::Timestamp;

use crate::{Result, StoreError};

/// An entry of a list as it is stored. One that cannot be read says so by itself, and stands in no other's way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListRow<T> {
    pub name: String,
    /// JSON, or what somebody made of it.
    text: Vec<u8>,
    content: PhantomData<fn() -> T>,
}

/// A package with those who hold it.
pub type PackageRow = ListRow<Holders>;
/// A group with its members.
pub type GroupRow = ListRow<BTreeSet<String>>;

impl<T: DeserializeOwned> ListRow<T> {
    pub(crate) fn new((name, text): (String, Vec<u8>)) -> ListRow<T> {
        ListRow { name, text, content: PhantomData }
    }

    /// What it holds.
    ///
    /// # Errors
    /// `Damaged` where it is not what this program writes.
    pub fn read(&self) -> Result<T> {
        serde_json::from_slice(&self.text)
            .map_err(|error| StoreError::Damaged { what: "access list", detail: format!("{}: {error}", self.name) })
    }
}

/// The access lists in the store. Each change of them is told in the feed of changes.
#[async_trait]
pub trait AccessLists: Send + Sync {
    /// Who holds the package; none where the store does not know it.
    async fn package(&self, name: &str) -> Result<Option<Holders>>;
    /// Who is in the group; none where the store does not know it.
    async fn group(&self, name: &str) -> Result<Option<BTreeSet<String>>>;
    /// Packages by name, those behind `after`. An empty page is the end.
    async fn packages(&self, after: Option<&str>, limit: u32) -> Result<Vec<PackageRow>>;
    /// Groups by name, those behind `after`. An empty page is the end.
    async fn groups(&self, after: Option<&str>, limit: u32) -> Result<Vec<GroupRow>>;
    /// Writes these packages and groups, in one transaction; what else there is stays.
    async fn put_access_lists(&self, lists: &AclTable, now: Timestamp) -> Result<()>;
    /// Puts these lists in the place of all that there are, in one transaction.
    async fn replace_access_lists(&self, lists: &AclTable, now: Timestamp) -> Result<()>;
    /// Returns whether there was one.
    async fn delete_package(&self, name: &str, now: Timestamp) -> Result<bool>;
    /// Returns whether there was one.
    async fn delete_group(&self, name: &str, now: Timestamp) -> Result<bool>;
}
