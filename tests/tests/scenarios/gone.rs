//! An address that is gone, and what the far side named instead (row 43): the plugin is asked whether that is one.

use serde_json::json;
use tidings_tests::scene::{LIMIT, Scene};
use tidings_tests::web::fcm::{Fcm, PROJECT};
use tidings_tests::web::{Reply, WebFault};
use tidings_tests::{channel, paths, wait};

const OLD: &str = "the-token-of-a-phone-that-was-moved";
const NEW: &str = "the-next-token-of-that-same-phone";

async fn android() -> (Scene, Fcm) {
    let (scene, fcm) = (Scene::set().await.unwrap(), Fcm::start().await.unwrap());
    let host = fcm.web.address.ip().to_string();
    let key =
        json!({"name": "service-account", "kind": "google-service-account", "value": fcm.key_file(), "host": host});
    let port = fcm.web.address.port();
    let reach = json!({"capability": "http", "host": host, "port": port, "private": true, "plain_http": true});
    let grants = json!({"reach": [reach], "credentials": [key]});
    let config =
        json!({"api": fcm.web.url(""), "project": PROJECT, "token_url": fcm.web.url("/token"), "plain_http": "true"});
    let plugin = paths::plugin("android").unwrap();
    channel::install(&scene.client, "android", &plugin, &config, &grants).await.unwrap();
    (scene, fcm)
}

/// Where the user's messages go.
async fn addresses(scene: &Scene) -> Vec<String> {
    scene.client.subscription("amara", "android").await.unwrap().addresses
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replacement_is_taken_in_its_normal_form_or_not_at_all() {
    for (named, expected) in [
        (NEW.to_owned(), Some(NEW)),
        (format!("  {NEW} "), Some(NEW)),
        ("no token, and no web address".to_owned(), None),
        ("short".to_owned(), None),
        // Another form of the same would be asked for again and again.
        (format!("{OLD} "), None),
    ] {
        let (mut scene, fcm) = android().await;
        scene.wants_everything("amara", "android", &[OLD]).await.unwrap();
        let token = json!({"access_token": "ya29.scripted", "expires_in": 3599, "token_type": "Bearer"});
        fcm.web.fault(WebFault::Say(Reply::json(200, &token)));
        fcm.web.fault(WebFault::Say(Reply::json(200, &json!({"results": [{"registration_id": named}]}))));
        scene.publish(["lanternd".to_owned()]).await.unwrap();
        scene.dealt_with(1).await.unwrap();
        let books = scene.queue_empty("android").await.unwrap();
        let moved = u64::from(expected.is_some());
        assert_eq!((books.delivered, books.dead), (moved, 1 - moved), "{named:?}: {books:?}");
        let now: Vec<&str> = expected.into_iter().collect();
        wait::until("the subscription follows", LIMIT, async || Ok((addresses(&scene).await == now).then_some(())))
            .await
            .unwrap();
        assert!(fcm.taken().iter().all(|message| message["token"] == NEW), "{named:?}");
    }
}
