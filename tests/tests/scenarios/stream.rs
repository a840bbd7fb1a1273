//! Event streams, as a browser follows them: caught up, live, over a restart, and not for others.

use std::time::Duration;
use tidings_api_types::StreamInfo;

use serde_json::{Value, json};
use tidings_tests::channel;
use tidings_tests::events::StreamEvents;
use tidings_tests::paths;
use tidings_tests::scene::{LIMIT, Scene, rule, subscription};

async fn browser() -> Scene {
    let scene = Scene::set().await.unwrap();
    let file = paths::plugin("browser").unwrap();
    channel::install(&scene.client, "browser", &file, &json!({}), &json!({"as_asked": true})).await.unwrap();
    scene
}

/// Where the user's stream is.
async fn path(scene: &Scene, user: &str) -> String {
    let path = format!("/api/v1/subscriptions/{user}/browser/streams");
    let mut links: Vec<StreamInfo> = scene.client.list(&path).await.unwrap();
    assert_eq!(links.len(), 1);
    assert_eq!(links[0].address, *user);
    links.remove(0).path
}

async fn follow(scene: &Scene, path: &str, last: Option<u64>) -> StreamEvents {
    StreamEvents::follow(scene.client.address(), &format!("{path}/events"), last).await.unwrap()
}

/// The titles of the next entries, and the id of the last.
async fn next(events: &mut StreamEvents, count: usize) -> (Vec<String>, u64) {
    let (mut titles, mut last) = (Vec::new(), 0);
    while titles.len() < count {
        let event = events.next(LIMIT).await.unwrap().expect("the stream goes on");
        let entry: Value = serde_json::from_str(&event.data).unwrap();
        titles.push(entry["title"].as_str().unwrap().to_owned());
        last = event.id;
    }
    (titles, last)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_browser_is_caught_up_and_then_live_and_goes_on_after_a_restart_where_it_was() {
    let mut scene = browser().await;
    scene.wants_everything("amara", "browser", &["amara"]).await.unwrap();
    scene.publish(["lantern0".to_owned(), "lantern1".to_owned()]).await.unwrap();
    scene.dealt_with(2).await.unwrap();
    scene.queue_empty("browser").await.unwrap();
    let stream = path(&scene, "amara").await;
    let mut events = follow(&scene, &stream, None).await;
    let (titles, _) = next(&mut events, 2).await;
    assert!(titles[0].contains("lantern0") && titles[1].contains("lantern1"), "{titles:?}");
    scene.publish(["lantern2".to_owned()]).await.unwrap();
    let (titles, seen) = next(&mut events, 1).await;
    assert!(titles[0].contains("lantern2"), "live: {titles:?}");

    scene.publish(["lantern3".to_owned()]).await.unwrap();
    scene.dealt_with(4).await.unwrap();
    scene.queue_empty("browser").await.unwrap();
    let mut scene = scene.kill_and_restart().await.unwrap();
    scene.daemon.subscribed(LIMIT).await.unwrap();
    let mut events = follow(&scene, &stream, Some(seen)).await;
    scene.publish(["lantern4".to_owned()]).await.unwrap();
    let (titles, _) = next(&mut events, 2).await;
    assert!(titles[0].contains("lantern3") && titles[1].contains("lantern4"), "each once: {titles:?}");
    let books = scene.queue_empty("browser").await.unwrap();
    assert_eq!((books.accepted, books.delivered), (5, 5));
    // A stream that is followed does not hold up the end.
    let began = std::time::Instant::now();
    let Scene { daemon, .. } = scene;
    assert!(daemon.terminate().await.unwrap().success());
    assert!(began.elapsed() < Duration::from_secs(30));
    assert!(events.next(LIMIT).await.unwrap().is_none(), "the stream ends with the daemon");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_is_its_users_and_ends_with_the_address() {
    let scene = browser().await;
    let rule = rule("regex_filter", Some(("pattern", ".")));
    let others = subscription("mallory", "browser", &["amara"], rule);
    let refused = channel::subscribe(&scene.client, &others).await.expect_err("another's name");
    assert!(format!("{refused:#}").contains("the name of the account, `mallory`"), "{refused:#}");
    scene.wants_everything("amara", "browser", &["amara"]).await.unwrap();
    let stream = path(&scene, "amara").await;
    let page = scene.client.text(&stream).await.unwrap();
    assert!(page.contains("/stream.js"), "{page}");
    let forged = format!("{}A", &stream[..stream.len() - 1]);
    for wrong in [forged.as_str(), "/stream/AAAA"] {
        assert!(
            StreamEvents::follow(scene.client.address(), &format!("{wrong}/events"), None).await.is_err(),
            "{wrong}"
        );
    }
    let gone = json!({"enabled": true, "addresses": []});
    scene.client.put("/api/v1/subscriptions/amara/browser", &gone).await.unwrap();
    assert!(
        StreamEvents::follow(scene.client.address(), &format!("{stream}/events"), None).await.is_err(),
        "it is over"
    );
    let other = scene.client.list::<StreamInfo>("/api/v1/subscriptions/amara/email/streams").await;
    assert!(format!("{:#}", other.expect_err("mail has none")).contains("writes no event streams"));
}
