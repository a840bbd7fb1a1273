//! The channel against a far side that is a list: what it sends, within which bounds, and what it makes of each answer.

#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test fails as it does")]

use std::cell::RefCell;

use android::address::Address;
use android::deliver::deliver;
use android::settings::Settings;
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use tidings_plugin::host::Host;
use tidings_plugin::http::{Error, Request, Response};
use tidings_plugin::{Confirmation, Content, Delivery, Digest, Event, Outcome, Recipient};
use web_push_native::{Auth, p256};

/// 2026-11-24 12:00:00 UTC.
const NOON_MS: u64 = 1_795_521_600_000;
const TOKEN: &str = "d1Xq_-7:APA91bZkV3vQ8xxxxxxxxxxxx";
const ENDPOINT: &str = "https://push.example.org/ZkV3vQ8";
/// Keys and private key of RFC 8291, 5.
const KEYS: &str = "p256dh=BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4&auth=BTBZMqHH6r4Tts7J_aSIgg";
const PRIVATE: &str = "q1dXpw3UpT5VOmu_cf_v6ih07Aems3njxI-JWgLcM94";

type Answer = Result<Response, Error>;

/// Answers from the list, in order, and remembers what it was asked.
struct Far(RefCell<Vec<Answer>>, RefCell<Vec<Request>>);

impl Host for Far {
    fn send(&self, request: &Request) -> Answer {
        self.1.borrow_mut().push(request.clone());
        self.0.borrow_mut().remove(0)
    }

    fn now_ms(&self) -> u64 {
        NOON_MS
    }

    fn remaining_ms(&self) -> u64 {
        120_000
    }

    fn settled(&self, _: usize, _: &Outcome) {}
}

fn settings(more: &[(&str, &str)]) -> Settings {
    let fcm = [("api", "https://fcm.googleapis.com"), ("project", "tidings-4711")];
    let values: Vec<_> = fcm.iter().chain(more).rev().copied().collect();
    Settings::read(|name| values.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())).unwrap()
}

fn event(subtitle: &str, long_form: &str, link: Option<&str>) -> Content {
    Content::Single(Event {
        id: "2026-a1".into(),
        topic: "org.example.prod.buildsys.build".into(),
        application: "buildsys".into(),
        timestamp_ms: NOON_MS,
        title: "buildsys.build".into(),
        subtitle: subtitle.into(),
        long_form: long_form.into(),
        link: link.map(str::to_owned),
        icon: Some("https://koji.example.org/icon.png".into()),
        secondary_icon: None,
        agent: None,
        usernames: Vec::new(),
        packages: Vec::new(),
        objects: Vec::new(),
        thread: Some("mutt".into()),
        body: "{}".into(),
        extra: Vec::new(),
    })
}

fn confirmation() -> Content {
    Content::Confirmation(Confirmation {
        code: "K7QX".into(),
        accept_link: "https://t.example/yes".into(),
        reject_link: "https://t.example/no".into(),
        expires_ms: NOON_MS + 600_000,
    })
}

fn delivery(address: &str, content: Content) -> Delivery {
    let recipient = Recipient {
        user: "ralph".into(),
        address: address.into(),
        filter_name: None,
        settings_link: None,
        unsubscribe_link: None,
        markup: true,
        triggered_by: false,
        verbose: true,
        extra: Vec::new(),
    };
    Delivery { id: "0a".repeat(16), attempt: 1, accepted_ms: NOON_MS, recipient, content, extra: Vec::new() }
}

fn answer(status: u16, headers: &[(&str, &str)], body: &str) -> Answer {
    let headers = headers.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
    Ok(Response { status, headers, body: body.into() })
}

/// The outcome of one delivery, and the requests that were made for it.
fn sent(settings: &Settings, delivery: Delivery, answers: Vec<Answer>) -> (Outcome, Vec<Request>) {
    let far = Far(RefCell::new(answers), RefCell::default());
    let outcome = deliver(&far, settings, &[delivery]).remove(0);
    assert!(far.0.borrow().is_empty(), "all answers were asked for: {outcome:?}");
    (outcome, far.1.into_inner())
}

/// What was sent to FCM.
fn message(more: &[(&str, &str)], content: Content) -> Value {
    let (_, requests) = sent(&settings(more), delivery(TOKEN, content), vec![answer(200, &[], "{}")]);
    assert!(requests[0].body.len() <= 4096);
    serde_json::from_slice::<Value>(&requests[0].body).unwrap()["message"].take()
}

/// Without the words.
fn plain(outcome: &Outcome) -> (&'static str, Option<u64>, Option<String>) {
    match outcome {
        Outcome::Delivered(receipt) => ("delivered", None, receipt.clone()),
        Outcome::Retry(retry) => ("retry", retry.after_ms, None),
        Outcome::Rejected(_) => ("rejected", None, None),
        Outcome::AddressGone(gone) => ("gone", None, gone.replacement.clone()),
        Outcome::ChannelTrouble(trouble) => ("trouble", trouble.after_ms, None),
    }
}

