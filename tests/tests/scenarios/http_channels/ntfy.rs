//! The ntfy channel, with a server that has access tokens and the documented limits.

use std::time::Duration;
use tidings_domain::subscription::Style;

use serde_json::json;
use tidings_tests::channel;
use tidings_tests::harness::{Harness, LIMIT, rule, subscription};
use tidings_tests::web::WebFault;
use tidings_tests::web::ntfy::{Ntfy, error};

use super::{FAR_DATE, bearer, grants, plugin, respond, respond_retry_after, test_send};

const TOKEN: &str = "tk_for_the_tests";

async fn ntfy() -> (Harness, Ntfy) {
    let server = Ntfy::start(TOKEN).await.unwrap();
    let harness = Harness::start().await.unwrap();
    let config = json!({"server": server.web.url(""), "credential": "token"});
    let grants = grants(server.web.address, bearer(server.web.address, TOKEN));
    channel::install(&harness.client, "ntfy", &plugin("ntfy"), &config, &grants).await.unwrap();
    (harness, server)
}

/// Subscribes `amara` to every message, with markup and the name of the filter.
async fn subscribe_with_markup(harness: &Harness, topic: &str) {
    let rule = rule("regex_filter", Some(("pattern", ".")));
    let mut subscription = subscription("amara", "ntfy", &[topic], rule);
    subscription.style = Style { markup: true, triggered_by: true, verbose: false };
    channel::subscribe(&harness.client, &subscription).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_has_the_same_id_and_content_in_every_attempt() {
    let (mut harness, server) = ntfy().await;
    subscribe_with_markup(&harness, "amara-Zk3vQ8").await;
    let faults = [respond(500), WebFault::Reset, WebFault::LoseReply, WebFault::Delay(Duration::from_secs(20))];
    let count = faults.len();
    for fault in faults {
        server.web.fault(fault);
    }
    harness.publish(["lanternd".to_owned()]).await.unwrap();
    harness.wait_processed(1).await.unwrap();
    server.web.wait("the last attempt", LIMIT, |requests| (requests.len() > count).then_some(())).await.unwrap();
    let books = harness.queue_empty("ntfy").await.unwrap();
    assert_eq!((books.delivered, books.dead), (1, 0));
    let requests = server.web.requests();
    assert!(requests.iter().all(|one| one.body == requests[0].body), "the same in every attempt");
    assert!(requests.iter().all(|one| one.header("authorization") == format!("Bearer {TOKEN}")));
    let message = &server.published()[0];
    assert_eq!(message["topic"], "amara-Zk3vQ8");
    assert_eq!(message["sequence_id"].as_str().map(str::len), Some(32));
    let text = format!("{} {}", message["title"], message["message"]);
    assert!(text.contains("lanternd") && text.contains("All of it"), "{message}");
    assert!(message["tags"].as_array().unwrap().contains(&json!("lanternd")), "{message}");
    assert!(message.get("actions").is_none(), "no button without a link: {message}");
    let row = &harness.deliveries("ntfy").await.unwrap()[0];
    assert!(row.note.as_deref().unwrap().starts_with("msg"), "the id from the server is the receipt: {row:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn each_response_of_the_server_maps_to_its_outcome() {
    let (harness, server) = ntfy().await;
    for (fault, outcome, wait) in [
        (respond_retry_after(429, "120"), "channel_trouble", Some(120..=120)),
        (respond_retry_after(429, FAR_DATE), "channel_trouble", Some(86_400..=u64::MAX)),
        (WebFault::Respond(error(429, 42908, "limit reached: daily message quota reached")), "channel_trouble", None),
        (WebFault::Respond(error(401, 40101, "unauthorized")), "channel_trouble", None),
        (WebFault::Respond(error(400, 40009, "invalid request: topic invalid")), "rejected", None),
        (respond_retry_after(503, "7"), "retry", Some(7..=7)),
    ] {
        server.web.fault(fault);
        let (got, seconds) = test_send(&harness, "ntfy", "amara").await;
        assert_eq!(got, outcome);
        assert!(wait.map_or(seconds.is_none(), |wait| seconds.is_some_and(|s| wait.contains(&s))), "{seconds:?}");
    }
    // A message that is too large is sent again in short. A forbidden topic does not affect other topics.
    server.web.fault(WebFault::Respond(error(413, 41303, "JSON body too large")));
    assert_eq!(test_send(&harness, "ntfy", "amara").await.0, "delivered");
    assert_eq!(test_send(&harness, "ntfy", "reserved").await.0, "retry");
    assert_eq!(test_send(&harness, "ntfy", "amara").await.0, "delivered");
}

#[tokio::test(flavor = "multi_thread")]
async fn with_an_invalid_token_deliveries_are_pending_until_it_is_replaced() {
    let (mut harness, server) = ntfy().await;
    let wrong = grants(server.web.address, bearer(server.web.address, "tk_wrong"));
    harness.client.put("/api/v1/channels/ntfy/grants", &wrong).await.unwrap();
    harness.wants_everything("amara", "ntfy", &["amara"]).await.unwrap();
    harness.publish((0..3).map(|number| format!("lantern{number}"))).await.unwrap();
    harness.wait_processed(3).await.unwrap();
    server.web.wait("two refusals", LIMIT, |requests| (requests.len() > 1).then_some(())).await.unwrap();
    let books = harness.books("ntfy").await.unwrap();
    assert_eq!((books.pending, books.dead), (3, 0));
    let right = grants(server.web.address, bearer(server.web.address, TOKEN));
    harness.client.put("/api/v1/channels/ntfy/grants", &right).await.unwrap();
    let books = harness.queue_empty("ntfy").await.unwrap();
    assert_eq!((books.delivered, server.published().len()), (3, 3));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_subscription_with_an_invalid_topic_is_refused() {
    let (harness, _server) = ntfy().await;
    for topic in ["a/b", "docs", ""] {
        let rule = rule("regex_filter", Some(("pattern", ".")));
        let subscription = subscription("amara", "ntfy", &[topic], rule);
        assert!(channel::subscribe(&harness.client, &subscription).await.is_err(), "{topic:?}");
    }
}
