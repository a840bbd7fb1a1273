//! The messages of the story: what happened, and the body that the bus carries for it. The strategies of old need the
//! package and the person alone; Tidings reads the body.

use serde_json::{Value, json};

/// A message, and when it came, in seconds since the start.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Message {
    pub at: f64,
    pub what: What,
}

/// Accounts and packages are numbers. An account is a user of the notification system where its number is below their
/// count.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum What {
    Commit { package: u32, by: By },
    Task { by: By, closed: bool },
    Build { package: u32, by: By, hub: Hub, state: State },
    Tag { package: u32, by: By, hub: Hub },
    Repo { hub: Hub, done: bool },
    Copr { by: By },
    Update { package: u32, by: By },
    Badge { to: By },
    Wiki { by: By },
    NewOwner { package: u32, owner: u32 },
    Edit { user: u32 },
}

/// Who did it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    Account(u32),
    /// Anyone who rebuilds everything; no user of ours.
    Releng,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hub {
    Primary,
    Arm,
}

/// Koji's numbers for the state of a build.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    Building = 0,
    Complete = 1,
    Failed = 3,
}

pub fn account(number: u32) -> String {
    format!("packager{number:05}")
}

pub fn package(number: u32) -> String {
    format!("package{number:05}")
}

impl By {
    fn name(self) -> String {
        match self {
            By::Account(number) => account(number),
            By::Releng => "releng".to_owned(),
        }
    }
}

impl Hub {
    const fn name(self) -> &'static str {
        match self {
            Hub::Primary => "primary",
            Hub::Arm => "arm",
        }
    }
}

impl What {
    /// The package that it is about.
    pub const fn package(self) -> Option<u32> {
        match self {
            What::Commit { package, .. }
            | What::Build { package, .. }
            | What::Tag { package, .. }
            | What::Update { package, .. }
            | What::NewOwner { package, .. } => Some(package),
            What::Task { .. } | What::Repo { .. } | What::Copr { .. } => None,
            What::Badge { .. } | What::Wiki { .. } | What::Edit { .. } => None,
        }
    }