fn fcm_error(status: &str, code: &str) -> String {
    let detail = json!({"@type": "type.googleapis.com/google.firebase.fcm.v1.FcmError", "errorCode": code});
    json!({"error": {"code": 0, "message": "said so", "status": status, "details": [detail]}}).to_string()
}

const SECONDS: [(&str, &str); 1] = [("retry-after", "120")];
const DATE: [(&str, &str); 1] = [("Retry-After", "Tue, 24 Nov 2026 12:01:00 GMT")];

#[test]
fn each_answer_of_fcm_has_its_outcome() {
    let new = json!({"results": [{"message_id": "1", "registration_id": "new-token"}]}).to_string();
    let moved = json!({"error": {"details": [{"errorCode": "UNREGISTERED"}, {"registration_id": "new-token"}]}});
    for (status, headers, body, kind, after, word) in [
        (
            200,
            &[][..],
            json!({"name": "projects/p/messages/1"}).to_string(),
            "delivered",
            None,
            Some("projects/p/messages/1"),
        ),
        (200, &[], "{}".to_owned(), "delivered", None, None),
        (200, &[], new, "gone", None, Some("new-token")),
        (404, &[], fcm_error("NOT_FOUND", "UNREGISTERED"), "gone", None, None),
        (404, &[], moved.to_string(), "gone", None, Some("new-token")),
        (404, &[], json!({"error": {"status": "NOT_FOUND"}}).to_string(), "trouble", None, None),
        (410, &[], String::new(), "gone", None, None),
        (400, &[], fcm_error("INVALID_ARGUMENT", "INVALID_ARGUMENT"), "rejected", None, None),
        (413, &[], String::new(), "rejected", None, None),
        (401, &[], fcm_error("UNAUTHENTICATED", "THIRD_PARTY_AUTH_ERROR"), "trouble", None, None),
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
        let (outcome, _) = sent(&settings(&[]), delivery(TOKEN, confirmation()), vec![answer(status, headers, &body)]);
        assert_eq!(plain(&outcome), (kind, after, word.map(str::to_owned)), "{status} {body}");
    }
    for (error, kind) in [
        (Error::Denied("the credential `service-account`: HTTP 400 (invalid_grant)".into()), "trouble"),
        (Error::Timeout, "trouble"),
        (Error::Failed("reset".into()), "retry"),
    ] {
        let (outcome, _) = sent(&settings(&[]), delivery(TOKEN, confirmation()), vec![Err(error)]);
        assert_eq!(plain(&outcome).0, kind);
    }
}

#[test]
fn each_answer_of_a_push_server_has_its_outcome_for_that_delivery_alone() {
    let location = [("location", "https://push.example.org/m/1")];
    for (status, headers, kind, after, word) in [
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
        let (outcome, _) = sent(&settings(&[]), delivery(ENDPOINT, confirmation()), vec![answer(status, headers, "")]);
        assert_eq!(plain(&outcome), (kind, after, word.map(str::to_owned)), "{status}");
    }
    let large = || event("built", &"x".repeat(9000), Some("https://koji.example.org/1"));
    for (second, kind) in [(201, "delivered"), (413, "rejected")] {
        let answers = vec![answer(413, &[], ""), answer(second, &[], "")];
        let (outcome, requests) = sent(&settings(&[]), delivery(ENDPOINT, large()), answers);
        assert_eq!(plain(&outcome).0, kind);
        assert!((4000..=4096).contains(&requests[0].body.len()) && (900..=1024).contains(&requests[1].body.len()));
        assert_eq!(serde_json::from_slice::<Value>(&requests[1].body).unwrap()["link"], "https://koji.example.org/1");
    }
}

#[test]
fn the_trouble_of_fcm_is_everybodys_and_a_silent_push_server_is_asked_once() {
    let other = "https://other.example/x";
    let batch = |addresses: &[&str]| addresses.iter().map(|to| delivery(to, confirmation())).collect::<Vec<_>>();
    let kinds = |addresses: &[&str], answers: Vec<Answer>| {
        let far = Far(RefCell::new(answers), RefCell::default());
        deliver(&far, &settings(&[]), &batch(addresses)).iter().map(|outcome| plain(outcome).0).collect::<Vec<_>>()
    };
    let fine = || answer(200, &[], "{}");
    assert_eq!(kinds(&[TOKEN, TOKEN, TOKEN], vec![fine(), answer(429, &[], "")]), ["delivered", "trouble", "trouble"]);
    let silent = vec![Err(Error::Timeout), fine(), fine()];
    assert_eq!(kinds(&[ENDPOINT, other, ENDPOINT, TOKEN], silent), ["retry", "delivered", "retry", "delivered"]);
    assert_eq!(kinds(&["no address", ENDPOINT], vec![fine()]), ["rejected", "delivered"]);
}

