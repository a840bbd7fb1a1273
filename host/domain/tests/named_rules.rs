//! Tests of catalogue rules that test more than the topic or take arguments.

#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "helpers of tests may panic like tests")]

use std::sync::{Arc, LazyLock};

use serde_json::{Value, json};
use tidings_domain::acl::AclTable;
use tidings_domain::aliases::Aliases;
use tidings_domain::catalogue::Catalogue;
use tidings_domain::event::Event;
use tidings_domain::message::{Envelope, Frame};
use tidings_domain::ruleset::Ruleset;
use tidings_domain::subscription::{Filter, Rule, Style, Subscription};

static CATALOGUE: LazyLock<Arc<Catalogue>> = LazyLock::new(|| Arc::new(Catalogue::embedded().unwrap()));

/// Whether a rule, written `name argument=value`, holds for a message, and the number of problems reported for it.
fn holds(rule: &str, topic: &str, msg: &Value) -> (bool, usize) {
    let (name, argument) = rule.split_once(' ').map_or((rule, None), |(name, argument)| (name, Some(argument)));
    let argument = argument.map(|argument| argument.split_once('=').unwrap());
    let arguments = argument.into_iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
    let rules = vec![Rule { rule: name.to_owned(), arguments, negated: false }];
    let subscription = Subscription {
        user: "zoe".to_owned(),
        channel: "email".to_owned(),
        enabled: true,
        addresses: vec!["zoe@example.org".to_owned()],
        digest: None,
        style: Style::default(),
        filters: vec![Filter { name: "f".to_owned(), oneshot: false, active: true, rules }],
    };
    let (ruleset, problems) = Ruleset::build(CATALOGUE.clone(), vec![subscription]);
    let body = json!({"topic": topic, "msg": msg}).to_string().into_bytes();
    let envelope = Envelope::read(&Frame { topic: None, body }).unwrap();
    let aliases = Aliases::default();
    let event = Event::new(&CATALOGUE, &aliases, &envelope);
    (!ruleset.matches(&event, &AclTable::default()).is_empty(), problems.len())
}

fn check(topic: &str, table: &[(&str, Value, bool)]) {
    for (rule, msg, expected) in table {
        assert_eq!(holds(rule, topic, msg), (*expected, 0), "{rule} on {msg}");
    }
}

#[test]
fn a_distribution_is_found_in_every_field_of_anitya_in_any_case() {
    let packages = json!({"message": {"packages": [{"distro": "Kitchen"}, {"distro": "Fedora"}]}});
    check(
        "org.release-monitoring.prod.anitya.project.version.update",
        &[
            ("anitya_specific_distro distro=fedora", packages.clone(), true),
            ("anitya_specific_distro distro=KITCHEN", packages.clone(), true),
            ("anitya_specific_distro distro=Garden", packages.clone(), false),
            ("anitya_specific_distro distro=Fedora", json!({"distro": {"name": "fedora"}}), true),
            ("anitya_specific_distro distro=Fedora", json!({"project": {"distro": {"name": "Fedora"}}}), true),
            ("anitya_specific_distro distro=Fedora", json!({"distro": null}), false),
            ("anitya_unmapped_new_update", packages, false),
            ("anitya_unmapped_new_update", json!({"message": {"packages": [{"distro": "fedora"}]}}), false),
            ("anitya_unmapped_new_update", json!({"packages": [{"distro": "Fedora"}]}), false),
            ("anitya_unmapped_new_update", json!({"message": {"packages": [{"distro": "Kitchen"}]}}), true),
            ("anitya_unmapped_new_update", json!({"message": {"packages": []}}), true),
            ("anitya_by_upstream_project projects=kettle, teapot", json!({"project": {"name": "teapot"}}), true),
            ("anitya_by_upstream_project projects=kettle", json!({"project": {"name": "teapot"}}), false),
        ],
    );
    let other_application = holds(
        "anitya_specific_distro distro=Fedora",
        "org.example.prod.bodhi.x",
        &json!({"distro": {"name": "Fedora"}}),
    );
    assert_eq!(other_application, (false, 0));
}

