//! Real and invalid messages: each is counted once, the counts of deliveries balance, and the daemon keeps running.

use std::collections::{BTreeMap, BTreeSet};
use tidings_domain::rule_info::RuleInfo;

use serde_json::{Value, json};
use tidings_api_types::MessageCounts;
use tidings_tests::channel;
use tidings_tests::harness::{Harness, about};
use tidings_tests::paths;
use tidings_tests::samples::{self, SampleMessage};
use tidings_tests::settings::{AclSection, CatalogueSection};

#[tokio::test(flavor = "multi_thread")]
async fn every_message_of_the_corpus_is_counted_and_the_books_balance() {
    let files = ["fedmsg.jsonl", "population.jsonl", "population-acls.json", "aliases.json"].map(paths::corpus);
    let [Some(messages), Some(population), Some(acls), Some(aliases)] = files else {
        println!("skipped: this checkout has no corpus beside it");
        return;
    };
    let mut harness = Harness::start_with(|settings| {
        settings.dispatch.batch = 50;
        settings.acl = Some(AclSection::file(acls));
        settings.catalogue = Some(CatalogueSection { aliases });
    })
    .await
    .unwrap();
    let rules: Vec<RuleInfo> = harness.client.list("/api/v1/rules").await.unwrap();
    let known: BTreeSet<&str> = rules.iter().map(|rule| rule.name.as_str()).collect();
    for subscription in samples::json_lines::<Value>(&population).unwrap() {
        if subscription["channel"] == "email" {
            let subscription = acceptable(subscription, &known);
            channel::subscribe(&harness.client, &subscription).await.unwrap();
        }
    }
    let messages: Vec<SampleMessage> = samples::json_lines(&messages).unwrap();
    for message in &messages {
        harness.publisher.send_as(message, &message.id).await.unwrap();
    }
    let count = messages.len() as u64;
    harness.wait_processed(count).await.unwrap();
    let counts = harness.client.status().await.unwrap().messages;
    assert_eq!((counts.received, counts.settled()), (count, count), "{counts:?}");
    assert_eq!((counts.duplicate, counts.conflict, counts.poison), (0, 0, 0), "{counts:?}");
    assert!(counts.matched > 0 && counts.unmatched > 0, "{counts:?}");

    // The same messages with the same ids: nothing is sent twice. Time and counter differ, and so do the bodies.
    for message in &messages {
        harness.publisher.send_as(message, &message.id).await.unwrap();
    }
    harness.wait_processed(2 * count).await.unwrap();
    let second = harness.client.status().await.unwrap().messages;
    let repeated = second.duplicate + second.conflict + second.refused.values().sum::<u64>();
    assert_eq!(repeated, count + counts.refused.values().sum::<u64>(), "{second:?}");
    let books = harness.queue_empty("email").await.unwrap();
    assert!(books.balance() && books.accepted == books.delivered, "{books:?}");
    assert_eq!(books.delivered, harness.sink.mails.count());
    println!("{count} messages, {} deliveries: {counts:?}", books.delivered);
}

/// Removes what the daemon would refuse: invalid addresses, and rules of applications that are not in the catalogue. A filter
/// with such a rule never matches; if the rule is negated, the filter is the same without it.
fn acceptable(mut subscription: Value, known: &BTreeSet<&str>) -> Value {
    let is_address = |address: &Value| address.as_str().is_some_and(|text| text.matches('@').count() == 1);
    subscription["addresses"].as_array_mut().unwrap().retain(is_address);
    let is_known = |rule: &Value| rule["rule"].as_str().is_some_and(|name| known.contains(name));
    let filters = subscription["filters"].as_array_mut().unwrap();
    for filter in filters.iter_mut() {
        filter["rules"].as_array_mut().unwrap().retain(|rule| is_known(rule) || rule["negated"] == false);
    }
    filters.retain(|filter| filter["rules"].as_array().unwrap().iter().all(is_known));
    subscription
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invalid_message_is_refused_with_its_reason_and_the_next_message_is_delivered() {
    let mut harness = Harness::start().await.unwrap();
    harness.wants_everything("amara", "email", &["amara@example.org"]).await.unwrap();
    let topic = "org.fedoraproject.dev.git.branch";
    let body = |value: Value| value.to_string().into_bytes();
    let valid = body(json!({"topic": topic, "msg": {}}));
    let deep = format!("{{\"topic\":\"{topic}\",\"msg\":{}{}}}", "[".repeat(1000), "]".repeat(1000));
    let large = body(json!({"topic": topic, "msg": "x".repeat(2 * 1024 * 1024)}));
    let (long_topic, bad_id) = ("x".repeat(5000), body(json!({"topic": topic, "msg_id": 7})));
    let table: [(&[&[u8]], &str); 9] = [
        (&[topic.as_bytes()], "wrong_parts"),
        (&[topic.as_bytes(), &valid, b"more"], "wrong_parts"),
        (&[topic.as_bytes(), &large], "too_large"),
        (&[topic.as_bytes(), deep.as_bytes()], "too_deep"),
        (&[topic.as_bytes(), b"\xff\xfe{}"], "not_json"),
        (&[topic.as_bytes(), b"[1, 2]"], "no_topic"),
        (&[b"org.fedoraproject.dev.git.receive", &valid], "topic_mismatch"),
        (&[long_topic.as_bytes(), &valid], "bad_topic"),
        (&[topic.as_bytes(), &bad_id], "bad_id"),
    ];
    let mut expected: BTreeMap<&str, u64> = BTreeMap::new();
    for (parts, reason) in table {
        harness.publisher.send_parts(parts).await.unwrap();
        *expected.entry(reason).or_default() += 1;
    }
    harness.publisher.send(&about("lanternd")).await.unwrap();
    harness.wait_processed(10).await.unwrap();
    harness.queue_empty("email").await.unwrap();
    let MessageCounts { received, matched, refused, .. } = harness.client.status().await.unwrap().messages;
    let refused: BTreeMap<&str, u64> = refused.iter().map(|(reason, count)| (reason.as_str(), *count)).collect();
    assert_eq!((received, matched, refused), (10, 1, expected));
    assert_eq!(harness.sink.mails.count(), 1);
}
