//! Compares messages of the present bus (fedora-messaging) with the results of the Python packages that define their
//! schemas. The corpus is a folder beside the repository; without it this test prints a line and passes.

#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "helpers of tests may panic like tests")]

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde_json::{Value, json};
use tidings_domain::aliases::Aliases;
use tidings_domain::catalogue::Catalogue;
use tidings_domain::event::Event;
use tidings_domain::message::{Envelope, Frame};

/// The least share of correct cases for each attribute, in percent.
const LEAST_PERCENT: [(&str, usize); 13] = [
    ("usernames", 100),
    ("packages", 100),
    ("containers", 100),
    ("modules", 100),
    ("flatpaks", 100),
    ("groups", 100),
    ("agent_name", 100),
    ("app_name", 100),
    ("summary", 100),
    ("str", 100),
    ("url", 100),
    ("app_icon", 100),
    ("agent_avatar", 100),
];

/// The facts and texts of a message under the attribute names of the packages.
fn found(event: &Event<'_>) -> Value {
    let (facts, text) = (event.facts(), event.text());
    json!({
        "usernames": facts.usernames,
        "packages": facts.packages,
        "containers": facts.containers,
        "modules": facts.modules,
        "flatpaks": facts.flatpaks,
        "groups": facts.groups,
        "agent_name": facts.agent,
        "app_name": facts.application,
        "summary": text.subtitle,
        "str": text.long_form,
        "url": text.link,
        "app_icon": text.icon,
        "agent_avatar": text.secondary_icon,
    })
}

#[test]
fn facts_and_text_equal_those_of_the_schema_packages() {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/corpus/fedora-messaging.jsonl");
    let Ok(messages) = std::fs::read_to_string(&path) else {
        return println!("skipped: no corpus at {}", path.display());
    };
    let catalogue = Catalogue::embedded().unwrap_or_else(|errors| panic!("{errors:#?}"));
    let aliases = Aliases::default();
    // By package and attribute: the correct cases, and all.
    let mut table: BTreeMap<(String, &str), (usize, usize)> = BTreeMap::new();
    for line in messages.lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        let frame = Frame { topic: None, body: line["msg"].to_string().into_bytes() };
        let envelope = Envelope::read(&frame).unwrap();
        let event = Event::new(&catalogue, &aliases, &envelope);
        let found = found(&event);
        for (key, _) in LEAST_PERCENT {
            let Some(expected) = line["expected"].get(key) else { continue };
            let package = line["source"].as_str().unwrap().to_owned();
            let (correct, all) = table.entry((package, key)).or_default();
            *all += 1;
            if found[key] == *expected {
                *correct += 1;
            } else {
                let problems = &event.text().problems;
                println!("{} {key}\n  expected {expected}\n  found    {}\n  {problems:?}", line["id"], found[key]);
            }
        }
    }
    for ((package, key), (correct, all)) in &table {
        println!("{package:40} {key:13} {correct:3} of {all:3}");
    }
    for (key, least) in LEAST_PERCENT {
        let cases = table.iter().filter(|((_, of), _)| *of == key).map(|(_, counts)| counts);
        let (correct, all) = cases.fold((0, 0), |sum, counts| (sum.0 + counts.0, sum.1 + counts.1));
        println!("{key:13} {correct:3} of {all:3}");
        assert!(all > 0 && correct * 100 >= all * least, "{key}: {correct} of {all}, below {least} %");
    }
}
