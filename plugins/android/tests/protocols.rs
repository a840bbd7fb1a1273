//! The channel with a fake host that returns listed responses: which requests it sends, within which limits, and the outcome
//! of each response.

#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test fails as it does")]

use android::address::Address;
use android::deliver::deliver;
use android::settings::Settings;
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use tidings_plugin::http::{Error, Request, Response};
use tidings_plugin::testing::{self, FakeHost, NOW_MS, answer};
use tidings_plugin::{Content, Delivery, Digest, Event, Outcome};
use web_push_native::{Auth, p256};

const TOKEN: &str = "d1Xq_-7:APA91bZkV3vQ8xxxxxxxxxxxx";
const ENDPOINT: &str = "https://push.example.org/ZkV3vQ8";
/// The keys of the example in RFC 8291, section 5.
const KEYS: &str = "p256dh=BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4&auth=BTBZMqHH6r4Tts7J_aSIgg";
const PRIVATE: &str = "q1dXpw3UpT5VOmu_cf_v6ih07Aems3njxI-JWgLcM94";
/// The id of each delivery in these tests.
const ID: &str = "0123456789abcdef0123456789abcdef";

type HttpResult = Result<Response, Error>;

fn settings(more: &[(&str, &str)]) -> Settings {
    let fcm = [("api", "https://fcm.googleapis.com"), ("project", "tidings-4711")];
    let values: Vec<_> = fcm.iter().chain(more).rev().copied().collect();
    Settings::read(|name| values.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())).unwrap()
}

fn event(subtitle: &str, long_form: &str, link: Option<&str>) -> Event {
    Event {
        link: link.map(str::to_owned),
        icon: Some("https://koji.example.org/icon.png".into()),
        thread: Some("mutt".into()),
        ..testing::event(subtitle, long_form)
    }
}

/// A confirmation whose code expires in ten minutes.
fn confirmation() -> Content {
    match testing::confirmation() {
        Content::Confirmation(mut confirmation) => {
            confirmation.expires_ms = NOW_MS + 600_000;
            Content::Confirmation(confirmation)
        }
        other => other,
    }
}

fn delivery(address: &str, content: Content) -> Delivery {
    let mut delivery = testing::delivery(address, content);
    delivery.recipient.markup = true;
    delivery
}

/// Delivers one delivery; returns its outcome and its requests.
fn send(settings: &Settings, delivery: Delivery, answers: Vec<HttpResult>) -> (Outcome, Vec<Request>) {
    let host = FakeHost::answering(answers);
    let outcome = deliver(&host, settings, &[delivery]).remove(0);
    assert_eq!(host.answers_left(), 0, "each response is used: {outcome:?}");
    (outcome, host.requests())
}

/// The message that is sent to FCM.
fn message(more: &[(&str, &str)], content: Content) -> Value {
    let (_, requests) = send(&settings(more), delivery(TOKEN, content), vec![answer(200, &[], "{}")]);
    assert!(requests[0].body.len() <= 4096);
    serde_json::from_slice::<Value>(&requests[0].body).unwrap()["message"].take()
}

/// The kind of an outcome, its wait, and its receipt or replacement, without the reason.
fn summary(outcome: &Outcome) -> (&'static str, Option<u64>, Option<String>) {
    let (kind, after_ms, _) = testing::parts(outcome);
    let detail = match outcome {
        Outcome::Delivered(receipt) => receipt.clone(),
        Outcome::AddressGone(gone) => gone.replacement.clone(),
        _ => None,
    };
    (kind, after_ms, detail)
}

fn fcm_error(status: &str, code: &str) -> String {
    let detail = json!({"@type": "type.googleapis.com/google.firebase.fcm.v1.FcmError", "errorCode": code});
    json!({"error": {"code": 0, "message": "said so", "status": status, "details": [detail]}}).to_string()
}

const SECONDS: [(&str, &str); 1] = [("retry-after", "120")];
const DATE: [(&str, &str); 1] = [("Retry-After", "Tue, 24 Nov 2026 12:01:00 GMT")];

