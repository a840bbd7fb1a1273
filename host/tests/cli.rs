//! The program from outside: arguments and standard input in, output and exit code out.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};
use tempfile::TempDir;

/// A configuration whose data is in a directory of its own.
struct Home {
    dir: TempDir,
}

impl Home {
    fn new(more: &str) -> Home {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let settings = format!("data_dir = {:?}\n{more}", dir.path().join("data"));
        std::fs::write(dir.path().join("tidings.toml"), settings).expect("it can be written");
        Home { dir }
    }

    fn run(&self, arguments: &[&str]) -> Output {
        let config = self.dir.path().join("tidings.toml");
        run(&[arguments, &["--config", config.to_str().expect("it is text")]].concat(), "")
    }
}

fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tidings"));
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("TIDINGS_")) {
        command.env_remove(name);
    }
    command
}

fn run(arguments: &[&str], input: &str) -> Output {
    let mut child = command(arguments).spawn().expect("the program starts");
    let mut stdin = child.stdin.take().expect("it is piped");
    let input = input.to_owned();
    // What the program does not read is no error here.
    let writer = std::thread::spawn(move || drop(stdin.write_all(input.as_bytes())));
    let output = child.wait_with_output().expect("the program ends");
    writer.join().expect("the input is written");
    output
}

fn stdout(output: &Output) -> String {
    assert!(output.status.success(), "{}: {}", output.status, stderr(output));
    String::from_utf8(output.stdout.clone()).expect("it is text")
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn lines(output: &Output) -> Vec<Value> {
    stdout(output).lines().map(|line| serde_json::from_str(line).expect("each line is JSON")).collect()
}

/// A build of `quillpad` by `ralph`, as the bus carries it.
fn build(new: u8) -> String {
    json!({
        "topic": "org.fedoraproject.prod.buildsys.build.state.change",
        "msg": {
            "attribute": "state", "build_id": 70121, "instance": "primary", "name": "quillpad", "new": new, "old": 0,
            "owner": "ralph", "release": "3.fc22", "task_id": 970121, "version": "0.9",
        },
        "timestamp": 1_400_000_000, "msg_id": "2014-0f0f", "i": 1,
    })
    .to_string()
}

fn write(dir: &Path, name: &str, text: &str) -> String {
    let file = dir.join(name);
    std::fs::write(&file, text).expect("it can be written");
    file.to_str().expect("it is text").to_owned()
}

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
    let aliases = write(dir.path(), "aliases.json", r#"{"ralph": "threebean"}"#);
    let commit = json!({ "name": "x", "username": "ralph", "email": "ralph@example.org", "repo": "quillpad",
        "branch": "master", "summary": "y", "message": "y", "rev": "0f", "agent": "ralph",
        "stats": { "files": {}, "total": { "deletions": 0, "files": 0, "insertions": 0, "lines": 0 } } });
    let push = json!({ "topic": "org.fedoraproject.prod.git.receive", "msg": { "commit": commit } }).to_string();
    let answers = lines(&run(&["facts", "--aliases", &aliases], &push));
    assert_eq!(answers[0]["usernames"], json!(["threebean"]));
    let missing = run(&["facts", "--aliases", "/nonexistent"], "");
    assert_eq!((missing.status.code(), stderr(&missing).contains("/nonexistent")), (Some(1), true));
    let empty = dir.path().join("catalogue");
    std::fs::create_dir(&empty).expect("it can be made");
    let none = run(&["facts", "--catalogue", empty.to_str().expect("it is text")], "");
    assert_eq!((none.status.code(), stderr(&none).contains("no .toml file")), (Some(1), true));
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
fn exit_codes_tell_wrong_usage_from_bad_configuration() {
    for (settings, code, detail) in [
        ("", 0, ""),
        ("[api]\nlistne = 1\n", 64, "unknown field `listne`"),
        ("[dispatch]\nbatch = 0\n", 64, "dispatch.batch"),
        ("[catalogue]\ndir = \"/nonexistent\"\n", 64, "/nonexistent"),
        ("[acl]\nfile = \"/etc/hostname\"\n", 64, "/etc/hostname"),
    ] {
        let output = Home::new(settings).run(&["check-config"]);
        assert_eq!(output.status.code(), Some(code), "{settings}: {}", stderr(&output));
        assert!(stderr(&output).contains(detail), "{settings}: {}", stderr(&output));
    }
    for (arguments, code) in [
        (&["check-config", "--config", "/nonexistent"][..], 64),
        (&["serve", "--config", "/nonexistent"], 64),
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
fn commands_for_the_daemon_say_so_when_it_does_not_run() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let url = format!("http://{}", listener.local_addr().expect("it is bound"));
    drop(listener);
    for arguments in
        [&["status"][..], &["books"], &["channel", "list"], &["deliveries", "list"], &["subscription", "list"]]
    {
        let output = run(&[arguments, &["--url", &url]].concat(), "");
        assert_eq!(output.status.code(), Some(1), "{arguments:?}");
        let expected = format!("cannot reach the daemon at {url}: is it running?");
        assert!(stderr(&output).contains(&expected), "{arguments:?}: {}", stderr(&output));
    }
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
