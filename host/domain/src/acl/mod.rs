//! Access lists as matching needs them: holders of packages and members of groups. Kinds of holding are kept apart: a
//! watcher of a package is not a committer. A view answers from memory; the edges fetch and refresh lists.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

mod invalidation;

pub use invalidation::{Cause, Invalidation, Key, invalidated};

/// How an account holds a package.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// The package's main contact.
    PointOfContact,
    /// May commit.
    CoMaintained,
    /// Follows its commits.
    Watch,
}

/// Which kinds of holding count for a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kinds {
    /// All three.
    Any,
    /// Point of contact and co-maintained.
    Commit,
    /// Watch alone.
    Watch,
}

impl Kinds {
    /// The kinds in it.
    pub const fn kinds(self) -> &'static [Kind] {
        match self {
            Kinds::Any => &[Kind::PointOfContact, Kind::CoMaintained, Kind::Watch],
            Kinds::Commit => &[Kind::PointOfContact, Kind::CoMaintained],
            Kinds::Watch => &[Kind::Watch],
        }
    }
}

/// The holders of one package by kind: account names, or `group::NAME` for all members of a group.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields, default)]
pub struct Holders {
    #[serde(rename = "point of contact")]
    #[cfg_attr(feature = "openapi", schema(value_type = Vec<String>))]
    pub point_of_contact: BTreeSet<String>,
    #[serde(rename = "co-maintained")]
    #[cfg_attr(feature = "openapi", schema(value_type = Vec<String>))]
    pub co_maintained: BTreeSet<String>,
    #[cfg_attr(feature = "openapi", schema(value_type = Vec<String>))]
    pub watch: BTreeSet<String>,
}

impl Holders {
    /// The holders of one kind.
    pub const fn of(&self, kind: Kind) -> &BTreeSet<String> {
        match kind {
            Kind::PointOfContact => &self.point_of_contact,
            Kind::CoMaintained => &self.co_maintained,
            Kind::Watch => &self.watch,
        }
    }
}

/// The prefix of a holder's name that is a group.
pub const GROUP_PREFIX: &str = "group::";

/// The access lists that one message needs: all lists, or those prepared for that message's packages.
pub trait Acl {
    /// The holders of the package; none if it is unknown.
    fn holders(&self, package: &str) -> Option<&Holders>;

    /// The members of the group; none if it is unknown.
    fn members(&self, group: &str) -> Option<&BTreeSet<String>>;

    /// Passes every group of `among` that has one of these users to `found`.
    fn groups_of(&self, users: &[String], among: &[Arc<str>], found: &mut dyn FnMut(&str)) {
        for group in among {
            if self.members(group).is_some_and(|members| users.iter().any(|user| members.contains(user))) {
                found(group);
            }
        }
    }

    /// Whether `user` is in `group`.
    fn is_member(&self, group: &str, user: &str) -> bool {
        self.members(group).is_some_and(|members| members.contains(user))
    }

    /// Whether `user` holds `package` by one of `kinds`, directly or as a member of a group.
    fn holds(&self, user: &str, package: &str, kinds: Kinds) -> bool {
        let Some(holders) = self.holders(package) else { return false };
        kinds.kinds().iter().any(|kind| {
            let holders = holders.of(*kind);
            holders.contains(user)
                || holders
                    .iter()
                    .filter_map(|holder| holder.strip_prefix(GROUP_PREFIX))
                    .any(|g| self.is_member(g, user))
        })
    }
}

/// Access lists as a table in memory: from a JSON file, or collected for one message.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct AclTable {
    #[serde(default)]
    pub packages: HashMap<String, Holders>,
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(value_type = HashMap<String, Vec<String>>))]
    pub groups: HashMap<String, BTreeSet<String>>,
}

impl AclTable {
    /// Reads `{"packages": {name: {"point of contact": […], "co-maintained": […], "watch": […]}}, "groups": {name:
    /// […]}}`.
    pub fn from_json(text: &str) -> Result<AclTable, serde_json::Error> {
        serde_json::from_str(text)
    }
}

impl Acl for AclTable {
    fn holders(&self, package: &str) -> Option<&Holders> {
        self.packages.get(package)
    }

    fn members(&self, group: &str) -> Option<&BTreeSet<String>> {
        self.groups.get(group)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LISTS: &str = r#"{
        "packages": {
            "guake": {"point of contact": ["ann"], "co-maintained": ["group::shells"], "watch": ["cid"]},
            "bash": {"watch": ["group::nosuch"]}
        },
        "groups": {"shells": ["bob"]}
    }"#;

    #[test]
    fn kinds_are_distinguished_and_groups_are_resolved() {
        let acl = AclTable::from_json(LISTS).unwrap();
        let table = [
            ("ann", "guake", [true, true, false]),
            ("bob", "guake", [true, true, false]),
            ("cid", "guake", [true, false, true]),
            ("eve", "guake", [false, false, false]),
            ("ann", "bash", [false, false, false]),
            ("ann", "unknown", [false, false, false]),
        ];
        for (user, package, expected) in table {
            let got = [Kinds::Any, Kinds::Commit, Kinds::Watch].map(|kinds| acl.holds(user, package, kinds));
            assert_eq!(got, expected, "{user} {package}");
        }
    }

    #[test]
    fn a_misspelt_kind_is_an_error() {
        assert!(AclTable::from_json(r#"{"packages": {"guake": {"watches": []}}}"#).is_err());
    }
}
