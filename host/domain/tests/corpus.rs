//! The catalogue, the rules and the matching against real messages and what the old system made of them. The corpus lies
//! beside the repository; without it these tests say so and pass.

#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "what tests share may fail as they do")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

use serde_json::{Value, json};
use tidings_domain::acl::AclTable;
use tidings_domain::aliases::Aliases;
use tidings_domain::catalogue::Catalogue;
use tidings_domain::event::Event;
use tidings_domain::message::{Envelope, Frame};
use tidings_domain::rules;
use tidings_domain::ruleset::Ruleset;
use tidings_domain::subscription::Subscription;

/// The text of a file of the corpus; none, with a line that says so, where there is no corpus.
fn corpus(file: &str) -> Option<String> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/corpus").join(file);
    let text = std::fs::read_to_string(&path).ok();
    if text.is_none() {
        println!("skipped: no corpus at {}", path.display());
    }
    text
}

fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn catalogue() -> Catalogue {
    Catalogue::embedded().unwrap_or_else(|mistakes| panic!("{mistakes:#?}"))
}

/// A message of the corpus as it comes from the bus. Its id is the line's, as the corpus repeats real ones.
fn envelope(line: &Value) -> Envelope {
    let mut body = line["msg"].clone();
    body["msg_id"] = line["id"].clone();
    Envelope::read(&Frame { topic: None, body: body.to_string().into_bytes() }).unwrap()
}

fn aliases() -> Option<Aliases> {
    corpus("aliases.json").map(|text| Aliases::from_json(&text).unwrap())
}

/// What comes out of a message under the corpus's names.
fn found(event: &Event<'_>) -> Value {
    let (facts, text) = (event.facts(), event.text());
    json!({
        "usernames": facts.usernames,
        "packages": facts.packages,
        "title": text.title,
        "subtitle": text.subtitle,
        "link": text.link,
        "icon": text.icon,
        "secondary_icon": text.secondary_icon,
        "objects": text.objects,
        "long_form": text.long_form,
    })
}

/// The floor for each key, in percent of the cases that assert it. The usernames of three messages contradict who was told of
/// them, and the latter counts.
const FLOORS: [(&str, usize); 9] = [
    ("usernames", 99),
    ("packages", 99),
    ("title", 100),
    ("subtitle", 97),
    ("link", 97),
    ("icon", 97),
    ("secondary_icon", 97),
    ("objects", 97),
    ("long_form", 97),
];

/// Whether what was found is what the old library gave. It says "no link" with an empty text here and there, and has numbers
/// among the objects of some applications, which are paths.
fn agree(expected: &Value, found: &Value) -> bool {
    match (expected, found) {
        (Value::String(text), Value::Null) => text.is_empty(),
        (Value::Array(expected), Value::Array(found)) => {
            expected.len() == found.len() && expected.iter().zip(found).all(|(one, other)| agree(one, other))
        }
        (Value::Number(number), Value::String(text)) => number.to_string() == *text,
        _ => expected == found,
    }
}

/// Right and all cases of each key, in total and by application.
#[derive(Default)]
struct Score {
    total: BTreeMap<&'static str, (usize, usize)>,
    by_application: BTreeMap<String, BTreeMap<&'static str, (usize, usize)>>,
}

impl Score {
    fn add(&mut self, application: &str, key: &'static str, right: bool) {
        let own = self.by_application.entry(application.to_owned()).or_default();
        for (number, all) in [self.total.entry(key).or_default(), own.entry(key).or_default()] {
            *number += usize::from(right);
            *all += 1;
        }
    }
}

