//! Secrets of a channel: whatever its plugin says, they are in no text that anybody reads.

use serde_json::json;
use tidings_tests::scene::{LIMIT, Scene, rule, subscription};
use tidings_tests::{channel, paths, wait};

const CANARY: &str = "canary-5e1f07-Zx";

#[tokio::test(flavor = "multi_thread")]
async fn a_plugin_that_tells_its_password_tells_nobody() {
    let mut scene = Scene::set().await.unwrap();
    let plugin = paths::plugin("hostile").unwrap();
    let config = json!({"password": CANARY});
    channel::install(&scene.client, "teller", &plugin, &config, &json!({"reach": []})).await.unwrap();
    let rule = rule("regex_filter", Some(("pattern", ".")));
    channel::subscribe(&scene.client, &subscription("amara", "teller", &["tell@example.org"], rule)).await.unwrap();
    scene.publish(["anything".to_owned()]).await.unwrap();
    wait::until("it told", LIMIT, async || Ok((scene.books("teller").await?.dead == 1).then_some(()))).await.unwrap();

    let notes = json!(scene.deliveries("teller").await.unwrap()).to_string();
    let tail = json!(scene.client.channel_log("teller").await.unwrap()).to_string();
    let log = std::fs::read_to_string(scene.home.log()).unwrap();
    let test = scene.client.post("/api/v1/channels/teller/test-send", r#"{"address": "tell@example.org"}"#).await;
    let test = String::from_utf8_lossy(&test.unwrap()).into_owned();
    // That something was told at all is what makes its absence mean something.
    for (place, text) in [("notes", &notes), ("tail", &tail), ("log", &log), ("test", &test)] {
        assert!(text.contains("535 the password [secret] is wrong"), "{place}: {text}");
    }
    let metrics = scene.client.text("/metrics").await.unwrap();
    let view = scene.client.text("/api/v1/channels/teller").await.unwrap();
    let events = scene.client.text("/api/v1/channels/teller/events").await.unwrap();
    for text in [notes, tail, log, test, metrics, view, events] {
        assert!(!text.contains(CANARY), "{text}");
    }
}
