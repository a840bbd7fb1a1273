//! ntfy: what a server with access tokens and the documented limits makes of the channel's messages.

use std::time::Duration;
use tidings_domain::subscription::Style;

use serde_json::json;
use tidings_tests::channel;
use tidings_tests::scene::{LIMIT, Scene, rule, subscription};
use tidings_tests::web::WebFault;
use tidings_tests::web::ntfy::{Ntfy, error};

use super::{FAR_DATE, bearer, grants, plugin, say, test_send, wait_for};

const TOKEN: &str = "tk_for_the_tests";

async fn ntfy() -> (Scene, Ntfy) {
    let server = Ntfy::start(TOKEN).await.unwrap();
    let scene = Scene::set().await.unwrap();
    let config = json!({"server": server.web.url(""), "credential": "token"});
    let grants = grants(server.web.address, bearer(server.web.address, TOKEN));
    channel::install(&scene.client, "ntfy", &plugin("ntfy"), &config, &grants).await.unwrap();
    (scene, server)
}

/// Everything for `amara`, decorated and with its filter's name.
async fn wants_all_of_it(scene: &Scene, topic: &str) {
    let rule = rule("regex_filter", Some(("pattern", ".")));
    let mut subscription = subscription("amara", "ntfy", &[topic], rule);
    subscription.style = Style { markup: true, triggered_by: true, verbose: false };
    channel::subscribe(&scene.client, &subscription).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_arrives_on_its_topic_under_one_id_however_often_it_was_sent() {
    let (mut scene, server) = ntfy().await;
    wants_all_of_it(&scene, "amara-Zk3vQ8").await;
    let faults = [say(500), WebFault::Reset, WebFault::LoseReply, WebFault::Late(Duration::from_secs(20))];
    let count = faults.len();
    for fault in faults {
        server.web.fault(fault);
    }
    scene.publish(["lanternd".to_owned()]).await.unwrap();
    scene.dealt_with(1).await.unwrap();
    server.web.wait("the last attempt", LIMIT, |seen| (seen.len() > count).then_some(())).await.unwrap();
    let books = scene.queue_empty("ntfy").await.unwrap();
    assert_eq!((books.delivered, books.dead), (1, 0));
    let seen = server.web.seen();
    assert!(seen.iter().all(|one| one.body == seen[0].body), "the same in every attempt");
    assert!(seen.iter().all(|one| one.header("authorization") == format!("Bearer {TOKEN}")));
    let message = &server.published()[0];
    assert_eq!(message["topic"], "amara-Zk3vQ8");
    assert_eq!(message["sequence_id"].as_str().map(str::len), Some(32));
    let text = format!("{} {}", message["title"], message["message"]);
    assert!(text.contains("lanternd") && text.contains("All of it"), "{message}");
    assert!(message["tags"].as_array().unwrap().contains(&json!("lanternd")), "{message}");
    assert!(message.get("actions").is_none(), "no button without a link: {message}");
    let row = &scene.deliveries("ntfy").await.unwrap()[0];
    assert!(row.note.as_deref().unwrap().starts_with("msg"), "the server's id is the receipt: {row:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn each_answer_of_the_server_has_its_outcome() {
    let (scene, server) = ntfy().await;
    for (fault, outcome, wait) in [
        (wait_for(429, "120"), "channel_trouble", Some(120..=120)),
        (wait_for(429, FAR_DATE), "channel_trouble", Some(86_400..=u64::MAX)),
        (WebFault::Say(error(429, 42908, "limit reached: daily message quota reached")), "channel_trouble", None),
        (WebFault::Say(error(401, 40101, "unauthorized")), "channel_trouble", None),
        (WebFault::Say(error(400, 40009, "invalid request: topic invalid")), "rejected", None),
        (wait_for(503, "7"), "retry", Some(7..=7)),
    ] {
        server.web.fault(fault);
        let (got, seconds) = test_send(&scene, "ntfy", "amara").await;
        assert_eq!(got, outcome);
        assert!(wait.map_or(seconds.is_none(), |wait| seconds.is_some_and(|s| wait.contains(&s))), "{seconds:?}");
    }
    // What is too large for this server goes out shortly; a topic of somebody else's is no trouble of the others.
    server.web.fault(WebFault::Say(error(413, 41303, "JSON body too large")));
    assert_eq!(test_send(&scene, "ntfy", "amara").await.0, "delivered");
    assert_eq!(test_send(&scene, "ntfy", "reserved").await.0, "retry");
    assert_eq!(test_send(&scene, "ntfy", "amara").await.0, "delivered");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_is_refused_holds_the_queue_until_it_is_right_and_costs_no_delivery() {
    let (mut scene, server) = ntfy().await;
    let wrong = grants(server.web.address, bearer(server.web.address, "tk_wrong"));
    scene.client.put("/api/v1/channels/ntfy/grants", &wrong).await.unwrap();
    scene.wants_everything("amara", "ntfy", &["amara"]).await.unwrap();
    scene.publish((0..3).map(|number| format!("lantern{number}"))).await.unwrap();
    scene.dealt_with(3).await.unwrap();
    server.web.wait("two refusals", LIMIT, |seen| (seen.len() > 1).then_some(())).await.unwrap();
    let books = scene.books("ntfy").await.unwrap();
    assert_eq!((books.pending, books.dead), (3, 0));
    let right = grants(server.web.address, bearer(server.web.address, TOKEN));
    scene.client.put("/api/v1/channels/ntfy/grants", &right).await.unwrap();
    let books = scene.queue_empty("ntfy").await.unwrap();
    assert_eq!((books.delivered, server.published().len()), (3, 3));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_is_checked_when_it_is_given() {
    let (scene, _server) = ntfy().await;
    for topic in ["a/b", "docs", ""] {
        let rule = rule("regex_filter", Some(("pattern", ".")));
        let subscription = subscription("amara", "ntfy", &[topic], rule);
        assert!(channel::subscribe(&scene.client, &subscription).await.is_err(), "{topic:?}");
    }
}
