//! Event streams as a browser reads them: stored events, live events, a restart of the daemon, and access control.

use std::time::Duration;
use tidings_api_types::StreamInfo;

use serde_json::{Value, json};
use tidings_tests::channel;
use tidings_tests::events::StreamEvents;
use tidings_tests::harness::{Harness, LIMIT, rule, subscription};
use tidings_tests::paths;

async fn browser() -> Harness {
    let harness = Harness::start().await.unwrap();
    let file = paths::plugin("browser").unwrap();
    channel::install(&harness.client, "browser", &file, &json!({}), &json!({"as_asked": true})).await.unwrap();
    harness
}

/// The path of the stream of a user.
async fn path(harness: &Harness, user: &str) -> String {
    let path = format!("/api/v1/subscriptions/{user}/browser/streams");
    let mut links: Vec<StreamInfo> = harness.client.list(&path).await.unwrap();
    assert_eq!(links.len(), 1);
    assert_eq!(links[0].address, *user);
    links.remove(0).path
}

async fn follow(harness: &Harness, path: &str, last: Option<u64>) -> StreamEvents {
    StreamEvents::follow(harness.client.address(), &format!("{path}/events"), last).await.unwrap()
}

/// Waits for the next entries; returns their titles and the id of the last.
async fn next(events: &mut StreamEvents, count: usize) -> (Vec<String>, u64) {
    let (mut titles, mut last) = (Vec::new(), 0);
    while titles.len() < count {
        let event = events.next(LIMIT).await.unwrap().expect("the stream continues");
        let entry: Value = serde_json::from_str(&event.data).unwrap();
        titles.push(entry["title"].as_str().unwrap().to_owned());
        last = event.id;
    }
    (titles, last)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_has_stored_and_live_events_and_continues_at_its_last_event_after_a_restart() {
    let mut harness = browser().await;
    harness.wants_everything("amara", "browser", &["amara"]).await.unwrap();
    harness.publish(["lantern0".to_owned(), "lantern1".to_owned()]).await.unwrap();
    harness.wait_processed(2).await.unwrap();
    harness.queue_empty("browser").await.unwrap();
    let stream = path(&harness, "amara").await;
    let mut events = follow(&harness, &stream, None).await;
    let (titles, _) = next(&mut events, 2).await;
    assert!(titles[0].contains("lantern0") && titles[1].contains("lantern1"), "{titles:?}");
    harness.publish(["lantern2".to_owned()]).await.unwrap();
    let (titles, seen) = next(&mut events, 1).await;
    assert!(titles[0].contains("lantern2"), "live: {titles:?}");

    harness.publish(["lantern3".to_owned()]).await.unwrap();
    harness.wait_processed(4).await.unwrap();
    harness.queue_empty("browser").await.unwrap();
    let mut harness = harness.kill_and_restart().await.unwrap();
    harness.daemon.subscribed(LIMIT).await.unwrap();
    let mut events = follow(&harness, &stream, Some(seen)).await;
    harness.publish(["lantern4".to_owned()]).await.unwrap();
    let (titles, _) = next(&mut events, 2).await;
    assert!(titles[0].contains("lantern3") && titles[1].contains("lantern4"), "each once: {titles:?}");
    let books = harness.queue_empty("browser").await.unwrap();
    assert_eq!((books.accepted, books.delivered), (5, 5));
    // An open stream does not delay the end of the daemon.
    let began = std::time::Instant::now();
    let Harness { daemon, .. } = harness;
    assert!(daemon.terminate().await.unwrap().success());
    assert!(began.elapsed() < Duration::from_secs(30));
    assert!(events.next(LIMIT).await.unwrap().is_none(), "the stream ends with the daemon");
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_link_of_a_user_opens_the_stream_until_the_address_is_removed() {
    let harness = browser().await;
    let rule = rule("regex_filter", Some(("pattern", ".")));
    let others = subscription("mallory", "browser", &["amara"], rule);
    let refused = channel::subscribe(&harness.client, &others).await.expect_err("the name of another user");
    assert!(format!("{refused:#}").contains("the name of the account, `mallory`"), "{refused:#}");
    harness.wants_everything("amara", "browser", &["amara"]).await.unwrap();
    let stream = path(&harness, "amara").await;
    let page = harness.client.text(&stream).await.unwrap();
    assert!(page.contains("/stream.js"), "{page}");
    let forged = format!("{}A", &stream[..stream.len() - 1]);
    for wrong in [forged.as_str(), "/stream/AAAA"] {
        assert!(
            StreamEvents::follow(harness.client.address(), &format!("{wrong}/events"), None).await.is_err(),
            "{wrong}"
        );
    }
    let gone = json!({"enabled": true, "addresses": []});
    harness.client.put("/api/v1/subscriptions/amara/browser", &gone).await.unwrap();
    assert!(
        StreamEvents::follow(harness.client.address(), &format!("{stream}/events"), None).await.is_err(),
        "the address is removed"
    );
    let other = harness.client.list::<StreamInfo>("/api/v1/subscriptions/amara/email/streams").await;
    assert!(format!("{:#}", other.expect_err("the channel email has no streams")).contains("writes no event streams"));
}
