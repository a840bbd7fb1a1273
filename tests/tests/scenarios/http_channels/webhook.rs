//! Webhooks: the signature is checked as a receiver would, by other code.

use std::collections::BTreeSet;
use std::time::Duration;
use tidings_domain::delivery::DeliveryState;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac};
use serde_json::{Value, json};
use sha2::Sha256;
use tidings_tests::channel;
use tidings_tests::scene::{LIMIT, Scene};
use tidings_tests::web::{Reply, SeenRequest, WebFault, WebServer};

use super::{FAR_DATE, grants, plugin, say, test_send, wait_for};

const KEY: [u8; 32] = *b"a key of thirty-two octets, yes!";

/// A scene with the channel `hooks`, and the endpoint that answers 204.
async fn hooks(more: Value) -> (Scene, WebServer) {
    let web = WebServer::start(|_| Reply::status(204)).await.unwrap();
    let scene = Scene::set().await.unwrap();
    let mut config = json!({"secret": format!("whsec_{}", STANDARD.encode(KEY)), "plain_http": "true"});
    for (name, value) in more.as_object().unwrap() {
        config[name] = json!(value.as_str().unwrap().replace("SERVER", &web.address.to_string()));
    }
    let grants = grants(web.address, json!([]));
    channel::install(&scene.client, "hooks", &plugin("webhook"), &config, &grants).await.unwrap();
    (scene, web)
}

/// That the request was signed with the key, over exactly these octets.
fn verify(seen: &SeenRequest) {
    let (id, time) = (seen.header("webhook-id"), seen.header("webhook-timestamp"));
    let mut mac = Hmac::<Sha256>::new_from_slice(&KEY).unwrap();
    mac.update(format!("{id}.{time}.").as_bytes());
    mac.update(&seen.body);
    let signature = seen.header("webhook-signature").strip_prefix("v1,").unwrap();
    mac.verify_slice(&STANDARD.decode(signature).unwrap()).unwrap();
    assert_eq!(id.len(), 32, "{id}");
    assert!(time.parse::<u64>().unwrap() > 1_700_000_000, "{time}");
    assert_eq!((seen.method.as_str(), seen.header("content-type")), ("POST", "application/json"));
}

fn ids(seen: &[SeenRequest]) -> BTreeSet<String> {
    seen.iter().map(|one| one.header("webhook-id").to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_webhook_gets_each_delivery_signed_and_under_the_same_id_until_it_takes_it() {
    let (mut scene, web) = hooks(json!({})).await;
    scene.wants_everything("amara", "hooks", &[&web.url("/amara")]).await.unwrap();
    // What did not arrive, or was not confirmed, comes again; a slow endpoint is waited for in vain only so long.
    let faults =
        [say(500), WebFault::Reset, wait_for(429, "1"), WebFault::LoseReply, WebFault::Late(Duration::from_secs(20))];
    let count = faults.len();
    for fault in faults {
        web.fault(fault);
    }
    scene.publish(["lanternd".to_owned()]).await.unwrap();
    scene.dealt_with(1).await.unwrap();
    web.wait("the last attempt", LIMIT, |seen| (seen.len() > count).then_some(())).await.unwrap();
    let books = scene.queue_empty("hooks").await.unwrap();
    assert_eq!((books.delivered, books.dead), (1, 0));
    let seen = web.seen();
    assert_eq!((seen.len(), ids(&seen).len()), (count + 1, 1));
    seen.iter().for_each(verify);
    assert!(seen.iter().all(|one| one.body == seen[0].body && one.target == "/amara"));
    let body = seen[0].json();
    assert_eq!(body["type"], "notification.single");
    assert_eq!((&body["data"]["user"], &body["data"]["filter"]), (&json!("amara"), &json!("All of it")));
    assert_eq!(body["data"]["event"]["body"]["name"], "lanternd", "{body}");
    let row = &scene.deliveries("hooks").await.unwrap()[0];
    assert_eq!((row.state, row.note.as_deref()), (DeliveryState::Delivered, Some("HTTP 204")), "{row:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_final_answer_of_one_endpoint_is_the_end_for_that_delivery_alone() {
    let (mut scene, web) = hooks(json!({})).await;
    for user in ["amara", "bjorn"] {
        scene.wants_everything(user, "hooks", &[&web.url(&format!("/{user}"))]).await.unwrap();
    }
    let elsewhere = Reply::status(302).with("location", web.url("/elsewhere"));
    let finals = [WebFault::Say(elsewhere), say(401), say(404)];
    for (number, fault) in (1..).zip(finals) {
        web.fault(fault);
        scene.publish(["lanternd".to_owned()]).await.unwrap();
        scene.dealt_with(number).await.unwrap();
        let books = scene.queue_empty("hooks").await.unwrap();
        assert_eq!((books.delivered, books.dead), (number, number), "one of two users each time");
    }
    assert!(web.seen().iter().all(|seen| seen.target != "/elsewhere"), "redirects are not followed");
    // What is gone is not asked again.
    web.fault(say(410));
    scene.publish(["lanternd".to_owned()]).await.unwrap();
    scene.dealt_with(4).await.unwrap();
    scene.queue_empty("hooks").await.unwrap();
    let before = web.seen().len();
    scene.publish(["lanternd".to_owned()]).await.unwrap();
    scene.dealt_with(5).await.unwrap();
    let books = scene.queue_empty("hooks").await.unwrap();
    assert_eq!(web.seen().len(), before + 1, "only the address that is left: {books:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_wait_that_an_endpoint_asks_for_is_understood_in_both_forms() {
    let (scene, web) = hooks(json!({})).await;
    let address = web.url("/amara");
    for (fault, outcome, wait) in [
        (wait_for(429, "120"), "retry", Some(120..=120)),
        (wait_for(503, FAR_DATE), "retry", Some(86_400..=u64::MAX)),
        (wait_for(425, "soon"), "retry", None),
        (say(410), "address_gone", None),
        (say(403), "rejected", None),
    ] {
        web.fault(fault);
        let (got, seconds) = test_send(&scene, "hooks", &address).await;
        assert_eq!(got, outcome);
        assert!(wait.map_or(seconds.is_none(), |wait| seconds.is_some_and(|s| wait.contains(&s))), "{seconds:?}");
    }
    assert_eq!(test_send(&scene, "hooks", &address).await, ("delivered".to_owned(), None));
    // A place that was not granted is no business of the other users.
    assert_eq!(test_send(&scene, "hooks", "https://elsewhere.example/").await.0, "rejected");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_url_for_all_gets_the_body_that_an_administrator_wrote() {
    let body = r#"{"to": "@{address}", "text": "{title} <{link}>", "of": ["{topic}", "{user}"]}"#;
    let more = json!({"url": "http://SERVER/in?who={address}", "body": body});
    let (mut scene, web) = hooks(more).await;
    let name = "amara&x=\"},#";
    scene.wants_everything("amara", "hooks", &[name]).await.unwrap();
    scene.publish(["a\"}],\"b".to_owned()]).await.unwrap();
    let seen = web.wait("the request", LIMIT, |seen| seen.first().cloned()).await.unwrap();
    verify(&seen);
    assert_eq!(seen.target, "/in?who=amara%26x%3D%22%7D%2C%23");
    let body = seen.json();
    assert_eq!(body["to"], json!(format!("@{name}")));
    assert_eq!(body["of"], json!(["org.fedoraproject.dev.git.branch", "amara"]));
    assert!(body["text"].as_str().unwrap().contains("a\"}],\"b"), "{body}");
    assert_eq!(body.as_object().unwrap().len(), 3);
}
