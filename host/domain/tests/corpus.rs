//! Compares catalogue, rules and matching with the results of the old system for real messages. The corpus is a folder
//! beside the repository; without it these tests print a line and pass.

#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "helpers of tests may panic like tests")]

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

/// The text of a file of the corpus; prints a line and returns none if there is no corpus.
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
    Catalogue::embedded().unwrap_or_else(|errors| panic!("{errors:#?}"))
}

/// A message of the corpus as the bus delivers it. It has the id of the line, since the corpus repeats real ids.
fn envelope(line: &Value) -> Envelope {
    let mut body = line["msg"].clone();
    body["msg_id"] = line["id"].clone();
    Envelope::read(&Frame { topic: None, body: body.to_string().into_bytes() }).unwrap()
}

fn aliases() -> Option<Aliases> {
    corpus("aliases.json").map(|text| Aliases::from_json(&text).unwrap())
}

/// The facts and texts of a message under the names of the corpus.
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

/// The least share of correct cases for each key, in percent. The usernames of three messages contradict their recorded
/// recipients, and the recipients count.
const LEAST_PERCENT: [(&str, usize); 9] = [
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

/// Whether a result equals that of the old library. The old library has an empty text for some missing links, and
/// numbers among the objects of some applications; here objects are paths.
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

/// The correct cases and all cases of each key, in total and by application.
#[derive(Default)]
struct Score {
    total: BTreeMap<&'static str, (usize, usize)>,
    by_application: BTreeMap<String, BTreeMap<&'static str, (usize, usize)>>,
}

impl Score {
    fn add(&mut self, application: &str, key: &'static str, correct: bool) {
        let of_application = self.by_application.entry(application.to_owned()).or_default();
        for (number, all) in [self.total.entry(key).or_default(), of_application.entry(key).or_default()] {
            *number += usize::from(correct);
            *all += 1;
        }
    }
}

#[test]
fn facts_and_text_of_real_messages_equal_those_of_the_old_library() {
    let (Some(messages), Some(aliases)) = (corpus("fedmsg.jsonl"), aliases()) else { return };
    let catalogue = catalogue();
    let mut score = Score::default();
    for line in lines(&messages) {
        let envelope = envelope(&line);
        let event = Event::new(&catalogue, &aliases, &envelope);
        let application = event.facts().application.as_deref();
        let application = application.unwrap_or_else(|| panic!("no application has the topic {}", line["topic"]));
        assert_eq!(event.text().problems, [""; 0], "{}", line["id"]);
        let found = found(&event);
        for (key, _) in LEAST_PERCENT {
            let Some(expected) = line["expected"].get(key) else { continue };
            let correct = agree(expected, &found[key]);
            score.add(application, key, correct);
            if !correct {
                println!("{} {key}\n  expected {expected}\n  found    {}", line["id"], found[key]);
            }
        }
    }
    score.by_application.iter().for_each(|(application, of_application)| println!("{application}: {of_application:?}"));
    println!("all: {:?}", score.total);
    for (key, least) in LEAST_PERCENT {
        let (correct, all) = score.total[key];
        assert!(correct * 100 >= all * least, "{key}: {correct} of {all}, below {least} %");
    }
}

#[test]
fn each_rule_of_the_catalogue_holds_for_the_same_messages_as_in_the_old_system() {
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
fn rules_have_the_names_and_titles_of_the_old_system() {
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
fn every_message_has_the_recipients_of_the_old_system() {
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
