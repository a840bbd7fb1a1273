//! Tests of the default filters of a new user.

#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "helpers of tests may panic like tests")]

use std::sync::Arc;

use serde_json::{Value, json};
use tidings_domain::acl::AclTable;
use tidings_domain::aliases::Aliases;
use tidings_domain::catalogue::Catalogue;
use tidings_domain::event::Event;
use tidings_domain::message::{Envelope, Frame};
use tidings_domain::ruleset::Ruleset;
use tidings_domain::subscription::{Style, Subscription};

fn catalogue() -> Arc<Catalogue> {
    Arc::new(Catalogue::embedded().unwrap_or_else(|errors| panic!("{errors:#?}")))
}

/// The filters of ann, the owner of the package teapot, that match a message.
fn matching_filters(set: &Ruleset, topic: &str, msg: Value) -> Vec<String> {
    let acl = AclTable::from_json(r#"{"packages": {"teapot": {"point of contact": ["ann"]}}, "groups": {}}"#).unwrap();
    let body = json!({"topic": format!("org.fedoraproject.prod.{topic}"), "msg": msg}).to_string();
    let envelope = Envelope::read(&Frame { topic: None, body: body.into_bytes() }).unwrap();
    let aliases = Aliases::default();
    let event = Event::new(set.catalogue(), &aliases, &envelope);
    set.matches(&event, &acl).into_iter().map(|recipient| recipient.filter).collect()
}

#[test]
fn default_filters_match_own_packages_and_own_name_without_the_excluded_messages() {
    let catalogue = catalogue();
    let filters = catalogue.defaults("ann");
    assert_eq!(filters.iter().map(|filter| filter.rules.len()).collect::<Vec<_>>(), [24, 30, 3]);
    let subscription = Subscription {
        user: "ann".to_owned(),
        channel: "email".to_owned(),
        enabled: true,
        addresses: vec!["ann@example.org".to_owned()],
        digest: None,
        style: Style::default(),
        filters,
    };
    let (set, problems) = Ruleset::build(catalogue, vec![subscription]);
    assert_eq!(problems, []);
    let build = |name: &str, owner: &str, new: u32| {
        json!({"name": name, "version": "2.1", "release": "3.fc40", "owner": owner, "old": 0, "new": new,
               "attribute": "state", "build_id": 15, "task_id": 16, "instance": "primary"})
    };
    let arm = |mut msg: Value| {
        msg["instance"] = json!("arm");
        msg
    };
    let table = [
        ("buildsys.build.state.change", build("teapot", "bob", 3), Some("Events on packages that I own")),
        ("buildsys.build.state.change", build("teapot", "ann", 3), Some("Events referring to my username")),
        ("buildsys.build.state.change", build("kettle", "bob", 3), None),
        // Started, or on another architecture.
        ("buildsys.build.state.change", build("teapot", "bob", 0), None),
        ("buildsys.build.state.change", arm(build("teapot", "bob", 3)), None),
        ("buildsys.tag", json!({"name": "teapot", "owner": "ann", "user": "ann", "tag": "f40"}), None),
        ("git.receive", json!({"commit": {"username": "ann", "repo": "kettle", "namespace": "rpms"}}), None),
    ];
    for (topic, msg, expected) in table {
        assert_eq!(matching_filters(&set, topic, msg.clone()), Vec::from_iter(expected), "{topic} {msg}");
    }
}

#[test]
fn default_filters_with_unknown_rules_or_arguments_are_errors_with_their_line() {
    let table = [
        ("[[filter]]\nname = \"a\"\nrules = [\"nosuch\"]", "defaults.toml:3: there is no rule `nosuch`"),
        (
            "[[filter]]\nname = \"a\"\nrules = []\nexcept = [{ rule = \"user_filter\", arguments = { nick = \"x\" } }]",
            "defaults.toml:4: the rule `user_filter` has no argument `nick`",
        ),
        ("[[filter]]\nname = \"a\"\nrules = [3]", "defaults.toml:3: the name of a rule or"),
        ("[[filter]]\nname = \"a\"", "missing field `rules`"),
    ];
    for (text, expected) in table {
        let errors = Catalogue::load(&[("defaults.toml".to_owned(), text.to_owned())]).unwrap_err();
        assert!(errors.iter().any(|m| m.to_string().contains(expected)), "{text}\n{errors:#?}");
    }
    let none = Catalogue::load(&[]).unwrap_or_else(|errors| panic!("{errors:#?}"));
    assert_eq!(none.defaults("ann"), []);
}
