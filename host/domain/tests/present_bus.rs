//! Messages of the present bus (fedora-messaging) against what the packages that describe them make of them. The corpus
//! lies beside the repository; without it this test says so and passes.

#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "what tests share may fail as they do")]

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde_json::{Value, json};
use tidings_domain::aliases::Aliases;
use tidings_domain::catalogue::Catalogue;
use tidings_domain::event::Event;
use tidings_domain::message::{Envelope, Frame};

/// The floor for each of the packages' names, in percent of the cases that assert it.
const FLOORS: [(&str, usize); 13] = [
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

/// What comes out of a message under the packages' names.
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
fn facts_and_text_are_those_of_the_schema_packages() {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/corpus/fedora-messaging.jsonl");
    let Ok(messages) = std::fs::read_to_string(&path) else {
        return println!("skipped: no corpus at {}", path.display());
    };
    let catalogue = Catalogue::embedded().unwrap_or_else(|mistakes| panic!("{mistakes:#?}"));
    let aliases = Aliases::default();
    // By package and name: how many are right, of how many.
    let mut table: BTreeMap<(String, &str), (usize, usize)> = BTreeMap::new();
    for line in messages.lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        let frame = Frame { topic: None, body: line["msg"].to_string().into_bytes() };
        let envelope = Envelope::read(&frame).unwrap();
        let event = Event::new(&catalogue, &aliases, &envelope);
        let found = found(&event);
        for (key, _) in FLOORS {
            let Some(expected) = line["expected"].get(key) else { continue };
            let package = line["source"].as_str().unwrap().to_owned();
            let (right, all) = table.entry((package, key)).or_default();
            *all += 1;
            if found[key] == *expected {
                *right += 1;
            } else {
                let problems = &event.text().problems;
                println!("{} {key}\n  expected {expected}\n  found    {}\n  {problems:?}", line["id"], found[key]);
            }
        }
    }
    for ((package, key), (right, all)) in &table {
        println!("{package:40} {key:13} {right:3} of {all:3}");
    }
    for (key, floor) in FLOORS {
        let cases = table.iter().filter(|((_, of), _)| *of == key).map(|(_, counts)| counts);
        let (right, all) = cases.fold((0, 0), |sum, counts| (sum.0 + counts.0, sum.1 + counts.1));
        println!("{key:13} {right:3} of {all:3}");
        assert!(all > 0 && right * 100 >= all * floor, "{key}: {right} of {all}, under {floor} %");
    }
}