#[test]
fn facts_and_text_of_real_messages_are_those_of_the_old_library() {
    let (Some(messages), Some(aliases)) = (corpus("fedmsg.jsonl"), aliases()) else { return };
    let catalogue = catalogue();
    let mut score = Score::default();
    for line in lines(&messages) {
        let envelope = envelope(&line);
        let event = Event::new(&catalogue, &aliases, &envelope);
        let application = event.facts().application.as_deref();
        let application = application.unwrap_or_else(|| panic!("no application claims {}", line["topic"]));
        assert_eq!(event.text().problems, [""; 0], "{}", line["id"]);
        let found = found(&event);
        for (key, _) in FLOORS {
            let Some(expected) = line["expected"].get(key) else { continue };
            let right = agree(expected, &found[key]);
            score.add(application, key, right);
            if !right {
                println!("{} {key}\n  expected {expected}\n  found    {}", line["id"], found[key]);
            }
        }
    }
    score.by_application.iter().for_each(|(application, own)| println!("{application}: {own:?}"));
    println!("all: {:?}", score.total);
    for (key, floor) in FLOORS {
        let (right, all) = score.total[key];
        assert!(right * 100 >= all * floor, "{key}: {right} of {all}, under {floor} %");
    }
}

#[test]
fn the_rules_of_the_catalogue_hold_for_exactly_the_messages_they_held_for() {
    let (Some(messages), Some(truth), Some(aliases)) = (corpus("fedmsg.jsonl"), corpus("rules-truth.jsonl"), aliases())
    else {
        return;
    };
    let catalogue = catalogue();
    let mut wrong = Vec::new();
    for (line, truth) in lines(&messages).iter().zip(lines(&truth)) {
        assert_eq!(line["id"], truth["id"]);
        let expected: Vec<&str> = truth["true"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
        let envelope = envelope(line);
        let holding = rules::holding(&Event::new(&catalogue, &aliases, &envelope));
        if holding != expected {
            wrong.push(format!("{}: expected {expected:?}, found {holding:?}", line["id"]));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn the_rules_are_named_and_described_as_they_were() {
    let Some(rules) = corpus("rules.jsonl") else { return };
    let catalogue = catalogue();
    let describe = |rule: &tidings_domain::rule_info::RuleInfo| {
        let arguments: Vec<&str> = rule.arguments.iter().map(|argument| argument.name.as_str()).collect();
        json!([rule.name, rule.title, arguments])
    };
    let found: Vec<Value> = catalogue.rules().iter().map(describe).collect();
    let expected: Vec<Value> =
        lines(&rules).iter().map(|rule| json!([rule["name"], rule["title"], rule["args"]])).collect();
    assert_eq!(found, expected);
}

#[test]
fn exactly_those_are_told_who_were_told() {
    let (Some(messages), Some(population), Some(acls), Some(recipients), Some(aliases)) = (
        corpus("fedmsg.jsonl"),
        corpus("population.jsonl"),
        corpus("population-acls.json"),
        corpus("population-recipients.jsonl"),
        aliases(),
    ) else {
        return;
    };
    let catalogue = Arc::new(catalogue());
    let acl = AclTable::from_json(&acls).unwrap();
    let subscriptions: Vec<Subscription> = population.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let (ruleset, problems) = Ruleset::build(catalogue.clone(), subscriptions);
    assert_eq!(problems, []);
    let mut wrong = Vec::new();
    for (line, recipients) in lines(&messages).iter().zip(lines(&recipients)) {
        assert_eq!(line["id"], recipients["id"]);
        let envelope = envelope(line);
        let event = Event::new(&catalogue, &aliases, &envelope);
        let row = |r: &Value| [0, 1, 2, 3].map(|i| r[i].as_str().unwrap().to_owned());
        let expected: BTreeSet<[String; 4]> = recipients["recipients"].as_array().unwrap().iter().map(row).collect();
        let found = ruleset.matches(&event, &acl).into_iter().map(|r| [r.user, r.channel, r.address, r.filter]);
        let found: BTreeSet<[String; 4]> = found.collect();
        if found != expected {
            let missing: Vec<_> = expected.difference(&found).collect();
            let extra: Vec<_> = found.difference(&expected).collect();
            wrong.push(format!("{}: missing {missing:?}, extra {extra:?}", line["id"]));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
