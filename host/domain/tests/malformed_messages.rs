//! Messages of unexpected shape: every message gives facts and text or is refused, within the limits and without a
//! panic.

#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "helpers of tests may panic like tests")]

use std::sync::{Arc, OnceLock};

use proptest::prelude::*;
use serde_json::{Value, json};
use tidings_domain::acl::AclTable;
use tidings_domain::aliases::Aliases;
use tidings_domain::catalogue::{Catalogue, EMBEDDED};
use tidings_domain::digest::{self, DigestItem};
use tidings_domain::event::Event;
use tidings_domain::limits;
use tidings_domain::message::{Envelope, Frame};
use tidings_domain::rules;
use tidings_domain::ruleset::Ruleset;
use tidings_domain::subscription::{Filter, Rule, Style, Subscription};
use tidings_domain::time::Timestamp;

/// The message of every example of the catalogue.
fn messages() -> Vec<Value> {
    let mut messages = Vec::new();
    for (_, text) in EMBEDDED {
        let file: toml::Table = toml::from_str(text).unwrap();
        let tables = |key: &str| file.get(key).and_then(toml::Value::as_array).cloned().unwrap_or_default();
        messages.extend(tables("example").iter().map(|example| example["message"].clone()));
        let of_groups =
            tables("group").into_iter().map(|group| group["example"]["messages"].as_array().unwrap().clone());
        messages.extend(of_groups.flatten());
    }
    messages.iter().map(|message| serde_json::from_str(message.as_str().unwrap()).unwrap()).collect()
}

struct Fixture {
    ruleset: Ruleset,
    messages: Vec<Value>,
}

/// Subscriptions with every rule of the catalogue, plain and negated.
fn fixture() -> &'static Fixture {
    static FIXTURE: OnceLock<Fixture> = OnceLock::new();
    FIXTURE.get_or_init(|| {
        let catalogue = Arc::new(Catalogue::embedded().unwrap());
        let rule = |info: &tidings_domain::rule_info::RuleInfo, negated| Rule {
            rule: info.name.clone(),
            arguments: info.arguments.iter().map(|a| (a.name.clone(), "teapot".to_owned())).collect(),
            negated,
        };
        let filters = catalogue
            .rules()
            .iter()
            .flat_map(|info| [rule(info, false), rule(info, true)])
            .map(|rule| Filter { name: rule.rule.clone(), oneshot: false, active: true, rules: vec![rule] });
        // One filter each, so that every rule is tested, and not only those before the first that matches.
        let subscriptions = filters.enumerate().map(|(number, filter)| Subscription {
            user: format!("user{number}"),
            channel: "email".to_owned(),
            enabled: true,
            addresses: vec!["x@example.org".to_owned()],
            digest: None,
            style: Style::default(),
            filters: vec![filter],
        });
        let (ruleset, problems) = Ruleset::build(catalogue.clone(), subscriptions.collect());
        assert_eq!(problems, []);
        Fixture { ruleset, messages: messages() }
    })
}

/// Processes a message completely; returns false if it is refused.
fn is_accepted(message: &Value) -> bool {
    let body = message.to_string().into_bytes();
    let Ok(envelope) = Envelope::read(&Frame { topic: None, body }) else { return false };
    let (aliases, ruleset) = (Aliases::default(), &fixture().ruleset);
    let event = Event::new(ruleset.catalogue(), &aliases, &envelope);
    let facts = event.facts();
    for list in [&facts.usernames, &facts.packages, &facts.groups] {
        assert!(list.len() <= limits::FACT_ITEMS);
        assert!(list.iter().all(|item| !item.is_empty() && item.len() <= limits::FACT_BYTES));
        assert!(list.windows(2).all(|pair| pair[0] < pair[1]), "sorted, without duplicates");
    }
    let stored = event.stored(Timestamp::from_millis(0));
    assert!(!stored.title.is_empty() && !stored.subtitle.is_empty());
    for line in [&stored.title, &stored.subtitle] {
        assert!(line.chars().count() <= limits::LINE_CHARS.max(limits::TOPIC_BYTES));
    }
    let item = DigestItem::of_stored(&stored);
    let lines = digest::fold(ruleset.catalogue(), &aliases, &[item.clone(), item], Some("ann"));
    assert_eq!(lines.iter().map(|line| line.msg_ids.len()).sum::<usize>(), 2, "no message is lost or in two lines");
    rules::holding(&event);
    ruleset.matches(&event, &AclTable::default());
    true
}

/// The position of every value of a message, as a JSON pointer.
fn pointers(value: &Value, at: &str, found: &mut Vec<String>) {
    found.push(at.to_owned());
    match value {
        Value::Object(entries) => {
            for (key, value) in entries {
                pointers(value, &format!("{at}/{}", key.replace('~', "~0").replace('/', "~1")), found);
            }
        }
        Value::Array(values) => {
            for (position, value) in values.iter().enumerate() {
                pointers(value, &format!("{at}/{position}"), found);
            }
        }
        _ => {}
    }
}

/// Replacements for a field; none removes it.
fn replacements() -> Vec<Option<Value>> {
    vec![
        None,
        Some(Value::Null),
        Some(json!(-7)),
        Some(json!(1.5e300)),
        Some(json!(true)),
        Some(json!("")),
        Some(json!([])),
        Some(json!(["a", 1, null, {"name": "b"}, ["c"]])),
        Some(json!({"name": {"name": []}})),
        Some(json!("x".repeat(900_000))),
        Some(json!("-@.,é{{ msg }}{% x".repeat(100))),
        Some(json!(vec!["n"; 10_000])),
    ]
}

fn replaced(message: &Value, pointer: &str, replacement: Option<Value>) -> Value {
    let mut message = message.clone();
    match replacement {
        Some(value) => *message.pointer_mut(pointer).unwrap() = value,
        None => {
            let (parent, key) = pointer.rsplit_once('/').unwrap_or(("", ""));
            if let Some(Value::Object(entries)) = message.pointer_mut(parent) {
                entries.remove(&key.replace("~1", "/").replace("~0", "~"));
            }
        }
    }
    message
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "\\PC{0,20}".prop_map(Value::from),
    ];
    let keys = "(agent|update|commit|package|name|user|title|builds|owner|\\PC{0,5})";
    leaf.prop_recursive(4, 40, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::btree_map(keys, inner, 0..6).prop_map(|entries| json!(entries)),
        ]
    })
}

#[test]
fn the_original_messages_are_accepted() {
    assert!(fixture().messages.iter().all(is_accepted));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_message_with_any_field_removed_or_replaced_causes_no_panic(
        message in any::<prop::sample::Index>(),
        pointer in any::<prop::sample::Index>(),
        replacement in prop::sample::select(replacements()),
    ) {
        let message = message.get(&fixture().messages);
        let mut all = Vec::new();
        pointers(message, "", &mut all);
        let pointer: &String = pointer.get(&all);
        is_accepted(&replaced(message, pointer, replacement));
    }

    #[test]
    fn a_known_topic_with_any_payload_causes_no_panic(message in any::<prop::sample::Index>(), payload in any_json()) {
        let topic = &message.get(&fixture().messages)["topic"];
        is_accepted(&json!({"topic": topic, "msg": payload}));
    }
}
