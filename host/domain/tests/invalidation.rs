//! Tests of which access lists a message invalidates: the shapes of the legacy and of the present bus, messages that
//! must not invalidate any list, and defects of the old systems that must not return.

#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "helpers of tests may panic like tests")]

use std::path::PathBuf;

use serde_json::{Value, json};
use tidings_domain::acl::{Cause, Invalidation, Key, invalidated};
use tidings_domain::message::{Envelope, Frame};

fn envelope(topic: &str, msg: &Value) -> Envelope {
    let body = serde_json::to_vec(&json!({"topic": topic, "msg": msg})).unwrap();
    Envelope::read(&Frame { topic: None, body }).unwrap()
}

fn keys(topic: &str, msg: Value) -> Vec<Key> {
    invalidated(&envelope(topic, &msg)).map(|invalidation| invalidation.keys).unwrap_or_default()
}

fn packages(names: &[&str]) -> Vec<Key> {
    names.iter().map(|name| Key::Package((*name).to_owned())).collect()
}

fn group(name: &str) -> Vec<Key> {
    vec![Key::Group(name.to_owned())]
}

#[test]
fn every_form_of_a_package_name_in_pkgdb_is_read() {
    let table = [
        ("acl.update", json!({"package_listing": {"package": {"name": "guake"}}, "username": "ann"}), vec!["guake"]),
        (
            "owner.update",
            json!({"package_listing": {"point_of_contact": "bob", "package": {"name": "guake"}}}),
            vec!["guake"],
        ),
        ("package.update", json!({"package": "guake"}), vec!["guake"]),
        ("package.delete", json!({"package": {"name": "guake", "acls": []}}), vec!["guake"]),
        ("package.update.status", json!({"package_name": "guake"}), vec!["guake"]),
        ("acl.delete", json!({"acl": {"packagelist": {"package": {"name": "guake"}}}}), vec!["guake"]),
        ("package.new.request", json!({"info": {"pkg_name": "guake"}, "package": null}), vec!["guake"]),
        (
            "admin.action.status.update",
            json!({"action": {"package": null, "info": {"pkg_name": "guake"}}}),
            vec!["guake"],
        ),
        ("package.branch.new", json!({"packages": ["zsh", {"name": "bash"}]}), vec!["bash", "zsh"]),
        (
            "acl.user.remove",
            json!({"package_listings": [{"package": {"name": "b"}}, {"package": {"name": "a"}}, {"package": {"name": "b"}}]}),
            vec!["a", "b"],
        ),
        ("collection.update", json!({"collection": {"name": "Fedora", "version": "18"}}), vec![]),
        ("critpath.update", json!({"package_listing_ids": [], "agent": "ann"}), vec![]),
    ];
    for (topic, msg, expected) in table {
        let topic = format!("org.fedoraproject.prod.pkgdb.{topic}");
        assert_eq!(keys(&topic, msg), packages(&expected), "{topic}");
    }
}

#[test]
fn a_change_of_access_in_dist_git_invalidates_the_package() {
    let msg = json!({"project": {"name": "guake", "namespace": "rpms", "fullname": "rpms/guake", "parent": null}});
    for change in [
        "user.access.updated",
        "user.added",
        "user.removed",
        "group.access.updated",
        "group.added",
        "group.removed",
        "new",
        "edit",
        "deleted",
    ] {
        for prefix in ["org.fedoraproject.prod.", "org.fedoraproject.stg.", ""] {
            let topic = format!("{prefix}pagure.project.{change}");
            assert_eq!(keys(&topic, msg.clone()), packages(&["guake"]), "{topic}");
        }
    }
    assert!(keys("org.fedoraproject.prod.pagure.project.tag.edited", msg).is_empty());
    let fork = json!({"project": {"name": "guake", "fullname": "forks/ann/rpms/guake", "parent": {"name": "guake"}}});
    assert!(keys("org.fedoraproject.prod.pagure.project.user.added", fork).is_empty());
}

#[test]
fn o2_a_group_message_invalidates_the_members_of_the_group() {
    let shapes = [
        json!({"group": "shells", "user": "ann", "agent": "bob"}),
        json!({"group": {"name": "shells"}, "user": {"username": "ann"}}),
        json!({"msg": {"group": "shells", "user": "ann", "agent": "bob"}}),
    ];
    for change in ["member.apply", "member.sponsor", "member.remove", "create", "update"] {
        for shape in &shapes {
            let topic = format!("org.fedoraproject.prod.fas.group.{change}");
            assert_eq!(keys(&topic, shape.clone()), group("shells"), "{topic} {shape}");
        }
    }
}

