//! Compares digests of real bursts of messages with the lines of the old system. The corpus is a folder beside the
//! repository; without it that test prints a line and passes.

#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "helpers of tests may panic like tests")]

use std::path::PathBuf;
use std::sync::Arc;

use serde_json::{Value, json};
use tidings_domain::aliases::Aliases;
use tidings_domain::catalogue::Catalogue;
use tidings_domain::digest::{self, DigestItem, DigestLine};
use tidings_domain::event::Event;
use tidings_domain::message::{Envelope, Frame};
use tidings_domain::time::Timestamp;

fn corpus(file: &str) -> Option<String> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/corpus").join(file);
    let text = std::fs::read_to_string(&path).ok();
    if text.is_none() {
        println!("skipped: no corpus at {}", path.display());
    }
    text
}

fn catalogue() -> Catalogue {
    Catalogue::embedded().unwrap_or_else(|errors| panic!("{errors:#?}"))
}

fn envelope(message: &Value) -> Envelope {
    Envelope::read(&Frame { topic: None, body: message.to_string().into_bytes() }).unwrap()
}

fn fold(catalogue: &Catalogue, aliases: &Aliases, messages: &[Value], subject: Option<&str>) -> Vec<DigestLine> {
    let items: Vec<DigestItem> = messages
        .iter()
        .map(|message| DigestItem::of_event(&Event::new(catalogue, aliases, &envelope(message)), Timestamp::default()))
        .collect();
    digest::fold(catalogue, aliases, &items, subject)
}

/// Whether both are the same, times to the microsecond.
fn same_value(found: &Value, expected: &Value) -> bool {
    match (found.as_f64(), expected.as_f64()) {
        (Some(found), Some(expected)) => (found - expected).abs() < 1e-6,
        _ => found == expected,
    }
}

/// The least number of real bursts with all lines correct.
const LEAST_CORRECT: usize = 11;

#[test]
fn real_bursts_fold_into_the_lines_of_the_old_system() {
    let (Some(bursts), Some(aliases)) = (corpus("conglomerate.jsonl"), corpus("aliases.json")) else { return };
    let catalogue = catalogue();
    let aliases = Aliases::from_json(&aliases).unwrap();
    let (mut correct, mut all) = (0, 0);
    for burst in bursts.lines() {
        let burst: Value = serde_json::from_str(burst).unwrap();
        let lines = fold(&catalogue, &aliases, burst["messages"].as_array().unwrap(), burst["subject"].as_str());
        let found: Vec<Value> = lines.iter().map(|line| serde_json::to_value(line).unwrap()).collect();
        let expected = burst["expected"].as_array().unwrap();
        let mut same = found.len() == expected.len();
        for (number, expected) in expected.iter().enumerate() {
            for (key, expected) in expected.as_object().unwrap() {
                let found = found.get(number).map_or(&Value::Null, |line| &line[key]);
                if !same_value(found, expected) {
                    println!("{} line {number} {key}\n  expected {expected}\n  found    {found}", burst["id"]);
                    same = false;
                }
            }
        }
        println!("{:65} {}", burst["id"].as_str().unwrap(), if same { "correct" } else { "different" });
        correct += usize::from(same);
        all += 1;
    }
    println!("{correct} of {all}");
    assert!(correct >= LEAST_CORRECT, "{correct} of {all}");
}

fn comment(who: &str, update: &str, second: u32) -> Value {
    json!({
        "topic": "org.fedoraproject.prod.bodhi.update.comment",
        "timestamp": second,
        "msg_id": format!("2024-{who}-{second}"),
        "msg": {"agent": who, "comment": {"author": who, "update_title": update, "karma": 1}},
    })
}

fn run(playbook: &str, second: u32) -> Value {
    json!({
        "topic": "org.fedoraproject.prod.ansible.playbook.start",
        "timestamp": second,
        "msg_id": format!("2024-{playbook}-{second}"),
        "msg": {"userid": "ann", "playbook": format!("/srv/{playbook}.yml")},
    })
}

fn subtitles(lines: &[DigestLine]) -> Vec<&str> {
    lines.iter().map(|line| line.subtitle.as_str()).collect()
}

#[test]
fn a_message_folds_once_and_the_line_has_the_position_of_its_first_message() {
    let messages = [
        comment("ann", "kettle-0.9-1.fc40", 10),
        run("kettle", 20),
        comment("bob", "teapot-2.1-3.fc40", 30),
        comment("ann", "teapot-2.1-3.fc40", 40),
        run("kettle", 50),
        comment("ann", "cup-1-1.fc40", 60),
    ];
    let lines = fold(&catalogue(), &Aliases::default(), &messages, None);
    let expected = [
        "ann commented on cup-1-1.fc40 and kettle-0.9-1.fc40",
        "ann ran the kettle.yml playbook 2 times",
        "ann and bob commented on teapot-2.1-3.fc40",
    ];
    assert_eq!(subtitles(&lines), expected);
    assert_eq!((lines[2].start_time, lines[2].end_time, lines[2].timestamp), (30.0, 40.0, 35.0));
    let folded: usize = lines.iter().map(|line| line.msg_ids.len()).sum();
    assert_eq!(folded, messages.len());
}

#[test]
fn single_unknown_and_malformed_messages_keep_lines_of_their_own() {
    let malformed = |msg: Value, second: u32| json!({"topic": "org.fedoraproject.prod.bodhi.update.comment", "timestamp": second, "msg": msg});
    let messages = [
        comment("ann", "teapot-2.1-3.fc40", 10),
        malformed(json!({}), 20),
        malformed(json!({"comment": 3}), 30),
        malformed(json!({"agent": null, "comment": null}), 40),
        json!({"topic": "org.example.unknown.topic", "timestamp": 50, "msg": {"agent": "ann"}}),
    ];
    let lines = fold(&catalogue(), &Aliases::default(), &messages, None);
    assert_eq!(lines.len(), messages.len());
    assert!(lines.iter().all(|line| line.msg_ids.len() == 1));
    assert_eq!(fold(&catalogue(), &Aliases::default(), &[], None), []);
}

#[test]
fn stored_messages_fold_like_new_ones_and_address_their_reader() {
    let (catalogue, aliases) = (catalogue(), Aliases::default());
    let messages = [run("kettle", 10), comment("bob", "teapot-2.1-3.fc40", 20), run("teapot", 30)];
    let stored: Vec<_> = messages
        .iter()
        .map(|message| Arc::new(Event::new(&catalogue, &aliases, &envelope(message)).stored(Timestamp::default())))
        .collect();
    let table = [
        ("ann", "You ran the kettle.yml and teapot.yml playbooks 2 times"),
        ("bob", "ann ran the kettle.yml and teapot.yml playbooks 2 times"),
    ];
    for (reader, expected) in table {
        let summary = digest::summary(&catalogue, &aliases, &stored, reader);
        assert_eq!(summary, [expected, "bob commented on bodhi update teapot-2.1-3.fc40 (karma: 1)"]);
    }
    let mut broken = stored[0].as_ref().clone();
    broken.body = "not JSON".to_owned();
    assert_eq!(digest::summary(&catalogue, &aliases, &[Arc::new(broken), stored[2].clone()], "ann").len(), 2);
}
