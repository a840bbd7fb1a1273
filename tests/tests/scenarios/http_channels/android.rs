//! Android: what FCM makes of the channel's messages and of its tokens, and what an app behind UnifiedPush can read.

use std::fs;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tidings_tests::channel;
use tidings_tests::scene::{LIMIT, Scene};
use tidings_tests::web::fcm::{Fcm, PROJECT, REPLACED, REPLACEMENT, UNREGISTERED, error};
use tidings_tests::web::push::{App, EXPIRED, Push};
use tidings_tests::web::{Reply, SeenRequest, WebFault};

use super::{FAR_DATE, grants, plugin, say, test_send, wait_for};

/// For which FCM asks to be left alone: longer than anything else is put off here.
const REST_SECONDS: &str = "8";

const PHONE: &str = "d1Xq_-7:APA91bZkV3vQ8xxxxxxxxxxxx";

fn granted(fcm: &Fcm) -> Value {
    let host = fcm.web.address.ip().to_string();
    let key =
        json!({"name": "service-account", "kind": "google-service-account", "value": fcm.key_file(), "host": host});
    grants(fcm.web.address, json!([key]))
}

fn config(fcm: &Fcm) -> Value {
    json!({"api": fcm.web.url(""), "project": PROJECT, "token_url": fcm.web.url("/token"), "plain_http": "true"})
}

async fn android() -> (Scene, Fcm) {
    in_scene(Scene::set().await.unwrap()).await
}

async fn in_scene(scene: Scene) -> (Scene, Fcm) {
    let fcm = Fcm::start().await.unwrap();
    channel::install(&scene.client, "android", &plugin("android"), &config(&fcm), &granted(&fcm)).await.unwrap();
    (scene, fcm)
}

fn sends(seen: &[SeenRequest]) -> Vec<&SeenRequest> {
    seen.iter().filter(|one| one.target.ends_with("messages:send")).collect()
}