#[test]
fn each_response_of_fcm_maps_to_its_outcome() {
    let replaced_by = |token: &str| json!({"results": [{"message_id": "1", "registration_id": token}]}).to_string();
    let replaced_by_itself = json!({"error": {"details": [{"errorCode": "UNREGISTERED"}, {"registration_id": TOKEN}]}});
    let replaced = json!({"error": {"details": [{"errorCode": "UNREGISTERED"}, {"registration_id": "new-token"}]}});
    for (status, headers, body, kind, after, detail) in [
        (
            200,
            &[][..],
            json!({"name": "projects/p/messages/1"}).to_string(),
            "delivered",
            None,
            Some("projects/p/messages/1"),
        ),
        (200, &[], "{}".to_owned(), "delivered", None, None),
        (200, &[], replaced_by("new-token"), "gone", None, Some("new-token")),
        (200, &[], replaced_by(TOKEN), "delivered", None, None),
        (404, &[], replaced_by_itself.to_string(), "gone", None, None),
        (404, &[], fcm_error("NOT_FOUND", "UNREGISTERED"), "gone", None, None),
        (404, &[], replaced.to_string(), "gone", None, Some("new-token")),
        (404, &[], json!({"error": {"status": "NOT_FOUND"}}).to_string(), "trouble", None, None),
        (410, &[], String::new(), "gone", None, None),
        (400, &[], fcm_error("INVALID_ARGUMENT", "INVALID_ARGUMENT"), "rejected", None, None),
        (413, &[], String::new(), "rejected", None, None),
        (401, &[], fcm_error("UNAUTHENTICATED", "THIRD_PARTY_AUTH_ERROR"), "rejected", None, None),
        (401, &[], fcm_error("UNAUTHENTICATED", ""), "trouble", None, None),
        (403, &[], fcm_error("PERMISSION_DENIED", ""), "trouble", None, None),
        (403, &[], fcm_error("PERMISSION_DENIED", "SENDER_ID_MISMATCH"), "rejected", None, None),
        (429, &[], fcm_error("RESOURCE_EXHAUSTED", "QUOTA_EXCEEDED"), "trouble", Some(60_000), None),
        (429, &SECONDS, fcm_error("RESOURCE_EXHAUSTED", "QUOTA_EXCEEDED"), "trouble", Some(120_000), None),
        (429, &DATE, String::new(), "trouble", Some(60_000), None),
        (503, &[], fcm_error("UNAVAILABLE", "UNAVAILABLE"), "trouble", None, None),
        (503, &SECONDS, String::new(), "trouble", Some(120_000), None),
        (503, &DATE, String::new(), "trouble", Some(60_000), None),
        (500, &[], fcm_error("INTERNAL", "INTERNAL"), "retry", None, None),
        (502, &SECONDS, String::new(), "retry", Some(120_000), None),
        (302, &[], String::new(), "trouble", None, None),
        (405, &[], "<html>".to_owned(), "trouble", None, None),
    ] {
        let (outcome, _) = send(&settings(&[]), delivery(TOKEN, confirmation()), vec![answer(status, headers, &body)]);
        assert_eq!(summary(&outcome), (kind, after, detail.map(str::to_owned)), "{status} {body}");
    }
    for (error, kind) in [
        (Error::Denied("the credential `service-account`: HTTP 400 (invalid_grant)".into()), "trouble"),
        (Error::Timeout, "trouble"),
        (Error::Failed("reset".into()), "retry"),
    ] {
        let (outcome, _) = send(&settings(&[]), delivery(TOKEN, confirmation()), vec![Err(error)]);
        assert_eq!(summary(&outcome).0, kind);
        assert!(!testing::parts(&outcome).2.contains("not granted"), "{outcome:?}");
    }
}

#[test]
fn each_response_of_a_push_server_maps_to_an_outcome_of_that_delivery_alone() {
    let location = [("location", "https://push.example.org/m/1")];
    for (status, headers, kind, after, detail) in [
        (201, &location[..], "delivered", None, Some("https://push.example.org/m/1")),
        (200, &[], "delivered", None, Some("HTTP 200")),
        (302, &location, "rejected", None, None),
        (400, &[], "rejected", None, None),
        (401, &[], "rejected", None, None),
        (404, &[], "gone", None, None),
        (410, &[], "gone", None, None),
        (429, &SECONDS, "retry", Some(120_000), None),
        (429, &DATE, "retry", Some(60_000), None),
        (500, &[], "retry", None, None),
        (503, &SECONDS, "retry", Some(120_000), None),
    ] {
        let (outcome, _) = send(&settings(&[]), delivery(ENDPOINT, confirmation()), vec![answer(status, headers, "")]);
        assert_eq!(summary(&outcome), (kind, after, detail.map(str::to_owned)), "{status}");
    }
    let large = || Content::Single(event("built", &"x".repeat(9000), Some("https://koji.example.org/1")));
    for (second, kind) in [(201, "delivered"), (413, "rejected")] {
        let answers = vec![answer(413, &[], ""), answer(second, &[], "")];
        let (outcome, requests) = send(&settings(&[]), delivery(ENDPOINT, large()), answers);
        assert_eq!(summary(&outcome).0, kind);
        assert!((4000..=4096).contains(&requests[0].body.len()) && (900..=1024).contains(&requests[1].body.len()));
        assert_eq!(serde_json::from_slice::<Value>(&requests[1].body).unwrap()["link"], "https://koji.example.org/1");
    }
}

