//! The Android channel: messages and access tokens with FCM, and messages to an app with UnifiedPush.

use std::fs;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tidings_tests::channel;
use tidings_tests::harness::{Harness, LIMIT};
use tidings_tests::web::fcm::{Fcm, PROJECT, REPLACED, REPLACEMENT, UNREGISTERED, error};
use tidings_tests::web::push::{App, EXPIRED, Push};
use tidings_tests::web::{RecordedRequest, Reply, WebFault};

use super::{FAR_DATE, grants, plugin, respond, respond_retry_after, test_send};

/// The `Retry-After` of FCM, in seconds: longer than all other waits in these tests.
const RETRY_AFTER_SECONDS: &str = "8";

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

async fn android() -> (Harness, Fcm) {
    with_fcm(Harness::start().await.unwrap()).await
}

async fn with_fcm(harness: Harness) -> (Harness, Fcm) {
    let fcm = Fcm::start().await.unwrap();
    channel::install(&harness.client, "android", &plugin("android"), &config(&fcm), &granted(&fcm)).await.unwrap();
    (harness, fcm)
}

fn send_requests(requests: &[RecordedRequest]) -> Vec<&RecordedRequest> {
    requests.iter().filter(|one| one.target.ends_with("messages:send")).collect()
}

/// Asserts that neither the key nor an access token is in the log of the daemon or in the API.
async fn assert_no_leak(harness: &Harness) {
    let channel = json!(harness.client.channel("android").await.unwrap());
    let rows = harness.deliveries("android").await.unwrap();
    let log = fs::read_to_string(harness.home.log()).unwrap();
    for text in [log, channel.to_string(), json!(rows).to_string()] {
        for secret in ["PRIVATE KEY", "MIIEv", "ya29.", "jwt-bearer", "eyJ"] {
            assert!(!text.contains(secret), "{secret} is in {text}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_is_the_same_in_every_attempt_and_all_messages_use_one_access_token() {
    let (mut harness, fcm) = android().await;
    harness.wants_everything("amara", "android", &[PHONE]).await.unwrap();
    assert_eq!(test_send(&harness, "android", PHONE).await.0, "delivered");
    // The test message had its own access token; the running channel gets another with its first message.
    harness.publish(["first".to_owned()]).await.unwrap();
    harness.wait_processed(1).await.unwrap();
    harness.queue_empty("android").await.unwrap();
    let faults = [respond(500), WebFault::Reset, WebFault::LoseReply];
    let before = fcm.web.requests().len();
    let count = faults.len();
    for fault in faults {
        fcm.web.fault(fault);
    }
    harness.publish(["lanternd".to_owned()]).await.unwrap();
    harness.wait_processed(2).await.unwrap();
    fcm.web.wait("the last attempt", LIMIT, |requests| (requests.len() > before + count).then_some(())).await.unwrap();
    let books = harness.queue_empty("android").await.unwrap();
    assert_eq!((books.delivered, books.dead), (2, 0));
    let requests = fcm.web.requests();
    let attempts = &requests[before..];
    assert!(attempts.iter().all(|one| one.body == attempts[0].body), "the same in every attempt");
    assert!(requests.iter().all(|one| one.body.len() <= 4096));
    assert_eq!((fcm.tokens().len(), fcm.token_errors()), (2, Vec::<String>::new()));
    let message = fcm.messages().pop().unwrap();
    assert_eq!(message["token"], PHONE);
    assert_eq!(message["android"]["collapse_key"].as_str().map(str::len), Some(32));
    assert!(message["notification"].to_string().contains("lanternd"), "{message}");
    let row = &harness.deliveries("android").await.unwrap()[0];
    assert!(row.note.as_deref().unwrap().starts_with("projects/"), "the name of the message is the receipt: {row:?}");
    assert_no_leak(&harness).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_response_of_fcm_maps_to_its_outcome() {
    let (harness, fcm) = android().await;
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
        // Each test message has an instance of its own, so its first request is for an access token.
        let token = json!({"access_token": "ya29.scripted", "expires_in": 3599, "token_type": "Bearer"});
        fcm.web.fault(WebFault::Respond(Reply::json(200, &token)));
        fcm.web.fault(WebFault::Respond(reply));
        let (got, seconds) = test_send(&harness, "android", PHONE).await;
        assert_eq!(got, outcome);
        assert!(wait.map_or(seconds.is_none(), |wait| seconds.is_some_and(|s| wait.contains(&s))), "{seconds:?}");
    }
    assert_eq!(test_send(&harness, "android", UNREGISTERED).await.0, "address_gone");
    assert_eq!(test_send(&harness, "android", REPLACED).await.0, "address_gone");
    // Without an access token no message is sent.
    for fault in
        [WebFault::Respond(Reply::json(400, &json!({"error": "invalid_grant"}))), respond(503), WebFault::Reset]
    {
        let before = send_requests(&fcm.web.requests()).len();
        fcm.web.fault(fault);
        assert_eq!(test_send(&harness, "android", PHONE).await.0, "channel_trouble");
        assert_eq!(send_requests(&fcm.web.requests()).len(), before);
    }
    assert_no_leak(&harness).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn row_43_an_unregistered_token_gets_no_more_messages_and_a_replaced_one_is_updated() {
    let (mut harness, fcm) = android().await;
    harness.wants_everything("amara", "android", &[UNREGISTERED]).await.unwrap();
    harness.wants_everything("bjorn", "android", &[REPLACED]).await.unwrap();
    for number in 1..=2 {
        harness.publish(["lanternd".to_owned()]).await.unwrap();
        harness.wait_processed(number).await.unwrap();
        harness.queue_empty("android").await.unwrap();
    }
    let requests = fcm.web.requests();
    let requests_for =
        |token: &str| send_requests(&requests).iter().filter(|one| one.json()["message"]["token"] == token).count();
    assert_eq!((requests_for(UNREGISTERED), requests_for(REPLACED)), (1, 1), "neither is used again");
    let messages = fcm.messages();
    assert_eq!(messages.len(), 2, "both messages were sent to the new token: {messages:?}");
    assert!(messages.iter().all(|message| message["token"] == REPLACEMENT));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_quota_error_pauses_the_whole_channel_and_no_delivery_fails() {
    let longer =
        Harness::start_with(|settings| settings.dispatch.backoff_max = format!("{RETRY_AFTER_SECONDS}s")).await;
    let (mut harness, fcm) = with_fcm(longer.unwrap()).await;
    let users = ["amara", "bjorn", "chidi"];
    for user in users {
        harness.wants_everything(user, "android", &[&format!("{PHONE}-{user}")]).await.unwrap();
    }
    let token = json!({"access_token": "ya29.scripted", "expires_in": 3599, "token_type": "Bearer"});
    fcm.web.fault(WebFault::Respond(Reply::json(200, &token)));
    fcm.web.fault(respond_retry_after(429, RETRY_AFTER_SECONDS));
    harness.publish(["lanternd".to_owned()]).await.unwrap();
    harness.wait_processed(1).await.unwrap();
    fcm.web.wait("the quota", LIMIT, |requests| (!send_requests(requests).is_empty()).then_some(())).await.unwrap();
    let refused = Instant::now();
    fcm.web.wait("the next one", LIMIT, |requests| (send_requests(requests).len() > 1).then_some(())).await.unwrap();
    let rest = Duration::from_secs(RETRY_AFTER_SECONDS.parse().unwrap());
    assert!(refused.elapsed() > rest.mul_f64(0.8), "nothing is sent meanwhile: {:?}", refused.elapsed());
    let books = harness.queue_empty("android").await.unwrap();
    assert_eq!((books.delivered, books.dead, fcm.messages().len()), (3, 0, 3));
    let rows = harness.deliveries("android").await.unwrap();
    let attempts: Vec<u32> = rows.iter().map(|row| row.attempts).collect();
    assert_eq!(attempts, [1; 3], "the quota error counts as no attempt");
    // The server does not know the scripted token: it returned 401, and the host got a new token.
    assert_eq!(fcm.tokens().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_access_token_is_replaced_without_a_failed_delivery() {
    let (mut harness, fcm) = android().await;
    harness.wants_everything("amara", "android", &[PHONE]).await.unwrap();
    for number in 1..=2 {
        harness.publish(["lanternd".to_owned()]).await.unwrap();
        harness.wait_processed(number).await.unwrap();
        harness.queue_empty("android").await.unwrap();
        fcm.revoke();
    }
    let requests = fcm.web.requests();
    let targets: Vec<&str> = requests.iter().map(|one| one.target.rsplit('/').next().unwrap()).collect();
    let (token, send) = ("token", "messages:send");
    assert_eq!(targets, [token, send, send, token, send]);
    let books = harness.books("android").await.unwrap();
    assert_eq!((books.delivered, books.dead), (2, 0));
    assert_no_leak(&harness).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_channel_cannot_be_enabled_without_its_service_account() {
    let (harness, fcm) = android().await;
    channel::switch(&harness.client, "android", false).await.unwrap();
    harness.client.put("/api/v1/channels/android/grants", &json!({"credentials": []})).await.unwrap();
    let refused = format!("{:#}", channel::switch(&harness.client, "android", true).await.unwrap_err());
    assert!(refused.contains("needs the credential `service-account`"), "{refused}");
    let channel = harness.client.channel("android").await.unwrap();
    let ask = &channel.credential_asks[0];
    assert_eq!((ask.kind.as_str(), ask.granted), ("google-service-account", false), "{ask:?}");
    harness.client.put("/api/v1/channels/android/grants", &granted(&fcm)).await.unwrap();
    channel::switch(&harness.client, "android", true).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_with_unifiedpush_can_decrypt_its_message() {
    let (mut harness, fcm) = android().await;
    let push = Push::start(&["/amara", "/bjorn"]).await.unwrap();
    let web = &push.web;
    let mut both = granted(&fcm);
    let more = grants(web.address, json!([]))["reach"][0].clone();
    both["reach"].as_array_mut().unwrap().push(more);
    harness.client.put("/api/v1/channels/android/grants", &both).await.unwrap();
    let app = App::new().unwrap();
    let address = format!("{}{}", web.url("/amara"), app.fragment());
    harness.wants_everything("amara", "android", &[&address]).await.unwrap();
    harness.wants_everything("bjorn", "android", &[&web.url("/bjorn")]).await.unwrap();
    // The server accepts the first attempt, but its reply is lost. The second attempt has the same topic and replaces it.
    web.fault(WebFault::LoseReply);
    harness.publish(["lanternd".to_owned()]).await.unwrap();
    harness.wait_processed(1).await.unwrap();
    let books = harness.queue_empty("android").await.unwrap();
    assert_eq!((books.delivered, books.dead), (2, 0));
    let requests = web.requests();
    assert_eq!(requests.len(), 3, "one was sent twice");
    assert!(requests.iter().all(|one| one.header("authorization").is_empty()), "the access token is only for FCM");
    let (amara, bjorn) = (push.messages("/amara"), push.messages("/bjorn"));
    let ([amara], [bjorn]) = (&amara[..], &bjorn[..]) else { panic!("not one message each: {amara:?} {bjorn:?}") };
    assert_eq!((amara.encrypted, amara.urgency.as_str(), amara.ttl, amara.topic.len()), (true, "high", 86_400, 32));
    let decrypted: Value = serde_json::from_slice(&app.decrypt(&amara.body).unwrap()).unwrap();
    assert!(!bjorn.encrypted, "an address without keys gets plain JSON");
    let clear: Value = serde_json::from_slice(&bjorn.body).unwrap();
    assert_eq!(decrypted["title"], clear["title"]);
    assert!(decrypted["title"].as_str().unwrap().contains("lanternd"), "{decrypted}");
    for path in [EXPIRED, "/unknown"] {
        assert_eq!(test_send(&harness, "android", &web.url(path)).await.0, "address_gone", "{path}");
    }
    web.fault(respond_retry_after(429, "120"));
    let (outcome, seconds) = test_send(&harness, "android", &web.url("/bjorn")).await;
    assert_eq!(
        (outcome.as_str(), seconds),
        ("retry", Some(120)),
        "the server of one recipient does not pause the channel"
    );
    web.fault(WebFault::Delay(Duration::from_millis(1)));
    assert_eq!(test_send(&harness, "android", &web.url("/bjorn")).await.0, "delivered");
    assert!(fcm.messages().is_empty());
}
