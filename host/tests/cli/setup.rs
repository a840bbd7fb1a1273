//! Commands about the configuration and the database.

use super::*;

#[test]
fn exit_codes_tell_wrong_usage_from_an_invalid_configuration() {
    for (settings, code, detail) in [
        ("", 0, ""),
        ("[api]\nlistne = 1\n", 78, "unknown field `listne`"),
        ("[dispatch]\nbatch = 0\n", 78, "dispatch.batch"),
        ("[catalogue]\ndir = \"/nonexistent\"\n", 78, "/nonexistent"),
        ("[acl]\nfile = \"/etc/hostname\"\n", 78, "/etc/hostname"),
    ] {
        let output = Home::new(settings).run(&["check-config"]);
        assert_eq!(output.status.code(), Some(code), "{settings}: {}", stderr(&output));
        assert!(stderr(&output).contains(detail), "{settings}: {}", stderr(&output));
    }
    for (arguments, code) in [
        (&["check-config", "--config", "/nonexistent"][..], 78),
        (&["serve", "--config", "/nonexistent"], 78),
        (&["nonsense"], 2),
        (&["token", "create"], 2),
        (&["channel", "grant", "email"], 2),
        (&["deliveries", "retry"], 2),
        (&["--version"], 0),
        (&["--help"], 0),
    ] {
        assert_eq!(run(arguments, "").status.code(), Some(code), "{arguments:?}");
    }
}

#[test]
fn a_daemon_with_an_invalid_catalogue_exits_as_misconfigured() {
    let catalogue = tempfile::tempdir().expect("a temporary directory");
    write(catalogue.path(), "broken.toml", "name = 3\n");
    let output = Home::new(&format!("[catalogue]\ndir = {:?}\n", catalogue.path())).run(&["serve"]);
    assert_eq!(output.status.code(), Some(78), "{}", stderr(&output));
    assert!(stderr(&output).contains("broken.toml"), "{}", stderr(&output));
}

#[test]
fn tokens_are_made_listed_and_revoked() {
    let home = Home::new("");
    let output = stdout(&home.run(&["token", "create", "ops", "--expires", "30d"]));
    let token = output.trim_end();
    let (id, secret) = token.strip_prefix("tid_").and_then(|rest| rest.split_once('_')).expect("tid_<id>_<secret>");
    assert_eq!((output.lines().count(), id.len(), secret.len()), (1, 12, 64), "the token and nothing else");

    let made: Value = serde_json::from_str(&stdout(&home.run(&["token", "create", "ci", "--json"]))).expect("JSON");
    assert_eq!((&made["name"], &made["expires_at"]), (&json!("ci"), &Value::Null));
    let list = stdout(&home.run(&["token", "list"]));
    assert!(list.contains(id) && list.contains("ops") && list.contains("never"), "{list}");
    assert!(!list.contains(secret));

    assert!(home.run(&["token", "revoke", id]).status.success());
    assert!(!stdout(&home.run(&["token", "list"])).contains(id));
    let again = home.run(&["token", "revoke", id]);
    assert_eq!((again.status.code(), stderr(&again).contains("there is no token")), (Some(1), true));
    assert_eq!(home.run(&["token", "create", "a\nb"]).status.code(), Some(1));
}

#[test]
fn migrate_makes_a_private_database_and_says_its_schema() {
    let home = Home::new("");
    assert!(stdout(&home.run(&["migrate"])).contains("schema version"));
    let answer: Value = serde_json::from_str(&stdout(&home.run(&["migrate", "--json"]))).expect("JSON");
    assert!(answer["schema_version"].as_i64().is_some_and(|version| version >= 1), "{answer}");
    use std::os::unix::fs::PermissionsExt as _;
    let mode = |name: &str| home.dir.path().join(name).metadata().expect("it is there").permissions().mode() & 0o777;
    assert_eq!((mode("data"), mode("data/tidings.db")), (0o700, 0o600));
}

#[test]
fn replay_takes_messages_in_and_counts_them() {
    let home = Home::new("");
    let input = write(home.dir.path(), "messages.jsonl", &format!("{}\nno json\n{}\n", build(1), build(1)));
    let counts: Value = serde_json::from_str(&stdout(&home.run(&["replay", &input, "--json"]))).expect("JSON");
    let expected = json!({
        "received": 3, "matched": 0, "unmatched": 1, "duplicate": 1, "conflict": 0, "poison": 0,
        "refused": { "not_json": 1 },
    });
    assert_eq!(counts, expected);
    let missing = home.run(&["replay", "/nonexistent"]);
    assert_eq!((missing.status.code(), stderr(&missing).contains("/nonexistent")), (Some(1), true));
}

#[test]
fn import_stores_all_subscriptions_or_names_each_bad_line_and_stores_none() {
    let home = Home::new("");
    let filters = json!([{ "name": "builds", "rules": [{ "rule": "koji_build_state_change" }] }]);
    let good = |user: &str| {
        json!({ "user": user, "channel": "email", "addresses": [format!("{user}@a")], "filters": filters }).to_string()
    };
    let bad = [
        "no json".to_owned(),
        json!({ "user": "lena", "filters": filters }).to_string(),
        json!({ "user": "lena", "channel": "email", "filter": filters }).to_string(),
        json!({ "user": "lena", "channel": "email", "filters": [{ "name": "f", "rules": [{ "rule": "nope" }] }] })
            .to_string(),
    ];
    let text = format!("{}\n\n{}\n", good("ralph"), bad.join("\n"));
    let output = home.run(&["subscription", "import", &write(home.dir.path(), "bad.jsonl", &text)]);
    assert_eq!(output.status.code(), Some(1));
    for line in
        ["line 3: ", "line 4: `user` or `channel`", "line 5: unknown field `filter`", "line 6: filters[0].rules[0]"]
    {
        assert!(stderr(&output).contains(line), "{line}: {}", stderr(&output));
    }
    let replay = |home: &Home| {
        let input = write(home.dir.path(), "messages.jsonl", &format!("{}\n", build(1)));
        serde_json::from_str::<Value>(&stdout(&home.run(&["replay", &input, "--json"]))).expect("JSON")
    };
    assert_eq!(replay(&home)["matched"], 0, "nothing was imported");

    let home = Home::new("");
    let file = write(home.dir.path(), "good.jsonl", &format!("{}\n{}\n", good("ralph"), good("lena")));
    let imported = home.run(&["subscription", "import", &file, "--json"]);
    assert_eq!(serde_json::from_str::<Value>(&stdout(&imported)).expect("JSON"), json!({ "imported": 2 }));
    assert_eq!(replay(&home)["matched"], 1);
}

#[test]
fn doctor_names_each_problem() {
    let home =
        Home::new("[[bus.zeromq]]\nendpoints = [\"tcp://127.0.0.1:9940\", \"tcp://no.such.host.invalid:9940\"]\n");
    home.run(&["migrate"]);
    let output = home.run(&["doctor", "--json"]);
    assert_eq!(output.status.code(), Some(1));
    let findings: Vec<Value> = serde_json::from_slice(&output.stdout).expect("JSON");
    let ok = |part: &str| findings.iter().filter(|f| f["part"] == part).map(|f| f["ok"] == true).collect::<Vec<_>>();
    for part in ["config", "catalogue", "data_dir", "store", "plugins"] {
        assert_eq!(ok(part), [true], "{part}: {findings:?}");
    }
    assert_eq!(ok("bus"), [true, false], "{findings:?}");
}
