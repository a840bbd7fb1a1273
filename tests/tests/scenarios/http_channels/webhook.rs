//! The webhook channel: requests, outcomes, and signatures, which are verified as by a receiver, without code of the channel.

use std::collections::BTreeSet;
use std::time::Duration;
use tidings_domain::delivery::DeliveryState;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac};
use serde_json::{Value, json};
use sha2::Sha256;
use tidings_tests::channel;
use tidings_tests::harness::{Harness, LIMIT};
use tidings_tests::web::{RecordedRequest, Reply, WebFault, WebServer};

use super::{FAR_DATE, grants, plugin, respond, respond_retry_after, test_send};

const KEY: [u8; 32] = *b"a key of thirty-two octets, yes!";

/// Starts the harness with the channel `hooks`, and an endpoint that returns 204.
async fn hooks(more: Value) -> (Harness, WebServer) {
    let web = WebServer::start(|_| Reply::status(204)).await.unwrap();
    let harness = Harness::start().await.unwrap();
    let mut config = json!({"secret": format!("whsec_{}", STANDARD.encode(KEY)), "plain_http": "true"});
    for (name, value) in more.as_object().unwrap() {
        config[name] = json!(value.as_str().unwrap().replace("SERVER", &web.address.to_string()));
    }
    let grants = grants(web.address, json!([]));
    channel::install(&harness.client, "hooks", &plugin("webhook"), &config, &grants).await.unwrap();
    (harness, web)
}

/// Asserts that the request is signed with the key.
fn verify(request: &RecordedRequest) {
    let (id, time) = (request.header("webhook-id"), request.header("webhook-timestamp"));
    let mut mac = Hmac::<Sha256>::new_from_slice(&KEY).unwrap();
    mac.update(format!("{id}.{time}.").as_bytes());
    mac.update(&request.body);
    let signature = request.header("webhook-signature").strip_prefix("v1,").unwrap();
    mac.verify_slice(&STANDARD.decode(signature).unwrap()).unwrap();
    assert_eq!(id.len(), 32, "{id}");
    assert!(time.parse::<u64>().unwrap() > 1_700_000_000, "{time}");
    assert_eq!((request.method.as_str(), request.header("content-type")), ("POST", "application/json"));
}

fn ids(requests: &[RecordedRequest]) -> BTreeSet<String> {
    requests.iter().map(|one| one.header("webhook-id").to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delivery_is_signed_and_has_the_same_id_in_every_attempt_until_the_endpoint_accepts_it() {
    let (mut harness, web) = hooks(json!({})).await;
    harness.wants_everything("amara", "hooks", &[&web.url("/amara")]).await.unwrap();
    // A delivery without a successful response is sent again; a slow endpoint reaches the timeout.
    let faults = [
        respond(500),
        WebFault::Reset,
        respond_retry_after(429, "1"),
        WebFault::LoseReply,
        WebFault::Delay(Duration::from_secs(20)),
    ];
    let count = faults.len();
    for fault in faults {
        web.fault(fault);
    }
    harness.publish(["lanternd".to_owned()]).await.unwrap();
    harness.wait_processed(1).await.unwrap();
    web.wait("the last attempt", LIMIT, |requests| (requests.len() > count).then_some(())).await.unwrap();
    let books = harness.queue_empty("hooks").await.unwrap();
    assert_eq!((books.delivered, books.dead), (1, 0));
    let requests = web.requests();
    assert_eq!((requests.len(), ids(&requests).len()), (count + 1, 1));
    requests.iter().for_each(verify);
    assert!(requests.iter().all(|one| one.body == requests[0].body && one.target == "/amara"));
    let body = requests[0].json();
    assert_eq!(body["type"], "notification.single");
    assert_eq!((&body["data"]["user"], &body["data"]["filter"]), (&json!("amara"), &json!("All of it")));
    assert_eq!(body["data"]["event"]["body"]["name"], "lanternd", "{body}");
    let row = &harness.deliveries("hooks").await.unwrap()[0];
    assert_eq!((row.state, row.note.as_deref()), (DeliveryState::Delivered, Some("HTTP 204")), "{row:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_permanent_error_of_one_endpoint_ends_only_that_delivery() {
    let (mut harness, web) = hooks(json!({})).await;
    for user in ["amara", "bjorn"] {
        harness.wants_everything(user, "hooks", &[&web.url(&format!("/{user}"))]).await.unwrap();
    }
    let elsewhere = Reply::status(302).with("location", web.url("/elsewhere"));
    let finals = [WebFault::Respond(elsewhere), respond(401), respond(404)];
    for (number, fault) in (1..).zip(finals) {
        web.fault(fault);
        harness.publish(["lanternd".to_owned()]).await.unwrap();
        harness.wait_processed(number).await.unwrap();
        let books = harness.queue_empty("hooks").await.unwrap();
        assert_eq!((books.delivered, books.dead), (number, number), "one of two users each time");
    }
    assert!(web.requests().iter().all(|request| request.target != "/elsewhere"), "redirects are not followed");
    // An endpoint that is gone gets no more requests.
    web.fault(respond(410));
    harness.publish(["lanternd".to_owned()]).await.unwrap();
    harness.wait_processed(4).await.unwrap();
    harness.queue_empty("hooks").await.unwrap();
    let before = web.requests().len();
    harness.publish(["lanternd".to_owned()]).await.unwrap();
    harness.wait_processed(5).await.unwrap();
    let books = harness.queue_empty("hooks").await.unwrap();
    assert_eq!(web.requests().len(), before + 1, "only the other address gets a request: {books:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn both_forms_of_retry_after_are_understood() {
    let (harness, web) = hooks(json!({})).await;
    let address = web.url("/amara");
    for (fault, outcome, wait) in [
        (respond_retry_after(429, "120"), "retry", Some(120..=120)),
        (respond_retry_after(503, FAR_DATE), "retry", Some(86_400..=u64::MAX)),
        (respond_retry_after(425, "soon"), "retry", None),
        (respond(410), "address_gone", None),
        (respond(403), "rejected", None),
    ] {
        web.fault(fault);
        let (got, seconds) = test_send(&harness, "hooks", &address).await;
        assert_eq!(got, outcome);
        assert!(wait.map_or(seconds.is_none(), |wait| seconds.is_some_and(|s| wait.contains(&s))), "{seconds:?}");
    }
    assert_eq!(test_send(&harness, "hooks", &address).await, ("delivered".to_owned(), None));
    // A host that is not granted affects only its own delivery.
    assert_eq!(test_send(&harness, "hooks", "https://elsewhere.example/").await.0, "rejected");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shared_url_gets_the_body_of_the_administrators_template() {
    let body = r#"{"to": "@{address}", "text": "{title} <{link}>", "of": ["{topic}", "{user}"]}"#;
    let more = json!({"url": "http://SERVER/in?who={address}", "body": body});
    let (mut harness, web) = hooks(more).await;
    let name = "amara&x=\"},#";
    harness.wants_everything("amara", "hooks", &[name]).await.unwrap();
    harness.publish(["a\"}],\"b".to_owned()]).await.unwrap();
    let request = web.wait("the request", LIMIT, |requests| requests.first().cloned()).await.unwrap();
    verify(&request);
    assert_eq!(request.target, "/in?who=amara%26x%3D%22%7D%2C%23");
    let body = request.json();
    assert_eq!(body["to"], json!(format!("@{name}")));
    assert_eq!(body["of"], json!(["org.fedoraproject.dev.git.branch", "amara"]));
    assert!(body["text"].as_str().unwrap().contains("a\"}],\"b"), "{body}");
    assert_eq!(body.as_object().unwrap().len(), 3);
}
