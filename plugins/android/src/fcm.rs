//! Firebase Cloud Messaging, HTTP v1: builds the request of a delivery, and maps responses to outcomes. It must not send.
//! Sources: <https://firebase.google.com/docs/reference/fcm/rest/v1/projects.messages> and
//! <https://firebase.google.com/docs/reference/fcm/rest/v1/ErrorCode>.

use serde_json::{Map, Value, json};
use tidings_plugin::batch::EXCHANGE_MS;
use tidings_plugin::http::{Request, Response};
use tidings_plugin::web;
use tidings_plugin::{Content, Delivery, Gone, Outcome};

use crate::content::{ContentLimits, MESSAGE_OCTETS, MessageContent};
use crate::settings::{Fcm, Form, SERVICE_ACCOUNT, Settings};

/// The wait after a quota error without `Retry-After`, in milliseconds, as the documentation of FCM recommends.
const QUOTA_WAIT_MS: u64 = 60_000;

/// The request of a delivery. It is the same in every attempt, except for the TTL of a confirmation.
pub fn request(settings: &Settings, fcm: &Fcm, token: &str, delivery: &Delivery, now_ms: u64) -> Request {
    let content = MessageContent::new(delivery);
    Request {
        method: "POST".into(),
        url: fcm.url.clone(),
        headers: vec![("content-type".into(), "application/json".into())],
        body: content.fit(MESSAGE_OCTETS, |limits| message(settings, fcm, token, delivery, &content, now_ms, limits)),
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
    content: &MessageContent,
    now_ms: u64,
    limits: ContentLimits,
) -> Value {
    let is_confirmation = matches!(delivery.content, Content::Confirmation(_));
    let (title, text) = (content.title(), content.text(limits));
    let mut data = content.fields(delivery, limits);
    let mut android = Map::from_iter([
        ("priority".to_owned(), json!(if settings.urgent || is_confirmation { "HIGH" } else { "NORMAL" })),
        ("ttl".to_owned(), json!(format!("{}s", ttl_s(settings, delivery, now_ms)))),
    ]);
    let mut message = json!({ "token": token });
    match fcm.form {
        Form::Notification => {
            message["notification"] = json!({ "title": title, "body": text });
            // Notifications with the same key, or without one, replace each other while the phone is offline.
            android.insert("collapse_key".to_owned(), json!(delivery.id));
            // With the same tag, a second copy replaces the first one on the phone.
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

/// How long the push service keeps the message, in seconds; a confirmation at most until its code expires.
pub fn ttl_s(settings: &Settings, delivery: &Delivery, now_ms: u64) -> u64 {
    let ttl_s = u64::from(settings.ttl_s);
    match &delivery.content {
        Content::Confirmation(confirmation) => ttl_s.min(confirmation.expires_ms.saturating_sub(now_ms) / 1000),
        Content::Single(_) | Content::Digest(_) => ttl_s,
    }
}

/// The outcome of a response to a message for this token. Quotas and authentication concern the whole project, so their
/// errors are trouble of the channel.
pub fn outcome(response: &Response, token: &str, now_ms: u64) -> Outcome {
    let body: Value = serde_json::from_slice(&response.body).unwrap_or_default();
    let reason = || web::describe(response);
    // A token that replaces itself is not a replacement.
    let replacement = replacement(&body).filter(|new| new != token);
    let gone = |replacement| Outcome::AddressGone(Gone { replacement, reason: reason() });
    match (response.status, error_code(&body)) {
        (200..=299, _) if replacement.is_some() => gone(replacement),
        (200..=299, _) => Outcome::Delivered(body["name"].as_str().map(str::to_owned)),
        (410, _) | (404, Some("UNREGISTERED")) => gone(replacement),
        (400 | 413, _) => Outcome::Rejected(reason()),
        // The token belongs to another project, or to a browser or an iPhone whose push service refuses this project. An
        // address of one user must not stop the channel for the other users.
        (403, Some("SENDER_ID_MISMATCH")) | (401, Some("THIRD_PARTY_AUTH_ERROR")) => Outcome::Rejected(reason()),
        (429, _) => Outcome::trouble(web::retry_after_ms(response, now_ms).or(Some(QUOTA_WAIT_MS)), reason()),
        (401 | 403 | 503, _) => web::trouble(response, now_ms),
        (408 | 425 | 500..=599, _) => web::retry(response, now_ms),
        // The project does not exist, or the server is not FCM.
        _ => Outcome::trouble(None, format!("not the API of an FCM project: {}", reason())),
    }
}

/// The error code of FCM, if the body has one. The `status` of the error is common to all services of Google.
fn error_code(body: &Value) -> Option<&str> {
    let details = body["error"]["details"].as_array()?;
    details.iter().find_map(|detail| detail["errorCode"].as_str())
}

/// The token that replaced the addressed one: `registration_id`, where responses had it before HTTP v1 (at the top level or
/// in the only result), or in a detail of an error.
fn replacement(body: &Value) -> Option<String> {
    let details = body["error"]["details"].as_array().into_iter().flatten();
    let places = [body, &body["results"][0]].into_iter().chain(details);
    places.into_iter().find_map(|object| object["registration_id"].as_str()).map(str::to_owned)
}
