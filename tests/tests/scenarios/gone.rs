//! An address that is gone and its replacement (row 43): the plugin must accept the replacement as an address.

use serde_json::json;
use tidings_tests::harness::{Harness, LIMIT};
use tidings_tests::web::fcm::{Fcm, PROJECT};
use tidings_tests::web::{Reply, WebFault};
use tidings_tests::{channel, paths, wait};

const OLD: &str = "the-token-of-a-phone-that-was-moved";
const NEW: &str = "the-next-token-of-that-same-phone";

async fn android() -> (Harness, Fcm) {
    let (harness, fcm) = (Harness::start().await.unwrap(), Fcm::start().await.unwrap());
    let host = fcm.web.address.ip().to_string();
    let key =
        json!({"name": "service-account", "kind": "google-service-account", "value": fcm.key_file(), "host": host});
    let port = fcm.web.address.port();
    let reach = json!({"capability": "http", "host": host, "port": port, "private": true, "plain_http": true});
    let grants = json!({"reach": [reach], "credentials": [key]});
    let config =
        json!({"api": fcm.web.url(""), "project": PROJECT, "token_url": fcm.web.url("/token"), "plain_http": "true"});
    let plugin = paths::plugin("android").unwrap();
    channel::install(&harness.client, "android", &plugin, &config, &grants).await.unwrap();
    (harness, fcm)
}

/// The addresses of the subscription.
async fn addresses(harness: &Harness) -> Vec<String> {
    harness.client.subscription("amara", "android").await.unwrap().addresses
}

#[tokio::test(flavor = "multi_thread")]
async fn a_valid_replacement_is_stored_in_its_normal_form_and_an_invalid_one_is_ignored() {
    for (replacement, expected) in [
        (NEW.to_owned(), Some(NEW)),
        (format!("  {NEW} "), Some(NEW)),
        ("no token, and no web address".to_owned(), None),
        ("short".to_owned(), None),
        // A different form of the same address is not a replacement: it would be refused again in every delivery.
        (format!("{OLD} "), None),
    ] {
        let (mut harness, fcm) = android().await;
        harness.wants_everything("amara", "android", &[OLD]).await.unwrap();
        let token = json!({"access_token": "ya29.scripted", "expires_in": 3599, "token_type": "Bearer"});
        fcm.web.fault(WebFault::Respond(Reply::json(200, &token)));
        fcm.web.fault(WebFault::Respond(Reply::json(200, &json!({"results": [{"registration_id": replacement}]}))));
        harness.publish(["lanternd".to_owned()]).await.unwrap();
        harness.wait_processed(1).await.unwrap();
        let books = harness.queue_empty("android").await.unwrap();
        let moved = u64::from(expected.is_some());
        assert_eq!((books.delivered, books.dead), (moved, 1 - moved), "{replacement:?}: {books:?}");
        let expected: Vec<&str> = expected.into_iter().collect();
        let updated = async || Ok((addresses(&harness).await == expected).then_some(()));
        wait::until("the subscription is updated", LIMIT, updated).await.unwrap();
        assert!(fcm.messages().iter().all(|message| message["token"] == NEW), "{replacement:?}");
    }
}
