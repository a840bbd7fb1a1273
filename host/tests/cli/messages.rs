//! Commands about messages and rules, which need nothing but their input.

use super::*;

#[test]
fn facts_answers_each_line_in_order_and_a_bad_line_stops_nothing() {
    let too_long = format!("{{\"topic\": \"{}\"}}", "x".repeat(1024 * 1024));
    let input = format!("{}\nno json\n{{\"msg\": {{}}}}\n{too_long}\n\n{}", build(1), build(3));
    let answers = lines(&run(&["facts"], &input));
    assert_eq!(answers.len(), 6);
    let keys = [
        "agent",
        "application",
        "containers",
        "flatpaks",
        "groups",
        "icon",
        "link",
        "long_form",
        "modules",
        "objects",
        "packages",
        "secondary_icon",
        "severity",
        "subtitle",
        "title",
        "usernames",
    ];
    for n in [0, 5] {
        let mut found: Vec<&String> = answers[n].as_object().expect("an object").keys().collect();
        found.sort();
        assert_eq!(found, keys);
        assert_eq!((&answers[n]["usernames"], &answers[n]["packages"]), (&json!(["ralph"]), &json!(["quillpad"])));
        assert_eq!(answers[n]["title"], "buildsys.build.state.change");
    }
    for (n, reason) in [(1, "not JSON"), (2, "topic"), (3, "larger than"), (4, "not JSON")] {
        let keys: Vec<&String> = answers[n].as_object().expect("an object").keys().collect();
        assert_eq!(keys, ["error"], "line {n}");
        assert!(answers[n]["error"].as_str().is_some_and(|text| text.contains(reason)), "{}", answers[n]);
    }
}

#[test]
fn facts_takes_aliases_and_another_catalogue() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let aliases = write(dir.path(), "aliases.json", r#"{"ralph@example.org": "ralph"}"#);
    let catalogue = dir.path().join("catalogue");
    std::fs::create_dir(&catalogue).expect("it can be made");
    let shop = "application = \"shop\"\n[[topic]]\ntopics = [\"order\"]\nusernames = [\"msg.buyer | alias\"]\n";
    write(&catalogue, "shop.toml", shop);
    let catalogue = catalogue.to_str().expect("it is text");
    let order = r#"{"topic": "org.example.prod.shop.order", "msg": {"buyer": "ralph@example.org"}}"#;
    for (arguments, application, is_known) in [
        (&["--catalogue", catalogue, "--aliases", &aliases][..], json!("shop"), true),
        (&["--catalogue", catalogue], json!("shop"), false),
        (&["--aliases", &aliases], json!(null), false),
    ] {
        let answers = lines(&run(&[&["facts"], arguments].concat(), order));
        let known = answers[0]["usernames"] == json!(["ralph"]);
        assert_eq!((&answers[0]["application"], known), (&application, is_known), "{arguments:?}: {}", answers[0]);
    }
    let empty = tempfile::tempdir().expect("a temporary directory");
    let empty = empty.path().to_str().expect("it is text");
    for (arguments, detail) in
        [(["--aliases", "/nonexistent"], "/nonexistent"), (["--catalogue", empty], "no .toml file")]
    {
        let output = run(&[&["facts"], &arguments[..]].concat(), "");
        assert_eq!(output.status.code(), Some(1), "{arguments:?}");
        assert!(stderr(&output).contains(detail), "{arguments:?}: {}", stderr(&output));
    }
}

#[test]
fn rules_are_listed_shown_and_evaluated() {
    let rules: Vec<Value> =
        serde_json::from_str(&stdout(&run(&["rules", "list", "--json"], ""))).expect("a list in JSON");
    let names: Vec<&str> = rules.iter().filter_map(|rule| rule["name"].as_str()).collect();
    assert!(names.contains(&"user_filter") && names.contains(&"koji_build_failed"), "{names:?}");
    let koji: Vec<Value> =
        serde_json::from_str(&stdout(&run(&["rules", "list", "--json", "--application", "buildsys"], "")))
            .expect("JSON");
    assert!(!koji.is_empty() && koji.len() < rules.len());
    assert!(koji.iter().all(|rule| rule["application"] == "buildsys"));
    assert!(stdout(&run(&["rules", "show", "user_filter"], "")).contains("fasnick"));
    let unknown = run(&["rules", "show", "nope"], "");
    assert_eq!((unknown.status.code(), stderr(&unknown).contains("there is no rule nope")), (Some(1), true));

    let answers = lines(&run(&["rules", "eval"], &format!("{}\nx\n", build(3))));
    let held: Vec<&str> = answers[0]["true"].as_array().expect("a list").iter().filter_map(Value::as_str).collect();
    assert!(held.contains(&"koji_build_failed") && !held.contains(&"koji_build_completed"), "{held:?}");
    assert!(held.is_sorted());
    assert!(answers[1]["error"].is_string());
}

#[test]
fn match_names_everybody_who_would_be_told() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let subscription = |user: &str, addresses: Value, enabled: bool, rule: &str, arguments: Value| {
        let rules = json!([{ "rule": rule, "arguments": arguments, "negated": false }]);
        let filter = json!({ "name": "builds", "oneshot": false, "active": true, "rules": rules });
        json!({ "user": user, "channel": "email", "enabled": enabled, "addresses": addresses, "filters": [filter] })
            .to_string()
    };
    let all = [
        subscription("ralph", json!(["r@b", "r@a"]), true, "koji_build_failed", json!({})),
        subscription("ann", json!(["ann@a"]), true, "user_package_filter", json!({ "fasnick": "ann" })),
        subscription("off", json!(["off@a"]), false, "koji_build_failed", json!({})),
        subscription("odd", json!(["odd@a"]), true, "no_such_rule", json!({})),
    ];
    let subscriptions = write(dir.path(), "subscriptions.jsonl", &all.join("\n"));
    let acls = write(dir.path(), "acls.json", r#"{"packages": {"quillpad": {"watch": ["ann"]}}, "groups": {}}"#);
    let output = run(&["match", "--subscriptions", &subscriptions, "--acls", &acls], &format!("{}\nx\n", build(3)));
    let rows = json!([
        ["ann", "email", "ann@a", "builds"],
        ["ralph", "email", "r@a", "builds"],
        ["ralph", "email", "r@b", "builds"],
    ]);
    let answers = lines(&output);
    assert_eq!(answers[0], json!({ "recipients": rows }));
    assert!(answers[1]["error"].is_string());
    assert!(stderr(&output).contains("no_such_rule"), "{}", stderr(&output));

    let broken = write(dir.path(), "broken.jsonl", "{}\n");
    let output = run(&["match", "--subscriptions", &broken, "--acls", &acls], "");
    assert_eq!((output.status.code(), stderr(&output).contains("broken.jsonl, line 1")), (Some(1), true));
}

#[test]
fn a_reader_that_has_seen_enough_is_no_error() {
    let mut child = command(&["facts"]).spawn().expect("the program starts");
    drop(child.stdout.take());
    let mut stdin = child.stdin.take().expect("it is piped");
    let line = format!("{}\n", build(1));
    // The program may end before it has read everything.
    let _ = (0..2000).try_for_each(|_| stdin.write_all(line.as_bytes()));
    drop(stdin);
    let output = child.wait_with_output().expect("the program ends");
    assert_eq!((output.status.code(), stderr(&output)), (Some(0), String::new()));
}
