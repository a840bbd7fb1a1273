//! UnifiedPush: builds a push message (RFC 8030) of a delivery, encrypted for the app (RFC 8291) if the address has keys, and
//! maps responses to outcomes. It must not send. Source: <https://unifiedpush.org/developers/spec/server/>.

use serde_json::{Value, json};
use tidings_plugin::batch::EXCHANGE_MS;
use tidings_plugin::http::{Request, Response};
use tidings_plugin::web;
use tidings_plugin::{Content, Delivery, Outcome};

use crate::address::Keys;
use crate::content::MessageContent;
use crate::fcm::ttl_s;
use crate::settings::Settings;

/// The overhead of the encryption in octets (RFC 8188, 2): a header with salt and public key, a delimiter, a tag.
const ENCRYPTION_OCTETS: usize = 16 + 4 + 1 + 65 + 1 + 16;

/// The request of a delivery, with a body of at most `octets` octets. An encrypted body differs in every attempt. The topic
/// does not, so the push server replaces an earlier copy. Fails if the message cannot be encrypted.
pub fn request(
    settings: &Settings,
    (url, keys): (&str, Option<&Keys>),
    delivery: &Delivery,
    octets: usize,
    now_ms: u64,
) -> Result<Request, String> {
    let content = MessageContent::new(delivery);
    let overhead = keys.map_or(0, |_| ENCRYPTION_OCTETS);
    let plain = content.fit(octets.saturating_sub(overhead), |limits| {
        let mut message = content.fields(delivery, limits);
        message.insert("title".to_owned(), json!(content.title()));
        message.insert("text".to_owned(), json!(content.text(limits)));
        Value::Object(message)
    });
    let urgent = settings.urgent || matches!(delivery.content, Content::Confirmation(_));
    let mut headers = vec![
        ("ttl", ttl_s(settings, delivery, now_ms).to_string()),
        ("urgency", if urgent { "high" } else { "normal" }.to_owned()),
        // At most 32 characters of base64url; the id of a delivery has 32 hexadecimal digits.
        ("topic", delivery.id.clone()),
    ];
    let body = match keys {
        None => {
            headers.push(("content-type", "application/json".to_owned()));
            plain
        }
        Some(Keys { p256dh, auth }) => {
            headers.push(("content-type", "application/octet-stream".to_owned()));
            headers.push(("content-encoding", "aes128gcm".to_owned()));
            web_push_native::encrypt(plain, p256dh, auth).map_err(|error| format!("the encryption failed: {error}"))?
        }
    };
    Ok(Request {
        method: "POST".into(),
        url: url.to_owned(),
        headers: headers.into_iter().map(|(name, value)| (name.to_owned(), value)).collect(),
        body,
        credential: None,
        redirects: 0,
        timeout_ms: Some(EXCHANGE_MS),
    })
}

/// The outcome of a response. The server belongs to the recipient, so no response is trouble of the channel.
pub fn outcome(response: &Response, now_ms: u64) -> Outcome {
    let reason = web::describe(response);
    match response.status {
        // The receipt is the URL of the message (RFC 8030, 5), if the server gives one.
        200..=299 => Outcome::Delivered(Some(
            web::header(response, "location").map_or_else(|| format!("HTTP {}", response.status), str::to_owned),
        )),
        404 | 410 => Outcome::gone(reason),
        408 | 425 | 429 | 500..=599 => web::retry(response, now_ms),
        300..=399 => Outcome::Rejected(format!("{reason} (redirects are not followed)")),
        _ => Outcome::Rejected(reason),
    }
}