#[test]
fn trouble_of_fcm_ends_the_batch_and_a_push_server_that_times_out_gets_one_request() {
    let other = "https://other.example/x";
    let batch = |addresses: &[&str]| addresses.iter().map(|to| delivery(to, confirmation())).collect::<Vec<_>>();
    let kinds = |addresses: &[&str], answers: Vec<HttpResult>| {
        let host = FakeHost::answering(answers);
        let outcomes = deliver(&host, &settings(&[]), &batch(addresses));
        assert_eq!(host.answers_left(), 0, "{outcomes:?}");
        outcomes.iter().map(|outcome| summary(outcome).0).collect::<Vec<_>>()
    };
    let success = || answer(200, &[], "{}");
    assert_eq!(
        kinds(&[TOKEN, TOKEN, TOKEN], vec![success(), answer(429, &[], "")]),
        ["delivered", "trouble", "trouble"]
    );
    let timeout = vec![Err(Error::Timeout), success(), success()];
    assert_eq!(kinds(&[ENDPOINT, other, ENDPOINT, TOKEN], timeout), ["retry", "delivered", "retry", "delivered"]);
    assert_eq!(kinds(&["not an address", ENDPOINT], vec![success()]), ["rejected", "delivered"]);
}

#[test]
fn a_notification_and_a_data_message_have_the_same_content() {
    let content = || Content::Single(event("mutt built", "by ralph", Some("https://koji.example.org/1")));
    let (id, text) = (ID, "by ralph");
    let data = json!({
        "id": id, "kind": "single", "link": "https://koji.example.org/1", "topic": "org.example.prod.a.b",
        "application": "a", "thread": "mutt", "time": NOW_MS.to_string(),
        "icon": "https://koji.example.org/icon.png",
    });
    let notification = json!({
        "token": TOKEN, "notification": {"title": "mutt built", "body": text}, "data": data,
        "android": {"priority": "HIGH", "ttl": "86400s", "collapse_key": id, "notification": {"tag": id}},
    });
    assert_eq!(message(&[], content()), notification);
    let data_message = message(&[("form", "data"), ("priority", "normal"), ("ttl", "60")], content());
    let mut all = data;
    (all["title"], all["text"]) = (json!("mutt built"), json!(text));
    assert_eq!(data_message, json!({"token": TOKEN, "data": all, "android": {"priority": "NORMAL", "ttl": "60s"}}));
    let message = message(&[("priority", "normal")], confirmation());
    assert_eq!(message["android"]["priority"], "HIGH", "the user waits for a confirmation");
    assert_eq!(message["android"]["ttl"], "600s", "until the code expires");
    assert_eq!(
        (&message["data"]["code"], &message["data"]["accept"]),
        (&json!("K7QX"), &json!("https://t.example/yes"))
    );
}

#[test]
fn a_message_of_any_content_fits_the_limit_and_keeps_its_link() {
    let link = format!("https://koji.example.org/{}", "y".repeat(900));
    let huge = |text: &str| event(&text.repeat(3000), &format!("{}.", text.repeat(3000)), Some(&link));
    let many = Digest {
        events: (0..40).map(|_| huge("ż")).collect(),
        summary: vec!["\u{1f389} ".repeat(200); 100],
        omitted: 7,
    };
    let contents = ["żółw ", "\u{1f389}", "\"\\", "\u{1b}\u{7}", "\na", "x"].map(huge).map(Content::Single).into_iter();
    for content in contents.chain([Content::Digest(many)]) {
        for more in [&[][..], &[("form", "data")]] {
            let message = message(more, content.clone());
            let data = message["data"].as_object().unwrap();
            assert!(data.values().all(Value::is_string), "{data:?}");
            let text = if more.is_empty() { &message["notification"]["body"] } else { &data["text"] };
            assert!(text.as_str().unwrap().len() > 400 && text.as_str().unwrap().ends_with('…'), "{text}");
            let kept = data.get("link").and_then(Value::as_str).unwrap_or_default();
            assert!(kept == link || data["kind"] == "digest", "{kept}");
        }
        let keyed = format!("{ENDPOINT}#{KEYS}");
        for address in [ENDPOINT, &keyed] {
            let (_, requests) = send(&settings(&[]), delivery(address, content.clone()), vec![answer(201, &[], "")]);
            assert!((3000..=4096).contains(&requests[0].body.len()), "{}", requests[0].body.len());
        }
    }
}