#[test]
fn a_notification_and_a_data_message_say_the_same() {
    let content = || event("mutt built", "by ralph", Some("https://koji.example.org/1"));
    let (id, text) = ("0a".repeat(16), "by ralph");
    let data = json!({
        "id": id, "kind": "single", "link": "https://koji.example.org/1", "topic": "org.example.prod.buildsys.build",
        "application": "buildsys", "thread": "mutt", "time": NOON_MS.to_string(),
        "icon": "https://koji.example.org/icon.png",
    });
    let shown = json!({
        "token": TOKEN, "notification": {"title": "mutt built", "body": text}, "data": data,
        "android": {"priority": "HIGH", "ttl": "86400s", "collapse_key": id, "notification": {"tag": id}},
    });
    assert_eq!(message(&[], content()), shown);
    let given = message(&[("form", "data"), ("priority", "normal"), ("ttl", "60")], content());
    let mut all = data;
    (all["title"], all["text"]) = (json!("mutt built"), json!(text));
    assert_eq!(given, json!({"token": TOKEN, "data": all, "android": {"priority": "NORMAL", "ttl": "60s"}}));
    let asked = message(&[("priority", "normal")], confirmation());
    assert_eq!(asked["android"]["priority"], "HIGH", "somebody waits for it");
    assert_eq!(asked["android"]["ttl"], "600s", "as long as the code is good");
    assert_eq!((&asked["data"]["code"], &asked["data"]["accept"]), (&json!("K7QX"), &json!("https://t.example/yes")));
}

#[test]
fn a_message_fits_whatever_is_in_it_and_keeps_its_link() {
    let link = format!("https://koji.example.org/{}", "y".repeat(900));
    let huge = |text: &str| event(&text.repeat(3000), &format!("{}.", text.repeat(3000)), Some(&link));
    let many = Digest {
        events: (0..40)
            .map(|_| match huge("ż") {
                Content::Single(event) => event,
                _ => panic!("single"),
            })
            .collect(),
        summary: vec!["\u{1f389} ".repeat(200); 100],
        omitted: 7,
    };
    let contents = ["żółw ", "\u{1f389}", "\"\\", "\u{1b}\u{7}", "\na", "x"].map(huge).into_iter();
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
            let (_, requests) = sent(&settings(&[]), delivery(address, content.clone()), vec![answer(201, &[], "")]);
            assert!((3000..=4096).contains(&requests[0].body.len()), "{}", requests[0].body.len());
        }
    }
}

#[test]
fn a_push_message_is_encrypted_for_the_app_that_gave_its_keys() {
    let decode = |text: &str| BASE64_URL_SAFE_NO_PAD.decode(text).unwrap();
    let secret = p256::SecretKey::from_slice(&decode(PRIVATE)).unwrap();
    let auth = Auth::clone_from_slice(&decode("BTBZMqHH6r4Tts7J_aSIgg"));
    let decrypt = |body: Vec<u8>| web_push_native::decrypt(body, &secret, &auth).unwrap();
    // What the standard's example is, so that the two sides are not merely each other's inverse.
    let example = "DGv6ra1nlYgDCS1FRnbzlwAAEABBBP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8wEqKK6PBru3jl7A_yl95bQpu6cVPTpK4Mqgkf1CXztLVBSt2Ks3oZwbuwXPXLWyouBWLVWGNWQexSgSxsj_Qulcy4a-fN";
    assert_eq!(decrypt(decode(example)), b"When I grow up, I want to be a watermelon");

    let address = format!("{ENDPOINT}#{KEYS}");
    assert_eq!(Address::parse(&address, false).unwrap().to_string(), address);
    let (_, requests) = sent(&settings(&[]), delivery(&address, confirmation()), vec![answer(201, &[], "")]);
    let request = &requests[0];
    assert_eq!(request.url, ENDPOINT, "the keys are sent nowhere");
    let header = |name: &str| request.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
    assert_eq!((header("ttl"), header("urgency")), (Some("600"), Some("high")));
    assert_eq!((header("topic"), header("content-encoding")), (Some("0a".repeat(16).as_str()), Some("aes128gcm")));
    assert_eq!(request.credential, None);
    let said: Value = serde_json::from_slice(&decrypt(request.body.clone())).unwrap();
    assert_eq!((&said["kind"], &said["code"]), (&json!("confirmation"), &json!("K7QX")));
    let (_, again) = sent(&settings(&[]), delivery(&address, confirmation()), vec![answer(201, &[], "")]);
    assert_ne!(again[0].body, request.body, "a key is used once");
}
