//! What matching gets: the lists of one message at one moment. A view holds the lists, so that a change of the cache
//! never changes an answer half-way.

use std::collections::BTreeSet;
use std::sync::Arc;

use tidings_domain::acl::{Acl, Holders, Key};

use crate::entry::{List, ListEntry, Package};
use crate::group_set::{GroupSet, Memberships};
use crate::provider::Members;

/// What one message needs: its packages, and, if it names users, the groups that rules refer to. The cache finds the
/// groups that hold one of the packages.
#[derive(Clone, Copy, Debug, Default)]
pub struct Need<'a> {
    pub packages: &'a [String],
    pub groups: Option<&'a GroupSet>,
}

/// Why a list is not available.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Unavailable {
    #[error("the request to the provider failed")]
    Failed,
    #[error("the provider did not answer within `acl.wait`")]
    TimedOut,
    #[error("the provider failed repeatedly and gets no requests until `acl.breaker_rest` is over")]
    Resting,
    #[error("too many lists are being fetched already")]
    Overloaded,
    #[error("the task that fetched it ended early")]
    Lost,
}

impl Unavailable {
    /// The name for metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Unavailable::Failed => "failed",
            Unavailable::TimedOut => "timed_out",
            Unavailable::Resting => "resting",
            Unavailable::Overloaded => "overloaded",
            Unavailable::Lost => "lost",
        }
    }
}

/// A list that a view lacks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missing {
    pub key: Key,
    pub reason: Unavailable,
}

/// The lists of one message. A package or group that is `missing` has no holders or members here, like one that does
/// not exist; that holds for this view alone.
#[derive(Clone, Default)]
pub struct View {
    packages: Sorted<Package>,
    groups: Sorted<Members>,
    memberships: Option<Arc<Memberships>>,
    missing: Vec<Missing>,
}

impl View {
    pub(crate) fn new(
        packages: Sorted<Package>,
        groups: Sorted<Members>,
        memberships: Option<Arc<Memberships>>,
        missing: Vec<Missing>,
    ) -> View {
        View { packages, groups, memberships, missing }
    }

    /// The unknown lists: report them, since recipients may be missing.
    pub fn missing(&self) -> &[Missing] {
        &self.missing
    }
}

impl Acl for View {
    fn holders(&self, package: &str) -> Option<&Holders> {
        self.packages.get(package).map(|package| &package.holders)
    }

    fn members(&self, group: &str) -> Option<&BTreeSet<String>> {
        self.groups.get(group).or_else(|| self.memberships.as_ref()?.members(group))
    }

    fn groups_of(&self, users: &[String], _: &[Arc<str>], found: &mut dyn FnMut(&str)) {
        if let Some(memberships) = &self.memberships {
            memberships.each_of(users, found);
        }
    }
}

impl std::fmt::Debug for View {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut view = f.debug_struct("View");
        view.field("packages", &self.packages.0.iter().map(|entry| &entry.name).collect::<Vec<_>>());
        view.field("groups", &self.groups.0.iter().map(|entry| &entry.name).collect::<Vec<_>>());
        view.field("missing", &self.missing).finish()
    }
}

/// Entries sorted by name. A message has few of them, so a sorted vector is enough.
pub(crate) struct Sorted<L>(Vec<Arc<ListEntry<L>>>);

impl<L: List> Sorted<L> {
    pub(crate) fn new(mut entries: Vec<Arc<ListEntry<L>>>) -> Sorted<L> {
        entries.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        Sorted(entries)
    }

    fn get(&self, name: &str) -> Option<&L> {
        let at = self.0.binary_search_by(|entry| (*entry.name).cmp(name)).ok()?;
        self.0[at].list.as_ref()
    }
}

impl<L> Clone for Sorted<L> {
    fn clone(&self) -> Self {
        Sorted(self.0.clone())
    }
}

impl<L> Default for Sorted<L> {
    fn default() -> Self {
        Sorted(Vec::new())
    }
}
