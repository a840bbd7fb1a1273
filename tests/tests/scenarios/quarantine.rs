//! Quarantine of a plugin that crashes repeatedly (row 35), and the failure policies for the deliveries of its channel.

use serde_json::json;
use tidings_api_types::ChannelStateInfo;
use tidings_tests::harness::{Harness, LIMIT, rule, subscription};
use tidings_tests::{channel, paths, wait};

use crate::plugin_versions::{each_once, events, next_email, view};

/// Installs the channel `broken`, whose plugin traps in every delivery.
async fn broken(harness: &Harness) {
    let (plugin, nothing) = (paths::plugin("faulty").unwrap(), json!({"reach": []}));
    channel::install(&harness.client, "broken", &plugin, &json!({}), &nothing).await.unwrap();
    harness.wants_everything("amara", "broken", &["amara@example.org"]).await.unwrap();
}

/// Waits until the channel `broken` is quarantined for this number of times; returns the reason.
async fn is_quarantined(harness: &Harness, times: usize) -> String {
    wait::until("the channel is quarantined", LIMIT, async || {
        let view = view(&harness.client, "broken").await;
        let events = events(&harness.client, "broken").await;
        let count_reached = events.iter().filter(|(event, _)| event == "quarantined").count() == times;
        match view.state {
            ChannelStateInfo::Quarantined { reason, .. } if count_reached => Ok(Some(reason)),
            _ => Ok(None),
        }
    })
    .await
    .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plugin_that_crashes_repeatedly_is_quarantined_and_its_queue_is_held_until_an_upgrade() {
    let mut harness = Harness::start().await.unwrap();
    broken(&harness).await;
    harness.publish((0..30).map(|number| format!("package-{number:04}"))).await.unwrap();
    harness.wait_processed(30).await.unwrap();
    let reason = is_quarantined(&harness, 1).await;
    assert!(reason.contains("calls crashed"), "{reason}");
    // After a restart it is still quarantined, and the metrics show that.
    let harness = harness.kill_and_restart().await.unwrap();
    let channel = view(&harness.client, "broken").await;
    assert!(matches!(channel.state, ChannelStateInfo::Quarantined { .. }) && channel.enabled, "{channel:?}");
    let metrics = harness.client.text("/metrics").await.unwrap();
    assert!(metrics.contains("tidings_channel_quarantined{channel=\"broken\"} 1"), "{metrics}");
    let books = harness.books("broken").await.unwrap();
    assert_eq!((books.accepted, books.pending, books.dead), (30, 30, 0), "{books:?}");
    // If it is released without an upgrade, it is quarantined again. With a working version the held deliveries are sent.
    harness.client.post("/api/v1/channels/broken/release", "").await.unwrap();
    is_quarantined(&harness, 2).await;
    let good = harness.client.install(next_email("good")).await.unwrap().digest;
    harness.client.put("/api/v1/channels/broken/grants", &channel::loopback(harness.sink.smtp)).await.unwrap();
    let config = channel::email_config(harness.sink.smtp);
    let body = json!({"component": good, "config": config, "unproven": true}).to_string();
    harness.client.post("/api/v1/channels/broken/upgrade", body).await.unwrap();
    let books = harness.queue_empty("broken").await.unwrap();
    assert_eq!((books.delivered, books.dead), (30, 0), "{books:?}");
    each_once(&harness, 30);
}

#[tokio::test(flavor = "multi_thread")]
async fn held_deliveries_of_a_quarantined_channel_follow_its_failure_policy() {
    let mut harness = Harness::start().await.unwrap();
    broken(&harness).await;
    // A filter that never matches: the subscription only gives the other channel an address.
    let never = rule("package_filter", Some(("package", "no-such-package")));
    let by_mail = subscription("amara", "email", &["amara@example.org"], never);
    channel::subscribe(&harness.client, &by_mail).await.unwrap();
    harness.wants_everything("lena", "broken", &["lena@example.org"]).await.unwrap();
    let policy = json!({"policy": "fall_back", "channel": "email", "after_seconds": 3600});
    harness.client.put("/api/v1/channels/broken/policy", &policy).await.unwrap();
    harness.publish((0..12).map(|number| format!("package-{number:04}"))).await.unwrap();
    harness.wait_processed(12).await.unwrap();
    is_quarantined(&harness, 1).await;
    // The deliveries for amara are sent by mail, each once. Those for lena, who has no mail address, are held.
    wait::until("the mails for amara", LIMIT, async || Ok((harness.sink.mails.count() >= 12).then_some(())))
        .await
        .unwrap();
    harness.queue_empty("email").await.unwrap();
    each_once(&harness, 12);
    let books = harness.books("broken").await.unwrap();
    assert_eq!((books.accepted, books.cancelled, books.pending), (24, 12, 12), "{books:?}");
    let drop = json!({"policy": "drop_after", "after_seconds": 1});
    harness.client.put("/api/v1/channels/broken/policy", &drop).await.unwrap();
    let books = harness.queue_empty("broken").await.unwrap();
    assert!(books.balance() && books.dead == 12, "{books:?}");
    let rows = harness.deliveries("broken").await.unwrap();
    let dropped = rows
        .iter()
        .filter(|row| row.note.as_deref().unwrap_or_default().starts_with("dropped by the failure policy"))
        .count();
    assert_eq!(dropped, 12, "{rows:?}");
}
