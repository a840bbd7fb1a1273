//! The body of a request: a delivery as JSON in the format that Standard Webhooks recommends (`type`, `timestamp`, `data`),
//! and the values of template fields. The same delivery must give the same body in every attempt.

use serde_json::{Value, json};
use tidings_plugin::brief::{Brief, web_link};
use tidings_plugin::time::rfc3339;
use tidings_plugin::{Content, Delivery, Digest, Event, Recipient};

/// The largest total size of the message bodies in one request, in octets; the bodies beyond it are `null`. Many receivers
/// of webhooks accept at most a megabyte.
const BODIES_OCTETS: usize = 512 * 1024;

/// A delivery as JSON.
pub fn json(delivery: &Delivery) -> Vec<u8> {
    let mut space = BODIES_OCTETS;
    let mut data = recipient_data(&delivery.recipient);
    match &delivery.content {
        Content::Single(single) => data["event"] = event(single, &mut space),
        Content::Digest(Digest { events, summary, omitted }) => {
            data["events"] = events.iter().map(|one| event(one, &mut space)).collect();
            data["summary"] = json!(summary);
            data["omitted"] = json!(omitted);
        }
        Content::Confirmation(confirmation) => {
            data["code"] = json!(confirmation.code);
            data["accept_link"] = json!(confirmation.accept_link);
            data["reject_link"] = json!(confirmation.reject_link);
            data["expires"] = json!(rfc3339(confirmation.expires_ms));
        }
    }
    let kind = format!("notification.{}", kind(&delivery.content));
    let body = json!({"type": kind, "timestamp": rfc3339(delivery.accepted_ms), "data": data});
    body.to_string().into_bytes()
}

/// The value of a template field; empty if the delivery has none.
pub fn field(delivery: &Delivery, name: &str) -> String {
    let recipient = &delivery.recipient;
    let event_field = |value: &dyn Fn(&Event) -> Option<String>| match &delivery.content {
        Content::Single(event) => value(event),
        Content::Digest(_) | Content::Confirmation(_) => None,
    };
    let value = match name {
        "id" => Some(delivery.id.clone()),
        "kind" => Some(kind(&delivery.content).to_owned()),
        "user" => Some(recipient.user.clone()),
        "address" => Some(recipient.address.clone()),
        "filter" => recipient.filter_name.clone(),
        "title" => Some(Brief::of(delivery).title),
        "text" => Some(Brief::of(delivery).text),
        "link" => Brief::of(delivery).link,
        "time" => Some(rfc3339(time_ms(delivery))),
        "topic" => event_field(&|event| Some(event.topic.clone())),
        "application" => event_field(&|event| Some(event.application.clone())),
        "agent" => event_field(&|event| event.agent.clone()),
        "code" => match &delivery.content {
            Content::Confirmation(confirmation) => Some(confirmation.code.clone()),
            Content::Single(_) | Content::Digest(_) => None,
        },
        _ => None,
    };
    value.unwrap_or_default()
}

/// The time of the event; for other content, when Tidings accepted it.
fn time_ms(delivery: &Delivery) -> u64 {
    match &delivery.content {
        Content::Single(event) => event.timestamp_ms,
        Content::Digest(_) | Content::Confirmation(_) => delivery.accepted_ms,
    }
}

fn kind(content: &Content) -> &'static str {
    match content {
        Content::Single(_) => "single",
        Content::Digest(_) => "digest",
        Content::Confirmation(_) => "confirmation",
    }
}

fn recipient_data(recipient: &Recipient) -> Value {
    json!({
        "user": recipient.user,
        "address": recipient.address,
        "filter": recipient.filter_name,
        "settings_link": recipient.settings_link,
        "unsubscribe_link": recipient.unsubscribe_link,
    })
}

fn event(event: &Event, space: &mut usize) -> Value {
    json!({
        "id": event.id,
        "topic": event.topic,
        "application": event.application,
        "timestamp": rfc3339(event.timestamp_ms),
        "title": event.title,
        "subtitle": event.subtitle,
        "long_form": event.long_form,
        "link": web_link(event.link.as_deref()),
        "icon": event.icon,
        "secondary_icon": event.secondary_icon,
        "agent": event.agent,
        "usernames": event.usernames,
        "packages": event.packages,
        "objects": event.objects,
        "thread": event.thread,
        "body": body(event, space),
    })
}

/// The body of the message, if it fits into the remaining space.
fn body(event: &Event, space: &mut usize) -> Value {
    let Some(remaining) = space.checked_sub(event.body.len()) else { return Value::Null };
    *space = remaining;
    serde_json::from_str(&event.body).unwrap_or_default()
}
