//! Matrix: what stands in the rooms of a homeserver afterwards.

use std::time::Duration;
use tidings_domain::subscription::Style;

use serde_json::{Value, json};
use tidings_tests::channel;
use tidings_tests::scene::{LIMIT, Scene, rule, subscription};
use tidings_tests::wait;
use tidings_tests::web::WebFault;
use tidings_tests::web::matrix::{BOT, Matrix, MatrixRoom, error};

use super::{bearer, grants, plugin, say, test_send, wait_for};

const TOKEN: &str = "syt_for_the_tests";
const AMARA: &str = "@amara:example.org";

async fn matrix() -> (Scene, Matrix) {
    let server = Matrix::start(TOKEN, &[AMARA, "@bjorn:example.org"]).await.unwrap();
    let scene = Scene::set().await.unwrap();
    let config = json!({"homeserver": server.web.url("")});
    let grants = grants(server.web.address, bearer(server.web.address, TOKEN));
    channel::install(&scene.client, "matrix", &plugin("matrix"), &config, &grants).await.unwrap();
    (scene, server)
}

/// Publishes one message and waits until `count` messages stand in all rooms together.
async fn one_more(scene: &mut Scene, server: &Matrix, count: usize) {
    scene.publish([format!("lantern{count}")]).await.unwrap();
    wait::until("the messages", LIMIT, async || {
        let written: usize = server.rooms().iter().map(|room| room.messages.len()).sum();
        Ok((written == count).then_some(()))
    })
    .await
    .unwrap();
    scene.queue_empty("matrix").await.unwrap();
}

fn texts(room: &MatrixRoom) -> Vec<&str> {
    room.messages.iter().filter_map(|(_, content)| content["body"].as_str()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_room_is_made_once_found_again_and_replaced_when_the_account_was_removed_from_it() {
    let (mut scene, server) = matrix().await;
    scene.wants_everything("amara", "matrix", &["@amara:Example.Org"]).await.unwrap();
    one_more(&mut scene, &server, 1).await;
    one_more(&mut scene, &server, 2).await;
    scene = scene.kill_and_restart().await.unwrap();
    scene.daemon.subscribed(LIMIT).await.unwrap();
    one_more(&mut scene, &server, 3).await;
    let rooms = server.rooms();
    assert_eq!(rooms.len(), 1);
    assert_eq!((&rooms[0].made["is_direct"], &rooms[0].made["invite"]), (&json!(true), &json!([AMARA])));
    assert_eq!(server.account_data("m.direct"), json!({AMARA: [rooms[0].id]}));
    server.kick(&rooms[0].id);
    one_more(&mut scene, &server, 4).await;
    one_more(&mut scene, &server, 5).await;
    let rooms = server.rooms();
    assert_eq!(rooms.iter().map(|room| room.messages.len()).collect::<Vec<_>>(), [3, 2]);
    assert!(
        texts(&rooms[1])[0].contains("lantern4"),
        "what was refused stands in the new room: {:?}",
        texts(&rooms[1])
    );
    assert_eq!(server.account_data("m.direct"), json!({AMARA: [rooms[1].id]}));
    let user_id = server.web.seen().into_iter().filter(|seen| seen.target.contains("account_data"));
    let me = BOT.replace('@', "%40").replace(':', "%3A");
    assert!(user_id.map(|seen| seen.target).all(|target| target.contains(&me)));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_sent_again_is_one_message_in_the_room() {
    let (mut scene, server) = matrix().await;
    scene.wants_everything("amara", "matrix", &[AMARA]).await.unwrap();
    one_more(&mut scene, &server, 1).await;
    let before = server.web.seen().len();
    for fault in [say(502), WebFault::Reset, WebFault::LoseReply, WebFault::Late(Duration::from_secs(20))] {
        server.web.fault(fault);
    }
    one_more(&mut scene, &server, 2).await;
    let books = scene.queue_empty("matrix").await.unwrap();
    assert_eq!((books.delivered, books.dead), (2, 0));
    let seen = server.web.seen();
    assert_eq!(seen.len(), before + 5);
    assert!(seen[before..].iter().all(|one| one.target == seen[before].target), "one transaction");
    assert_eq!(server.rooms()[0].messages.len(), 2);
    let row = &scene.deliveries("matrix").await.unwrap()[0];
    assert_eq!(row.note.as_deref(), Some("$event1"), "{row:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn text_is_plain_and_html_only_where_the_user_wants_it() {
    let (mut scene, server) = matrix().await;
    for (user, markup) in [("amara", true), ("bjorn", false)] {
        let rule = rule("regex_filter", Some(("pattern", ".")));
        let address = format!("@{user}:example.org");
        let mut subscription = subscription(user, "matrix", &[&address], rule);
        subscription.style = Style { markup, triggered_by: false, verbose: false };
        channel::subscribe(&scene.client, &subscription).await.unwrap();
    }
    scene.publish(["<b>@room</b>".to_owned()]).await.unwrap();
    wait::until("both messages", LIMIT, async || {
        let rooms = server.rooms();
        Ok((rooms.len() == 2 && rooms.iter().all(|room| room.messages.len() == 1)).then_some(()))
    })
    .await
    .unwrap();
    let written = |user: &str| {
        let room = server.rooms().into_iter().find(|room| room.made["invite"][0] == format!("@{user}:example.org"));
        room.unwrap().messages[0].1.clone()
    };
    let (amara, bjorn) = (written("amara"), written("bjorn"));
    assert!(bjorn["body"].as_str().unwrap().contains("<b>@room</b>") && bjorn.get("format").is_none(), "{bjorn}");
    let html = amara["formatted_body"].as_str().unwrap();
    assert!(html.contains("&lt;b&gt;@room&lt;/b&gt;") && !html.contains("<b>"), "{html}");
    assert_eq!((&amara["msgtype"], &amara["m.mentions"]), (&json!("m.text"), &json!({})));
}

#[tokio::test(flavor = "multi_thread")]
async fn each_error_of_the_server_has_its_outcome() {
    let (scene, server) = matrix().await;
    assert_eq!(test_send(&scene, "matrix", AMARA).await.0, "delivered");
    let limited = |wait: Option<u64>| {
        let mut reply = error(429, "M_LIMIT_EXCEEDED", "Too Many Requests");
        let mut body: Value = serde_json::from_str(&reply.body).unwrap();
        body["retry_after_ms"] = json!(wait);
        reply.body = body.to_string();
        WebFault::Say(reply)
    };
    for (fault, outcome, wait) in [
        (limited(Some(42_500)), "channel_trouble", Some(42)),
        (limited(None), "channel_trouble", None),
        (wait_for(429, "120"), "channel_trouble", Some(120)),
        (WebFault::Say(error(401, "M_UNKNOWN_TOKEN", "Unknown token")), "channel_trouble", None),
        (WebFault::Say(error(413, "M_TOO_LARGE", "event too large")), "rejected", None),
        (wait_for(502, "7"), "retry", Some(7)),
    ] {
        server.web.fault(fault);
        assert_eq!(test_send(&scene, "matrix", AMARA).await, (outcome.to_owned(), wait));
    }
    assert_eq!(test_send(&scene, "matrix", "@nobody:example.org").await.0, "address_gone");
    assert_eq!(server.rooms().len(), 1);
}
