//! Groups that rules refer to by name. Every message that names users needs to know their groups, so the members are
//! also kept by user, until a list of a group changes.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use arc_swap::ArcSwapOption;

use crate::entry::ListEntry;
use crate::provider::Members;

/// The groups of one ruleset. A matcher keeps it between messages, and makes another when the groups change.
#[derive(Debug, Default)]
pub struct GroupSet {
    /// Sorted.
    pub(crate) names: Arc<[Arc<str>]>,
    pub(crate) memberships: ArcSwapOption<Memberships>,
}

impl GroupSet {
    pub fn new(names: impl IntoIterator<Item = Arc<str>>) -> GroupSet {
        let names: BTreeSet<Arc<str>> = names.into_iter().collect();
        GroupSet { names: names.into_iter().collect(), memberships: ArcSwapOption::empty() }
    }

    /// Returns true if the set consists of exactly these groups.
    pub fn equals<'a>(&self, names: impl ExactSizeIterator<Item = &'a Arc<str>>) -> bool {
        names.len() == self.names.len() && names.into_iter().all(|name| self.names.binary_search(name).is_ok())
    }
}

/// The members of the groups, by user.
pub(crate) struct Memberships {
    /// The version of the groups' lists that this was made of, and when one of them is due for a refresh.
    pub(crate) version: u64,
    pub(crate) due: u64,
    /// In the order of the names; none if a group's list is missing.
    groups: Vec<Option<Arc<ListEntry<Members>>>>,
    names: Arc<[Arc<str>]>,
    by_user: HashMap<String, Vec<u32>>,
}

impl Memberships {
    pub(crate) fn new(set: &GroupSet, version: u64, groups: Vec<Option<Arc<ListEntry<Members>>>>) -> Memberships {
        let mut by_user: HashMap<String, Vec<u32>> = HashMap::new();
        for (number, entry) in (0..).zip(&groups) {
            for member in entry.iter().filter_map(|entry| entry.list.as_ref()).flatten() {
                by_user.entry(member.clone()).or_default().push(number);
            }
        }
        let due = groups.iter().flatten().map(|entry| entry.due()).min().unwrap_or(u64::MAX);
        Memberships { version, due, groups, names: Arc::clone(&set.names), by_user }
    }

    pub(crate) fn members(&self, group: &str) -> Option<&Members> {
        let position = self.names.binary_search_by(|name| (**name).cmp(group)).ok()?;
        self.groups.get(position)?.as_ref()?.list.as_ref()
    }

    /// Passes each group that has one of the users to `found`; a group with two of them, twice.
    pub(crate) fn each_of(&self, users: &[String], found: &mut dyn FnMut(&str)) {
        for number in users.iter().filter_map(|user| self.by_user.get(user)).flatten() {
            if let Some(name) = self.names.get(*number as usize) {
                found(name);
            }
        }
    }
}

impl std::fmt::Debug for Memberships {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Memberships").field("names", &self.names).field("users", &self.by_user.len()).finish()
    }
}