/// That neither the key nor a token is in the daemon's log or in what it says of the channel.
async fn nothing_leaked(scene: &Scene) {
    let channel = json!(scene.client.channel("android").await.unwrap());
    let rows = scene.deliveries("android").await.unwrap();
    let log = fs::read_to_string(scene.home.log()).unwrap();
    for text in [log, channel.to_string(), json!(rows).to_string()] {
        for secret in ["PRIVATE KEY", "MIIEv", "ya29.", "jwt-bearer", "eyJ"] {
            assert!(!text.contains(secret), "{secret} is in {text}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_arrives_on_the_phone_with_one_token_for_all_and_the_same_in_every_attempt() {
    let (mut scene, fcm) = android().await;
    scene.wants_everything("amara", "android", &[PHONE]).await.unwrap();
    assert_eq!(test_send(&scene, "android", PHONE).await.0, "delivered");
    // The token was for that one: the running channel gets its own with the first message.
    scene.publish(["first".to_owned()]).await.unwrap();
    scene.dealt_with(1).await.unwrap();
    scene.queue_empty("android").await.unwrap();
    let faults = [say(500), WebFault::Reset, WebFault::LoseReply];
    let before = fcm.web.seen().len();
    let count = faults.len();
    for fault in faults {
        fcm.web.fault(fault);
    }
    scene.publish(["lanternd".to_owned()]).await.unwrap();
    scene.dealt_with(2).await.unwrap();
    fcm.web.wait("the last attempt", LIMIT, |seen| (seen.len() > before + count).then_some(())).await.unwrap();
    let books = scene.queue_empty("android").await.unwrap();
    assert_eq!((books.delivered, books.dead), (2, 0));
    let seen = fcm.web.seen();
    let attempts = &seen[before..];
    assert!(attempts.iter().all(|one| one.body == attempts[0].body), "the same in every attempt");
    assert!(seen.iter().all(|one| one.body.len() <= 4096));
    assert_eq!((fcm.tokens().len(), fcm.refused()), (2, Vec::<String>::new()));
    let message = fcm.taken().pop().unwrap();
    assert_eq!(message["token"], PHONE);
    assert_eq!(message["android"]["collapse_key"].as_str().map(str::len), Some(32));
    assert!(message["notification"].to_string().contains("lanternd"), "{message}");
    let row = &scene.deliveries("android").await.unwrap()[0];
    assert!(row.note.as_deref().unwrap().starts_with("projects/"), "FCM's name is the receipt: {row:?}");
    nothing_leaked(&scene).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_answer_of_fcm_has_its_outcome() {
    let (scene, fcm) = android().await;
    let quota = || error(429, "RESOURCE_EXHAUSTED", Some("QUOTA_EXCEEDED"));
    for (reply, outcome, wait) in [
        (quota().with("retry-after", "120"), "channel_trouble", Some(120..=120)),
        (quota().with("retry-after", FAR_DATE), "channel_trouble", Some(86_400..=u64::MAX)),
        (quota(), "channel_trouble", Some(60..=60)),
        (error(503, "UNAVAILABLE", Some("UNAVAILABLE")).with("retry-after", "7"), "channel_trouble", Some(7..=7)),
        (error(403, "PERMISSION_DENIED", None), "channel_trouble", None),
        (error(403, "PERMISSION_DENIED", Some("SENDER_ID_MISMATCH")), "rejected", None),
        (error(401, "UNAUTHENTICATED", Some("THIRD_PARTY_AUTH_ERROR")), "rejected", None),
        (error(400, "INVALID_ARGUMENT", Some("INVALID_ARGUMENT")), "rejected", None),
        (error(500, "INTERNAL", Some("INTERNAL")), "retry", None),
        (Reply::status(410), "address_gone", None),
    ] {
        // Each is sent by a channel of its own: first the token, then the message meets its fault.
        let token = json!({"access_token": "ya29.scripted", "expires_in": 3599, "token_type": "Bearer"});
        fcm.web.fault(WebFault::Say(Reply::json(200, &token)));
        fcm.web.fault(WebFault::Say(reply));
        let (got, seconds) = test_send(&scene, "android", PHONE).await;
        assert_eq!(got, outcome);
        assert!(wait.map_or(seconds.is_none(), |wait| seconds.is_some_and(|s| wait.contains(&s))), "{seconds:?}");
    }
    assert_eq!(test_send(&scene, "android", UNREGISTERED).await.0, "address_gone");
    assert_eq!(test_send(&scene, "android", REPLACED).await.0, "address_gone");
    // Without a token there is nothing to send, and nothing to send it for.
    for fault in [WebFault::Say(Reply::json(400, &json!({"error": "invalid_grant"}))), say(503), WebFault::Reset] {
        let before = sends(&fcm.web.seen()).len();
        fcm.web.fault(fault);
        assert_eq!(test_send(&scene, "android", PHONE).await.0, "channel_trouble");
        assert_eq!(sends(&fcm.web.seen()).len(), before);
    }
    nothing_leaked(&scene).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn row_43_what_a_lost_phone_and_a_moved_one_get() {
    let (mut scene, fcm) = android().await;
    scene.wants_everything("amara", "android", &[UNREGISTERED]).await.unwrap();
    scene.wants_everything("bjorn", "android", &[REPLACED]).await.unwrap();
    for number in 1..=2 {
        scene.publish(["lanternd".to_owned()]).await.unwrap();
        scene.dealt_with(number).await.unwrap();
        scene.queue_empty("android").await.unwrap();
    }
    let seen = fcm.web.seen();
    let asked = |token: &str| sends(&seen).iter().filter(|one| one.json()["message"]["token"] == token).count();
    assert_eq!((asked(UNREGISTERED), asked(REPLACED)), (1, 1), "neither is asked again");
    let taken = fcm.taken();
    assert_eq!(taken.len(), 2, "both went to the new token: {taken:?}");
    assert!(taken.iter().all(|message| message["token"] == REPLACEMENT));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_quota_slows_the_whole_project_and_costs_no_delivery() {
    let longer = Scene::set_with(|settings| settings.dispatch.backoff_max = format!("{REST_SECONDS}s")).await;
    let (mut scene, fcm) = in_scene(longer.unwrap()).await;
    let users = ["amara", "bjorn", "chidi"];
    for user in users {
        scene.wants_everything(user, "android", &[&format!("{PHONE}-{user}")]).await.unwrap();
    }
    let token = json!({"access_token": "ya29.scripted", "expires_in": 3599, "token_type": "Bearer"});
    fcm.web.fault(WebFault::Say(Reply::json(200, &token)));
    fcm.web.fault(wait_for(429, REST_SECONDS));
    scene.publish(["lanternd".to_owned()]).await.unwrap();
    scene.dealt_with(1).await.unwrap();
    fcm.web.wait("the quota", LIMIT, |seen| (!sends(seen).is_empty()).then_some(())).await.unwrap();
    let refused = Instant::now();
    fcm.web.wait("the next one", LIMIT, |seen| (sends(seen).len() > 1).then_some(())).await.unwrap();
    let rest = Duration::from_secs(REST_SECONDS.parse().unwrap());
    assert!(refused.elapsed() > rest.mul_f64(0.8), "nothing is sent to anybody meanwhile: {:?}", refused.elapsed());
    let books = scene.queue_empty("android").await.unwrap();
    assert_eq!((books.delivered, books.dead, fcm.taken().len()), (3, 0, 3));
    let rows = scene.deliveries("android").await.unwrap();
    let attempts: Vec<u32> = rows.iter().map(|row| row.attempts).collect();
    assert_eq!(attempts, [1; 3], "what met the quota or waited behind it has lost no attempt");
    // The scripted token was none of the server's: one 401, one new token, and nobody noticed.
    assert_eq!(fcm.tokens().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_is_withdrawn_is_replaced_without_a_failed_delivery() {
    let (mut scene, fcm) = android().await;
    scene.wants_everything("amara", "android", &[PHONE]).await.unwrap();
    for number in 1..=2 {
        scene.publish(["lanternd".to_owned()]).await.unwrap();
        scene.dealt_with(number).await.unwrap();
        scene.queue_empty("android").await.unwrap();
        fcm.revoke();
    }
    let seen = fcm.web.seen();
    let targets: Vec<&str> = seen.iter().map(|one| one.target.rsplit('/').next().unwrap()).collect();
    let (token, send) = ("token", "messages:send");
    assert_eq!(targets, [token, send, send, token, send]);
    let books = scene.books("android").await.unwrap();
    assert_eq!((books.delivered, books.dead), (2, 0));
    nothing_leaked(&scene).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_channel_is_not_enabled_without_its_service_account() {
    let (scene, fcm) = android().await;
    channel::switch(&scene.client, "android", false).await.unwrap();
    scene.client.put("/api/v1/channels/android/grants", &json!({"credentials": []})).await.unwrap();
    let refused = format!("{:#}", channel::switch(&scene.client, "android", true).await.unwrap_err());
    assert!(refused.contains("needs the credential `service-account`"), "{refused}");
    let channel = scene.client.channel("android").await.unwrap();
    let ask = &channel.credential_asks[0];
    assert_eq!((ask.kind.as_str(), ask.granted), ("google-service-account", false), "{ask:?}");
    scene.client.put("/api/v1/channels/android/grants", &granted(&fcm)).await.unwrap();
    channel::switch(&scene.client, "android", true).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_behind_unifiedpush_reads_what_was_encrypted_for_it() {
    let (mut scene, fcm) = android().await;
    let push = Push::start(&["/amara", "/bjorn"]).await.unwrap();
    let web = &push.web;
    let mut both = granted(&fcm);
    let more = grants(web.address, json!([]))["reach"][0].clone();
    both["reach"].as_array_mut().unwrap().push(more);
    scene.client.put("/api/v1/channels/android/grants", &both).await.unwrap();
    let app = App::new().unwrap();
    let address = format!("{}{}", web.url("/amara"), app.fragment());
    scene.wants_everything("amara", "android", &[&address]).await.unwrap();
    scene.wants_everything("bjorn", "android", &[&web.url("/bjorn")]).await.unwrap();
    // The first attempt is taken, but nobody hears of it: its topic makes the second one take its place.
    web.fault(WebFault::LoseReply);
    scene.publish(["lanternd".to_owned()]).await.unwrap();
    scene.dealt_with(1).await.unwrap();
    let books = scene.queue_empty("android").await.unwrap();
    assert_eq!((books.delivered, books.dead), (2, 0));
    let seen = web.seen();
    assert_eq!(seen.len(), 3, "one was sent twice");
    assert!(seen.iter().all(|one| one.header("authorization").is_empty()), "the token is FCM's alone");
    let (amara, bjorn) = (push.kept("/amara"), push.kept("/bjorn"));
    let ([amara], [bjorn]) = (&amara[..], &bjorn[..]) else { panic!("not one each: {amara:?} {bjorn:?}") };
    assert_eq!((amara.encrypted, amara.urgency.as_str(), amara.ttl, amara.topic.len()), (true, "high", 86_400, 32));
    let said: Value = serde_json::from_slice(&app.decrypt(&amara.body).unwrap()).unwrap();
    assert!(!bjorn.encrypted, "an address without keys gets JSON in the clear");
    let clear: Value = serde_json::from_slice(&bjorn.body).unwrap();
    assert_eq!(said["title"], clear["title"]);
    assert!(said["title"].as_str().unwrap().contains("lanternd"), "{said}");
    for path in [EXPIRED, "/unknown"] {
        assert_eq!(test_send(&scene, "android", &web.url(path)).await.0, "address_gone", "{path}");
    }
    web.fault(wait_for(429, "120"));
    let (outcome, seconds) = test_send(&scene, "android", &web.url("/bjorn")).await;
    assert_eq!((outcome.as_str(), seconds), ("retry", Some(120)), "the recipient's own server slows nobody else");
    web.fault(WebFault::Late(Duration::from_millis(1)));
    assert_eq!(test_send(&scene, "android", &web.url("/bjorn")).await.0, "delivered");
    assert!(fcm.taken().is_empty());
}