#[test]
fn a_koschei_group_is_a_group_of_the_package() {
    let msg = json!({"name": "teapot", "groups": ["kitchen", "xml"]});
    check(
        "org.fedoraproject.prod.koschei.package.state.change",
        &[
            ("koschei_group group=garden, xml", msg.clone(), true),
            ("koschei_group group=garden", msg.clone(), false),
            ("koschei_group group=garden", json!({"name": "teapot"}), false),
        ],
    );
    assert_eq!(holds("koschei_group group=xml", "org.fedoraproject.prod.bodhi.x", &msg), (false, 0));
    assert_eq!(holds("koschei_group", "org.fedoraproject.prod.koschei.x", &msg), (false, 1), "its argument is missing");
}

#[test]
fn taskotron_results_match_by_task_outcome_and_change() {
    let result = |task: &str, outcome: &str, before: Value| {
        let result = json!({"outcome": outcome, "prev_outcome": before});
        json!({"task": {"name": task}, "result": result})
    };
    let failed = result("dist.depcheck", "FAILED", json!("FAILED"));
    let fixed = result("rpmlint", "PASSED", json!("FAILED"));
    let first = result("rpmlint", "PASSED", Value::Null);
    check(
        "org.fedoraproject.prod.taskotron.result.new",
        &[
            ("taskotron_changed_outcome", failed.clone(), false),
            ("taskotron_changed_outcome", fixed.clone(), true),
            ("taskotron_changed_outcome", first.clone(), false),
            ("taskotron_changed_outcome", json!({"result": {"prev_outcome": "FAILED"}}), true),
            ("taskotron_task task=RPMLint", fixed.clone(), true),
            ("taskotron_task task=rpmlint", failed.clone(), false),
            ("taskotron_task_outcome outcome=passed,failed", failed.clone(), true),
            ("taskotron_task_outcome outcome=passed", failed.clone(), false),
            ("taskotron_release_critical_task", failed.clone(), true),
            ("taskotron_release_critical_task", fixed.clone(), false),
            ("taskotron_task_particular_or_changed_outcome outcome=FAILED", failed.clone(), true),
            ("taskotron_task_particular_or_changed_outcome outcome=FAILED", fixed, true),
            ("taskotron_task_particular_or_changed_outcome outcome=NEEDS_INSPECTION", failed.clone(), false),
            // Its argument has a default.
            ("taskotron_task_particular_or_changed_outcome", failed, true),
            ("taskotron_task_particular_or_changed_outcome", first, false),
        ],
    );
}

#[test]
fn a_pagure_project_matches_by_its_name_or_namespace() {
    let new = "io.pagure.prod.pagure.issue.new";
    let plain = json!({"project": {"name": "pot", "namespace": null, "parent": null}});
    let inside = json!({"project": {"name": "pot", "namespace": "tea", "parent": null}});
    let fork = json!({"project": {"name": "pot", "user": {"name": "ann"}, "parent": {"name": "pot"}}});
    let table = [
        (new, "pot", plain.clone(), true),
        (new, "lid, pot", plain.clone(), true),
        (new, "po", plain.clone(), false),
        (new, "tea/pot", inside.clone(), true),
        (new, "tea", inside.clone(), true),
        (new, "pot", inside, false),
        (new, "pot", fork.clone(), false),
        (new, "fork/ann/pot", fork, true),
        ("io.pagure.prod.pagure.project.edit", "pot", plain.clone(), true),
        ("io.pagure.prod.pagure.git.receive", "pot", json!({"repo": {"name": "pot", "parent": null}}), true),
        ("org.fedoraproject.prod.pagure.issue.new", "pot", plain.clone(), false),
        ("io.pagure.prod.shop.issue.new", "pot", plain, false),
    ];
    for (topic, project, msg, expected) in table {
        check(topic, &[(&format!("pagure_specific_project_filter project={project}"), msg, expected)]);
    }
}

#[test]
fn tags_of_a_pagure_project_are_found_in_every_form_of_the_message() {
    let project = json!({"name": "pot", "parent": null, "tags": ["tea", "hot"]});
    check(
        "io.pagure.prod.pagure.x",
        &[
            ("pagure_specific_project_tag_filter tags=hot", json!({"project": project}), true),
            ("pagure_specific_project_tag_filter tags=cold, tea", json!({"pullrequest": {"project": project}}), true),
            ("pagure_specific_project_tag_filter tags=hot", json!({"commit": {"repo": project}}), true),
            ("pagure_specific_project_tag_filter tags=cold", json!({"project": project}), false),
            ("pagure_specific_project_tag_filter tags=hot", json!({"agent": "ann"}), false),
        ],
    );
}