#[test]
fn o2_a_change_of_owner_invalidates_the_package_although_the_previous_owner_is_not_named() {
    let msg =
        json!({"package_listing": {"point_of_contact": "orphan", "package": {"name": "php-zmq"}}, "agent": "ralph"});
    assert_eq!(keys("org.fedoraproject.stg.pkgdb.owner.update", msg), packages(&["php-zmq"]));
}

#[test]
fn n4_a_member_who_leaves_invalidates_the_group() {
    let msg = json!({"msg": {"agent": "bob", "user": "ann", "group": "shells"}});
    assert_eq!(keys("org.fedoraproject.prod.fas.group.member.remove", msg.clone()), group("shells"));
    assert_eq!(keys("fas.group.member.remove", msg), group("shells"));
}

#[test]
fn n5_a_dist_git_project_has_the_name_of_the_package_in_messages() {
    let msg =
        json!({"project": {"name": "guake", "namespace": "rpms", "fullname": "rpms/guake"}, "new_group": "shells"});
    assert_eq!(keys("org.fedoraproject.prod.pagure.project.group.added", msg), packages(&["guake"]));
}

#[test]
fn n6_changes_of_packages_and_of_groups_both_invalidate_the_list_that_matching_reads() {
    let added = json!({"project": {"name": "guake"}, "new_group": "shells", "access": "commit"});
    assert_eq!(keys("org.fedoraproject.prod.pagure.project.group.added", added), packages(&["guake"]));
    let joined = json!({"msg": {"group": "shells", "user": "ann"}});
    assert_eq!(keys("org.fedoraproject.prod.fas.group.member.sponsor", joined), group("shells"));
}

#[test]
fn the_cause_is_returned() {
    let found = invalidated(&envelope("org.fedoraproject.prod.fas.group.update", &json!({"group": "shells"})));
    assert_eq!(found, Some(Invalidation { cause: Cause::AccountSystem, keys: group("shells") }));
}

#[test]
fn other_topics_and_malformed_messages_invalidate_nothing() {
    let table = [
        ("org.fedoraproject.prod.git.receive", json!({"package": "guake", "project": {"name": "guake"}})),
        ("org.fedoraproject.prod.git.pkgdb2branch.start", json!({"package": "guake"})),
        ("org.fedoraproject.prod.fas.user.update", json!({"group": "shells"})),
        ("org.fedoraproject.prod.pkgdb.acl.update", json!(null)),
        ("org.fedoraproject.prod.pkgdb.acl.update", json!(["guake"])),
        ("org.fedoraproject.prod.pkgdb.acl.update", json!({"package": 7, "package_listing": "guake", "acl": "commit"})),
        ("org.fedoraproject.prod.pkgdb.acl.update", json!({"package": "", "package_listings": {"package": 1}})),
        ("org.fedoraproject.prod.pkgdb.acl.update", json!({"package": "x".repeat(513)})),
        ("org.fedoraproject.prod.fas.group.update", json!({"group": ["shells"]})),
        ("org.fedoraproject.prod.fas.group.update", json!({"msg": "shells"})),
        ("org.fedoraproject.prod.pagure.project.user.added", json!({"project": "guake"})),
        ("pkgdb", json!({"package": "guake"})),
    ];
    for (topic, msg) in table {
        assert_eq!(keys(topic, msg.clone()), Vec::new(), "{topic} {msg}");
    }
}

#[test]
fn real_pkgdb_messages_invalidate_their_packages() {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/corpus/fedmsg.jsonl");
    let Ok(text) = std::fs::read_to_string(&path) else {
        println!("skipped: no corpus at {}", path.display());
        return;
    };
    let mut seen = 0;
    for line in text.lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        let topic = line["topic"].as_str().unwrap();
        let Some(expected) = line["expected"]["packages"].as_array().filter(|_| topic.contains(".pkgdb.")) else {
            continue;
        };
        let mut expected: Vec<&str> = expected.iter().map(|name| name.as_str().unwrap()).collect();
        expected.sort_unstable();
        assert_eq!(keys(topic, line["msg"]["msg"].clone()), packages(&expected), "{}", line["id"]);
        seen += 1;
    }
    assert!(seen > 10, "only {seen} messages of the package database in the corpus");
}
