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
use tidings_domain::facts::Event;
use tidings_domain::message::{Envelope, Frame};
use tidings_domain::rules;
use tidings_domain::ruleset::Ruleset;
use tidings_domain::subscription::Subscription;

const APPLICATIONS: [&str; 6] = ["bodhi", "buildsys", "fas", "fmn", "git", "pkgdb"];

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

/// The floor for each key, in percent of the cases that assert it.
const FLOORS: [(&str, usize); 9] = [
    ("usernames", 100),
    ("packages", 100),
    ("title", 100),
    ("subtitle", 100),
    ("link", 100),
    ("icon", 100),
    ("secondary_icon", 100),
    ("objects", 100),
    ("long_form", 97),
];

#[test]
fn facts_and_text_of_real_messages_are_those_of_the_old_library() {
    let (Some(messages), Some(aliases)) = (corpus("fedmsg.jsonl"), aliases()) else { return };
    let catalogue = catalogue();
    let mut score: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
    for line in lines(&messages) {
        let envelope = envelope(&line);
        let event = Event::new(&catalogue, &aliases, &envelope);
        if !event.facts().application.as_deref().is_some_and(|name| APPLICATIONS.contains(&name)) {
            continue;
        }
        let found = found(&event);
        for (key, _) in FLOORS {
            let Some(expected) = line["expected"].get(key) else { continue };
            let (right, all) = score.entry(key).or_default();
            *all += 1;
            // The old library says "no link" with an empty text here and there.
            if found[key] == *expected || (found[key].is_null() && *expected == json!("")) {
                *right += 1;
            } else {
                println!(
                    "{} {key}\n  expected {expected}\n  found    {}\n  {:?}",
                    line["id"],
                    found[key],
                    event.text().problems
                );
            }
        }
    }
    println!("{score:#?}");
    for (key, floor) in FLOORS {
        let (right, all) = score[key];
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
    let known: BTreeSet<&str> = catalogue.rules().iter().map(|rule| rule.name.as_str()).collect();
    let mut wrong = Vec::new();
    for (line, truth) in lines(&messages).iter().zip(lines(&truth)) {
        assert_eq!(line["id"], truth["id"]);
        let expected: Vec<&str> = truth["true"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
        let expected: Vec<&str> = expected.into_iter().filter(|name| known.contains(name)).collect();
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
    let modules = ["generic", "bodhi", "buildsys", "fas", "fmn_notifications", "git", "pkgdb"];
    let mut expected: Vec<Value> = lines(&rules);
    expected.retain(|rule| modules.contains(&rule["module"].as_str().unwrap()));
    let describe = |rule: &rules::RuleInfo| {
        let arguments: Vec<&str> = rule.arguments.iter().map(|argument| argument.name.as_str()).collect();
        json!([rule.name, rule.title, arguments])
    };
    let found: Vec<Value> = catalogue.rules().iter().map(describe).collect();
    let expected: Vec<Value> = expected.iter().map(|rule| json!([rule["name"], rule["title"], rule["args"]])).collect();
    assert_eq!(found, expected);
}

/// The part of the population that uses only rules of this catalogue: of each subscription, the filters before the first
/// one that needs another, and from there on none.
fn subscriptions(text: &str, catalogue: &Catalogue) -> (Vec<Subscription>, BTreeSet<(String, String)>) {
    let mut all: Vec<Subscription> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let mut whole = BTreeSet::new();
    for subscription in &mut all {
        let known = |filter: &tidings_domain::subscription::Filter| {
            filter.rules.iter().all(|rule| catalogue.rule(&rule.rule).is_some())
        };
        let kept = subscription.filters.iter().take_while(|filter| known(filter)).count();
        if kept == subscription.filters.len() {
            whole.insert((subscription.user.clone(), subscription.channel.clone()));
        }
        subscription.filters.truncate(kept);
    }
    (all, whole)
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
    let (subscriptions, whole) = subscriptions(&population, &catalogue);
    let kept: BTreeSet<(String, String, String)> = subscriptions
        .iter()
        .flat_map(|s| s.filters.iter().map(|f| (s.user.clone(), s.channel.clone(), f.name.clone())))
        .collect();
    let (ruleset, problems) = Ruleset::build(catalogue.clone(), subscriptions);
    assert_eq!(problems, []);
    let mut wrong = Vec::new();
    let (mut rows, mut all) = (0, 0);
    for (line, recipients) in lines(&messages).iter().zip(lines(&recipients)) {
        assert_eq!(line["id"], recipients["id"]);
        let envelope = envelope(line);
        let event = Event::new(&catalogue, &aliases, &envelope);
        if event.facts().application.is_none() {
            // Facts of other applications are not in this catalogue yet.
            continue;
        }
        let row = |r: &Value| [0, 1, 2, 3].map(|i| r[i].as_str().unwrap().to_owned());
        let expected: Vec<[String; 4]> = recipients["recipients"].as_array().unwrap().iter().map(row).collect();
        all += expected.len();
        let relevant = |[user, channel, _, filter]: &[String; 4]| {
            whole.contains(&(user.clone(), channel.clone()))
                || kept.contains(&(user.clone(), channel.clone(), filter.clone()))
        };
        let expected: BTreeSet<_> = expected.into_iter().filter(relevant).collect();
        let found = ruleset.matches(&event, &acl).into_iter().map(|r| [r.user, r.channel, r.address, r.filter]);
        let found: BTreeSet<_> = found.collect();
        rows += expected.len();
        if found != expected {
            let missing: Vec<_> = expected.difference(&found).collect();
            let extra: Vec<_> = found.difference(&expected).collect();
            wrong.push(format!("{}: missing {missing:?}, extra {extra:?}", line["id"]));
        }
    }
    println!("{rows} rows of {all} compared, {} subscriptions whole", whole.len());
    assert!(wrong.is_empty(), "{wrong:#?}");
}
