//! Firebase Cloud Messaging, HTTP v1: a delivery as a message, and what its answers mean. Sources:
//! <https://firebase.google.com/docs/reference/fcm/rest/v1/projects.messages> and
//! <https://firebase.google.com/docs/reference/fcm/rest/v1/ErrorCode>.

use serde_json::{Map, Value, json};
use tidings_plugin::batch::EXCHANGE_MS;
use tidings_plugin::http::{Request, Response};
use tidings_plugin::web;
use tidings_plugin::{Content, Delivery, Gone, Outcome};

use crate::content::{MESSAGE_OCTETS, Space, Words};
use crate::settings::{Fcm, Form, SERVICE_ACCOUNT, Settings};

/// The rest where Google says that a quota is used up but not for how long, in milliseconds: its own advice.
const QUOTA_REST_MS: u64 = 60_000;

/// The request of a delivery: the same in every attempt, but for what is left of a confirmation's time.
pub fn request(settings: &Settings, fcm: &Fcm, token: &str, delivery: &Delivery, now_ms: u64) -> Request {
    let words = Words::of(delivery);
    Request {
        method: "POST".into(),
        url: fcm.url.clone(),
        headers: vec![("content-type".into(), "application/json".into())],
        body: words.fitted(MESSAGE_OCTETS, |space| message(settings, fcm, token, delivery, &words, now_ms, space)),
        credential: Some(SERVICE_ACCOUNT.into()),
        redirects: 0,
        timeout_ms: Some(EXCHANGE_MS),
    }
}

fn message(
    settings: &Settings,
    fcm: &Fcm,
    token: &str,
    delivery: &Delivery,
    words: &Words,
    now_ms: u64,
    space: Space,
) -> Value {
    let asks = matches!(delivery.content, Content::Confirmation(_));
    let (title, text) = (words.title(), words.text(space));
    let mut data = words.facts(delivery, space);
    let mut android = Map::from_iter([
        ("priority".to_owned(), json!(if settings.urgent || asks { "HIGH" } else { "NORMAL" })),
        ("ttl".to_owned(), json!(format!("{}s", ttl_s(settings, delivery, now_ms)))),
    ]);
    let mut message = json!({ "token": token });
    match fcm.form {
        Form::Notification => {
            message["notification"] = json!({ "title": title, "body": text });
            // Without a key of its own, a notification would replace every other one that still waits.
            android.insert("collapse_key".to_owned(), json!(delivery.id));
            // A second copy takes the place of the first.
            android.insert("notification".to_owned(), json!({ "tag": delivery.id }));
        }
        Form::Data => {
            data.insert("title".to_owned(), json!(title));
            data.insert("text".to_owned(), json!(text));
        }
    }
    message["data"] = Value::Object(data);
    message["android"] = Value::Object(android);
    json!({ "message": message })
}

/// How long the message is kept, in seconds; a confirmation no longer than its code is good.
pub fn ttl_s(settings: &Settings, delivery: &Delivery, now_ms: u64) -> u64 {
    let ttl_s = u64::from(settings.ttl_s);
    match &delivery.content {
        Content::Confirmation(asked) => ttl_s.min(asked.expires_ms.saturating_sub(now_ms) / 1000),
        Content::Single(_) | Content::Digest(_) => ttl_s,
    }
}

/// What the answer to a message for this token means. Quotas are the project's, and so is a refusal of who is asking: the
/// whole channel rests.
pub fn judge(response: &Response, token: &str, now_ms: u64) -> Outcome {
    let body: Value = serde_json::from_slice(&response.body).unwrap_or_default();
    let said = || web::describe(response);
    // A token that is its own successor has none.
    let replacement = replacement(&body).filter(|new| new != token);
    let gone = |replacement| Outcome::AddressGone(Gone { replacement, reason: said() });
    match (response.status, error_code(&body)) {
        (200..=299, _) if replacement.is_some() => gone(replacement),
        (200..=299, _) => Outcome::Delivered(body["name"].as_str().map(str::to_owned)),
        (410, _) | (404, Some("UNREGISTERED")) => gone(replacement),
        (400 | 413, _) => Outcome::Rejected(said()),
        // The token is another project's; or a browser's or an iPhone's, whose own push service refuses the project. Anyone who
        // gives such an address must not stop the channel for everybody.
        (403, Some("SENDER_ID_MISMATCH")) | (401, Some("THIRD_PARTY_AUTH_ERROR")) => Outcome::Rejected(said()),
        (429, _) => Outcome::trouble(web::retry_after_ms(response, now_ms).or(Some(QUOTA_REST_MS)), said()),
        (401 | 403 | 503, _) => web::trouble(response, now_ms),
        (408 | 425 | 500..=599, _) => web::retry(response, now_ms),
        // No such project, or no FCM at all.
        _ => Outcome::trouble(None, format!("no project of FCM's: {}", said())),
    }
}

/// FCM's own code in an error, where it gave one; the status beside it is shared with all of Google's services.
fn error_code(body: &Value) -> Option<&str> {
    let details = body["error"]["details"].as_array()?;
    details.iter().find_map(|detail| detail["errorCode"].as_str())
}

/// The token that took the place of the one asked for: `registration_id`, where FCM's answers had it before HTTP v1 (on
/// top, or in the only result), or in a detail of an error.
fn replacement(body: &Value) -> Option<String> {
    let details = body["error"]["details"].as_array().into_iter().flatten();
    let places = [body, &body["results"][0]].into_iter().chain(details);
    places.into_iter().find_map(|place| place["registration_id"].as_str()).map(str::to_owned)
}