#[test]
fn a_message_that_is_too_large_loses_its_icon_first_then_text_and_links_last() {
    let link = |octets: usize| format!("https://koji.example.org/{}", "y".repeat(octets - 25));
    let keyed = format!("{ENDPOINT}#{KEYS}");
    let text = |length: usize| "x".repeat(length);
    // Each row: the address, whether the server has a small limit, the lengths of link and text, and what is kept of link,
    // icon and text.
    for (address, short, (link_length, text_length), (link_kept, icon_kept, text_kept)) in [
        (ENDPOINT, false, (100, 100), (true, true, 100..=100)),
        (ENDPOINT, false, (1024, 2860), (true, false, 2860..=2860)),
        (ENDPOINT, false, (1024, 9000), (true, false, 2800..=2891)),
        (ENDPOINT, false, (1025, 100), (false, true, 100..=100)),
        (&keyed, false, (1024, 100), (true, true, 100..=100)),
        (&keyed, false, (1024, 9000), (true, false, 2600..=2788)),
        (ENDPOINT, true, (256, 9000), (true, false, 300..=600)),
        (ENDPOINT, true, (257, 9000), (false, false, 600..=900)),
        (&keyed, true, (256, 9000), (true, false, 200..=500)),
        (&keyed, true, (1000, 100), (false, true, 100..=100)),
    ] {
        let content = || Content::Single(event("built", &text(text_length), Some(&link(link_length))));
        let mut answers = vec![answer(201, &[], "")];
        if short {
            answers.insert(0, answer(413, &[], ""));
        }
        let (outcome, requests) = send(&settings(&[]), delivery(address, content()), answers);
        assert_eq!(summary(&outcome).0, "delivered");
        let body = &requests.last().unwrap().body;
        assert!(body.len() <= if short { 1024 } else { 4096 }, "{}", body.len());
        let plain = if address == keyed { decrypted(body.clone()) } else { body.clone() };
        let message: Value = serde_json::from_slice(&plain).unwrap();
        let kept = (message["link"] == link(link_length).as_str(), message.get("icon").is_some());
        assert_eq!(kept, (link_kept, icon_kept), "{link_length} {text_length} {short}");
        let length = message["text"].as_str().unwrap().len();
        assert!(text_kept.contains(&length), "{link_length} {text_length} {short}: {length}");
    }
    // The longest names leave no space for a link: the link is removed, and the text is kept.
    let longest = Event {
        topic: text(128),
        application: text(128),
        thread: Some(text(128)),
        ..event(&text(256), "a few words", Some(&link(256)))
    };
    let answers = vec![answer(413, &[], ""), answer(201, &[], "")];
    let (_, requests) = send(&settings(&[]), delivery(ENDPOINT, Content::Single(longest)), answers);
    assert!(requests[1].body.len() <= 1024);
    let message: Value = serde_json::from_slice(&requests[1].body).unwrap();
    assert_eq!((message.get("link"), &message["text"]), (None, &json!("a few words")));
}

fn decode(text: &str) -> Vec<u8> {
    BASE64_URL_SAFE_NO_PAD.decode(text).unwrap()
}

/// Decrypts a body as the app with the keys [`KEYS`].
fn decrypted(body: Vec<u8>) -> Vec<u8> {
    let secret = p256::SecretKey::from_slice(&decode(PRIVATE)).unwrap();
    let auth = Auth::clone_from_slice(&decode("BTBZMqHH6r4Tts7J_aSIgg"));
    web_push_native::decrypt(body, &secret, &auth).unwrap()
}

#[test]
fn a_push_message_is_encrypted_for_the_app_whose_keys_the_address_has() {
    // The example of the standard shows that `decrypted` is right, and not only the inverse of the plugin.
    let example = "DGv6ra1nlYgDCS1FRnbzlwAAEABBBP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8wEqKK6PBru3jl7A_yl95bQpu6cVPTpK4Mqgkf1CXztLVBSt2Ks3oZwbuwXPXLWyouBWLVWGNWQexSgSxsj_Qulcy4a-fN";
    assert_eq!(decrypted(decode(example)), b"When I grow up, I want to be a watermelon");

    let address = format!("{ENDPOINT}#{KEYS}");
    assert_eq!(Address::parse(&address, false).unwrap().to_string(), address);
    let (_, requests) = send(&settings(&[]), delivery(&address, confirmation()), vec![answer(201, &[], "")]);
    let request = &requests[0];
    assert_eq!(request.url, ENDPOINT, "the keys are not sent");
    let header = |name: &str| request.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
    assert_eq!((header("ttl"), header("urgency")), (Some("600"), Some("high")));
    assert_eq!((header("topic"), header("content-encoding")), (Some(ID), Some("aes128gcm")));
    assert_eq!(request.credential, None);
    let message: Value = serde_json::from_slice(&decrypted(request.body.clone())).unwrap();
    assert_eq!((&message["kind"], &message["code"]), (&json!("confirmation"), &json!("K7QX")));
    let (_, again) = send(&settings(&[]), delivery(&address, confirmation()), vec![answer(201, &[], "")]);
    assert_ne!(again[0].body, request.body, "each message has its own key");
}
