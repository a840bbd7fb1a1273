//! Secrets of a channel: they are removed from all texts of its plugin.

use serde_json::json;
use tidings_tests::harness::{Harness, LIMIT, rule, subscription};
use tidings_tests::{channel, paths, wait};

const CANARY: &str = "canary-5e1f07-Zx";

#[tokio::test(flavor = "multi_thread")]
async fn a_password_that_a_plugin_logs_or_returns_is_replaced_in_every_text() {
    let mut harness = Harness::start().await.unwrap();
    let plugin = paths::plugin("hostile").unwrap();
    let config = json!({"password": CANARY});
    channel::install(&harness.client, "teller", &plugin, &config, &json!({"reach": []})).await.unwrap();
    let rule = rule("regex_filter", Some(("pattern", ".")));
    channel::subscribe(&harness.client, &subscription("amara", "teller", &["tell@example.org"], rule)).await.unwrap();
    harness.publish(["anything".to_owned()]).await.unwrap();
    wait::until("the delivery is dead", LIMIT, async || Ok((harness.books("teller").await?.dead == 1).then_some(())))
        .await
        .unwrap();

    let notes = json!(harness.deliveries("teller").await.unwrap()).to_string();
    let tail = json!(harness.client.channel_log("teller").await.unwrap()).to_string();
    let log = std::fs::read_to_string(harness.home.log()).unwrap();
    let test = harness.client.post("/api/v1/channels/teller/test-send", r#"{"address": "tell@example.org"}"#).await;
    let test = String::from_utf8_lossy(&test.unwrap()).into_owned();
    // The texts are there, with the password replaced.
    for (source, text) in [("notes", &notes), ("tail", &tail), ("log", &log), ("test", &test)] {
        assert!(text.contains("535 the password [secret] is wrong"), "{source}: {text}");
    }
    let metrics = harness.client.text("/metrics").await.unwrap();
    let view = harness.client.text("/api/v1/channels/teller").await.unwrap();
    let events = harness.client.text("/api/v1/channels/teller/events").await.unwrap();
    for text in [notes, tail, log, test, metrics, view, events] {
        assert!(!text.contains(CANARY), "{text}");
    }
}
