//! Decides which access lists a bus message invalidates. Pure: the caller drops and fetches lists. A message of
//! unexpected
//! shape invalidates nothing, and never fails.

use serde_json::Value;

use crate::limits;
use crate::message::Envelope;

/// What an access list belongs to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Key {
    /// The holders of a package. Its name as messages carry it: `guake`, not `rpms/guake`.
    Package(String),
    /// The members of a group. Its name without `group::`.
    Group(String),
}

/// What caused an invalidation. For logs and metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Cause {
    /// A message of the package database (`pkgdb.*`).
    PackageDatabase,
    /// A message of Pagure (`pagure.project.*`).
    DistGit,
    /// A message of the account system (`fas.group.*`).
    AccountSystem,
    /// An administrator, or a change in our own store.
    Administrator,
    /// A file was read again.
    Reload,
}

impl Cause {
    pub const ALL: [Cause; 5] =
        [Cause::PackageDatabase, Cause::DistGit, Cause::AccountSystem, Cause::Administrator, Cause::Reload];

    /// The name for metrics and logs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Cause::PackageDatabase => "pkgdb",
            Cause::DistGit => "pagure",
            Cause::AccountSystem => "fas",
            Cause::Administrator => "administrator",
            Cause::Reload => "reload",
        }
    }
}

/// The lists that one message invalidates: at least one, each named once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invalidation {
    pub cause: Cause,
    pub keys: Vec<Key>,
}

/// The access lists that this message invalidates; none for most messages. Call it with verified messages only: a
/// sender of
/// such messages makes the daemon query its services.
///
/// Lists are kept by package and by group, and matching goes from a message's packages to their holders to the members of
/// the groups among them, so naming what changed is enough. A group that gains or loses a member changes the recipients
/// of
/// all its packages through its own list; a package that gains or loses a holder through its own. No list is kept by
/// user,
/// so a message need not name all the users involved (the previous owner, say).
///
/// - `pkgdb.*` (package database): every package that the message names. Messages about a collection as a whole name
///   none; they leave the union over a package's collections as it is, or nearly.
/// - `fas.group.*` (account system, of the legacy and the present bus): the group.
/// - `pagure.project.{user,group}.{access.updated,added,removed}`, `pagure.project.{new,edit,deleted}`: the project.
///   Forks are not the package. Whether the project belongs to the dist-git that is queried is not checked: fetching a
///   list once too often costs one request, and only if the list is in memory.
pub fn invalidated(envelope: &Envelope) -> Option<Invalidation> {
    let topic = envelope.topic();
    let (cause, mut keys) = if within(topic, "pkgdb").is_some() {
        (Cause::PackageDatabase, packages_of_pkgdb(envelope.msg()))
    } else if within(topic, "fas").is_some_and(|topic| topic.starts_with("group.")) {
        (Cause::AccountSystem, group_of_fas(envelope.msg()))
    } else if within(topic, "pagure").is_some_and(changes_holders) {
        (Cause::DistGit, project_of_pagure(envelope.msg()))
    } else {
        return None;
    };
    keys.sort_unstable();
    keys.dedup();
    (!keys.is_empty()).then_some(Invalidation { cause, keys })
}

/// What follows an application's name in a topic: `org.fedoraproject.prod.APPLICATION.REST`, or bare `APPLICATION.REST`.
fn within<'a>(topic: &'a str, application: &str) -> Option<&'a str> {
    let rest = |topic: &'a str| topic.strip_prefix(application)?.strip_prefix('.');
    rest(topic).or_else(|| topic.splitn(4, '.').nth(3).and_then(rest))
}

/// Whether Pagure's topic reports a change of a project's holders.
fn changes_holders(topic: &str) -> bool {
    let Some(what) = topic.strip_prefix("project.") else { return false };
    let access = what.strip_prefix("user.").or_else(|| what.strip_prefix("group."));
    match access {
        Some(change) => matches!(change, "access.updated" | "added" | "removed"),
        None => matches!(what, "new" | "edit" | "deleted"),
    }
}

/// The package database has named packages in many ways over the years: as text, as an object with a name, within a
/// listing (a package in a collection), within an ACL's listing, and within an admin's action.
fn packages_of_pkgdb(msg: &Value) -> Vec<Key> {
    let listings = msg.get("package_listings").and_then(Value::as_array).into_iter().flatten();
    let listings = listings.chain(msg.get("package_listing")).filter_map(|listing| listing.get("package"));
    let many = msg.get("packages").and_then(Value::as_array).into_iter().flatten();
    let one = [
        msg.get("package"),
        msg.get("package_name"),
        msg.pointer("/acl/packagelist/package"),
        msg.pointer("/info/pkg_name"),
        msg.pointer("/action/package"),
        msg.pointer("/action/info/pkg_name"),
    ];
    listings.chain(many).chain(one.into_iter().flatten()).filter_map(name).map(Key::Package).collect()
}

/// `group` as text or as an object with a name. The present account system wraps its payload in another `msg`.
fn group_of_fas(msg: &Value) -> Vec<Key> {
    let group = msg.get("group").or_else(|| msg.pointer("/msg/group"));
    group.and_then(name).map(Key::Group).into_iter().collect()
}

/// The project's name without its namespace; none for a fork, which has a parent.
fn project_of_pagure(msg: &Value) -> Vec<Key> {
    let project = msg.get("project").filter(|project| !project.get("parent").is_some_and(Value::is_object));
    project.and_then(|project| project.get("name")).and_then(name).map(Key::Package).into_iter().collect()
}

/// A name as text, or as the field `name` of an object.
fn name(value: &Value) -> Option<String> {
    let text = value.as_str().or_else(|| value.get("name")?.as_str())?;
    (!text.is_empty() && text.len() <= limits::FACT_BYTES).then(|| text.to_owned())
}