    /// Topic without prefix, and payload.
    fn parts(self) -> (&'static str, Value) {
        match self {
            What::Commit { package: number, by } => {
                let (repo, by) = (package(number), by.name());
                let stats = json!({"total": {"additions": 4, "deletions": 1, "files": 1, "lines": 5}});
                let commit = json!({"repo": repo, "branch": "master", "username": by, "name": by, "email": format!("{by}@example.org"),
                    "rev": "66abdea4014eb2f0745fc38f86e20c7d7009237e", "summary": "Rebuilt for the mass rebuild",
                    "message": "- Rebuilt for the mass rebuild\n", "stats": stats});
                ("git.receive", json!({ "commit": commit }))
            }
            What::Task { by, closed } => {
                let (old, new) = if closed { ("OPEN", "CLOSED") } else { ("FREE", "OPEN") };
                let msg = json!({"attribute": "state", "method": "build", "owner": by.name(), "id": 6_380_373,
                    "old": old, "new": new, "srpm": "source.src.rpm", "instance": "primary"});
                ("buildsys.task.state.change", msg)
            }
            What::Build { package: number, by, hub, state } => {
                let old = if state == State::Building { Value::Null } else { json!(0) };
                let msg = json!({"attribute": "state", "name": package(number), "version": "1.0", "release": "2.fc21",
                    "owner": by.name(), "old": old, "new": state as u8, "build_id": 12_345, "task_id": 4642, "instance": hub.name()});
                ("buildsys.build.state.change", msg)
            }
            What::Tag { package: number, by, hub } => {
                let msg = json!({"name": package(number), "version": "1.0", "release": "2.fc21", "owner": by.name(), "user": by.name(),
                    "tag": "f21", "tag_id": 216, "instance": hub.name()});
                ("buildsys.tag", msg)
            }
            What::Repo { hub, done } => {
                let topic = if done { "buildsys.repo.done" } else { "buildsys.repo.init" };
                (topic, json!({"tag": "f21-build", "tag_id": 246, "repo_id": 23_456, "instance": hub.name()}))
            }
            What::Copr { by } => {
                let by = by.name();
                let msg = json!({"user": by, "owner": by, "copr": "tools", "build": 100, "chroot": "fedora-21-x86_64",
                    "status": 1, "what": "build end", "who": "backend-1", "ip": "172.16.3.3", "pid": 12_010});
                ("copr.build.end", msg)
            }
            What::Update { package: number, by } => {
                let title = format!("{}-1.0-2.fc21", package(number));
                let update = json!({"title": title, "submitter": by.name(), "status": "pending", "type": "bugfix", "critpath": false,
                    "release": {"name": "F21", "long_name": "Fedora 21"}, "builds": [{"nvr": title}]});
                ("bodhi.update.request.testing", json!({"agent": by.name(), "update": update}))
            }
            What::Badge { to } => {
                let msg = json!({"badge": {"name": "Curious Penguin", "badge_id": "curious-penguin", "image_url": "http://badges.example.org/1.png"},
                    "user": {"username": to.name(), "badges_user_id": 7}});
                ("fedbadges.badge.award", msg)
            }
            What::Wiki { by } => {
                let msg = json!({"user": by.name(), "title": "Messaging SIG", "summary": "/* Mission */", "text": "The difference",
                    "url": "http://wiki.example.org/", "minor_edit": 0, "revision": null});
                ("wiki.article.edit", msg)
            }
            What::NewOwner { package: number, owner } => {
                let listing = json!({"point_of_contact": account(owner), "package": {"name": package(number), "summary": "A package"},
                    "collection": {"name": "Fedora", "version": "devel", "branchname": "master"}});
                ("pkgdb.owner.update", json!({"agent": account(owner), "package_listing": listing}))
            }
            What::Edit { user } => {
                let openid = format!("{}.id.fedoraproject.org", account(user));
                ("fmn.filter.update", json!({"openid": openid, "context": "email", "changed": "rules"}))
            }
        }
    }
}

impl Message {
    /// The body, as it comes over the bus; `number` makes its id.
    pub fn body(&self, number: usize) -> Vec<u8> {
        let (topic, msg) = self.what.parts();
        let envelope = json!({"topic": format!("org.fedoraproject.prod.{topic}"), "msg": msg, "username": "bus", "i": number,
            "msg_id": format!("2014-{number:08}"), "timestamp": 1_402_000_000 + self.at as u64});
        envelope.to_string().into_bytes()
    }
}

#[cfg(test)]
mod tests {
    use tidings_domain::aliases::Aliases;
    use tidings_domain::catalogue::Catalogue;
    use tidings_domain::message::{Envelope, Frame};

    use super::*;

    #[test]
    fn the_old_strategies_see_the_same_packages_as_the_catalogue() {
        let (catalogue, aliases) = (Catalogue::embedded().unwrap(), Aliases::default());
        let (by, package, hub) = (By::Account(3), 7, Hub::Arm);
        for what in [
            What::Commit { package, by },
            What::Task { by, closed: true },
            What::Build { package, by, hub, state: State::Complete },
            What::Tag { package, by, hub },
            What::Repo { hub, done: true },
            What::Copr { by },
            What::Update { package, by },
            What::Badge { to: by },
            What::Wiki { by },
            What::NewOwner { package, owner: 3 },
            What::Edit { user: 3 },
        ] {
            let body = Message { at: 1.0, what }.body(1);
            let envelope = Envelope::read(&Frame { topic: None, body }).unwrap();
            let facts = catalogue.facts(&envelope, &aliases);
            assert!(facts.application.is_some(), "{what:?} is of an application");
            let expected: Vec<String> = what.package().map(super::package).into_iter().collect();
            assert_eq!(facts.packages, expected, "{what:?}");
            let named = !matches!(what, What::Repo { .. });
            assert_eq!(facts.usernames.contains(&account(3)), named, "{what:?} names {:?}", facts.usernames);
        }
    }
}
