//! The Matrix channel: the rooms and messages on a homeserver.

use std::time::Duration;
use tidings_domain::subscription::Style;

use serde_json::{Value, json};
use tidings_tests::channel;
use tidings_tests::harness::{Harness, LIMIT, rule, subscription};
use tidings_tests::wait;
use tidings_tests::web::WebFault;
use tidings_tests::web::matrix::{BOT, Matrix, MatrixRoom, error};

use super::{bearer, grants, plugin, respond, respond_retry_after, test_send};

const TOKEN: &str = "syt_for_the_tests";
const AMARA: &str = "@amara:example.org";

async fn matrix() -> (Harness, Matrix) {
    let server = Matrix::start(TOKEN, &[AMARA, "@bjorn:example.org"]).await.unwrap();
    let harness = Harness::start().await.unwrap();
    let config = json!({"homeserver": server.web.url("")});
    let grants = grants(server.web.address, bearer(server.web.address, TOKEN));
    channel::install(&harness.client, "matrix", &plugin("matrix"), &config, &grants).await.unwrap();
    (harness, server)
}

/// Publishes one message and waits until all rooms together have `count` messages.
async fn publish_one(harness: &mut Harness, server: &Matrix, count: usize) {
    harness.publish([format!("lantern{count}")]).await.unwrap();
    wait::until("the messages", LIMIT, async || {
        let written: usize = server.rooms().iter().map(|room| room.messages.len()).sum();
        Ok((written == count).then_some(()))
    })
    .await
    .unwrap();
    harness.queue_empty("matrix").await.unwrap();
}

fn texts(room: &MatrixRoom) -> Vec<&str> {
    room.messages.iter().filter_map(|(_, content)| content["body"].as_str()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_room_is_created_once_found_again_and_replaced_when_the_account_was_removed_from_it() {
    let (mut harness, server) = matrix().await;
    harness.wants_everything("amara", "matrix", &["@amara:Example.Org"]).await.unwrap();
    publish_one(&mut harness, &server, 1).await;
    publish_one(&mut harness, &server, 2).await;
    harness = harness.kill_and_restart().await.unwrap();
    harness.daemon.subscribed(LIMIT).await.unwrap();
    publish_one(&mut harness, &server, 3).await;
    let rooms = server.rooms();
    assert_eq!(rooms.len(), 1);
    assert_eq!((&rooms[0].creation["is_direct"], &rooms[0].creation["invite"]), (&json!(true), &json!([AMARA])));
    assert_eq!(server.account_data("m.direct"), json!({AMARA: [rooms[0].id]}));
    server.kick(&rooms[0].id);
    publish_one(&mut harness, &server, 4).await;
    publish_one(&mut harness, &server, 5).await;
    let rooms = server.rooms();
    assert_eq!(rooms.iter().map(|room| room.messages.len()).collect::<Vec<_>>(), [3, 2]);
    assert!(texts(&rooms[1])[0].contains("lantern4"), "the refused message is in the new room: {:?}", texts(&rooms[1]));
    assert_eq!(server.account_data("m.direct"), json!({AMARA: [rooms[1].id]}));
    let user_id = server.web.requests().into_iter().filter(|request| request.target.contains("account_data"));
    let me = BOT.replace('@', "%40").replace(':', "%3A");
    assert!(user_id.map(|request| request.target).all(|target| target.contains(&me)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delivery_that_is_sent_again_is_one_message_in_the_room() {
    let (mut harness, server) = matrix().await;
    harness.wants_everything("amara", "matrix", &[AMARA]).await.unwrap();
    publish_one(&mut harness, &server, 1).await;
    let before = server.web.requests().len();
    for fault in [respond(502), WebFault::Reset, WebFault::LoseReply, WebFault::Delay(Duration::from_secs(20))] {
        server.web.fault(fault);
    }
    publish_one(&mut harness, &server, 2).await;
    let books = harness.queue_empty("matrix").await.unwrap();
    assert_eq!((books.delivered, books.dead), (2, 0));
    let requests = server.web.requests();
    assert_eq!(requests.len(), before + 5);
    assert!(requests[before..].iter().all(|one| one.target == requests[before].target), "one transaction");
    assert_eq!(server.rooms()[0].messages.len(), 2);
    let row = &harness.deliveries("matrix").await.unwrap()[0];
    assert_eq!(row.note.as_deref(), Some("$event1"), "{row:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn only_a_user_who_wants_markup_gets_html() {
    let (mut harness, server) = matrix().await;
    for (user, markup) in [("amara", true), ("bjorn", false)] {
        let rule = rule("regex_filter", Some(("pattern", ".")));
        let address = format!("@{user}:example.org");
        let mut subscription = subscription(user, "matrix", &[&address], rule);
        subscription.style = Style { markup, triggered_by: false, verbose: false };
        channel::subscribe(&harness.client, &subscription).await.unwrap();
    }
    harness.publish(["<b>@room</b>".to_owned()]).await.unwrap();
    wait::until("both messages", LIMIT, async || {
        let rooms = server.rooms();
        Ok((rooms.len() == 2 && rooms.iter().all(|room| room.messages.len() == 1)).then_some(()))
    })
    .await
    .unwrap();
    let written = |user: &str| {
        let room = server.rooms().into_iter().find(|room| room.creation["invite"][0] == format!("@{user}:example.org"));
        room.unwrap().messages[0].1.clone()
    };
    let (amara, bjorn) = (written("amara"), written("bjorn"));
    assert!(bjorn["body"].as_str().unwrap().contains("<b>@room</b>") && bjorn.get("format").is_none(), "{bjorn}");
    let html = amara["formatted_body"].as_str().unwrap();
    assert!(html.contains("&lt;b&gt;@room&lt;/b&gt;") && !html.contains("<b>"), "{html}");
    assert_eq!((&amara["msgtype"], &amara["m.mentions"]), (&json!("m.text"), &json!({})));
}

#[tokio::test(flavor = "multi_thread")]
async fn each_error_of_the_server_maps_to_its_outcome() {
    let (harness, server) = matrix().await;
    assert_eq!(test_send(&harness, "matrix", AMARA).await.0, "delivered");
    let limited = |wait: Option<u64>| {
        let mut reply = error(429, "M_LIMIT_EXCEEDED", "Too Many Requests");
        let mut body: Value = serde_json::from_str(&reply.body).unwrap();
        body["retry_after_ms"] = json!(wait);
        reply.body = body.to_string();
        WebFault::Respond(reply)
    };
    for (fault, outcome, wait) in [
        (limited(Some(42_500)), "channel_trouble", Some(42)),
        (limited(None), "channel_trouble", None),
        (respond_retry_after(429, "120"), "channel_trouble", Some(120)),
        (WebFault::Respond(error(401, "M_UNKNOWN_TOKEN", "Unknown token")), "channel_trouble", None),
        (WebFault::Respond(error(413, "M_TOO_LARGE", "event too large")), "rejected", None),
        (respond_retry_after(502, "7"), "retry", Some(7)),
    ] {
        server.web.fault(fault);
        assert_eq!(test_send(&harness, "matrix", AMARA).await, (outcome.to_owned(), wait));
    }
    assert_eq!(test_send(&harness, "matrix", "@nobody:example.org").await.0, "address_gone");
    assert_eq!(server.rooms().len(), 1);
}
