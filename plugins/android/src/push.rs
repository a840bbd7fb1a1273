//! UnifiedPush: a delivery as a push message (RFC 8030), encrypted for the app (RFC 8291) where the address has its keys.
//! Source of what an endpoint takes: <https://unifiedpush.org/developers/spec/server/>.

use serde_json::{Value, json};
use tidings_plugin::batch::EXCHANGE_MS;
use tidings_plugin::http::{Request, Response};
use tidings_plugin::web;
use tidings_plugin::{Content, Delivery, Outcome};

use crate::address::Keys;
use crate::content::Words;
use crate::fcm::ttl_s;
use crate::settings::Settings;

/// What encryption adds (RFC 8188, 2): a header with a salt and a public key, a delimiter, a tag. Octets.
const ENCRYPTION_OCTETS: usize = 16 + 4 + 1 + 65 + 1 + 16;

/// The request of a delivery with at most so many octets. What is encrypted differs in every attempt; the topic, by which a
/// push server drops the older of two, does not.
pub fn request(
    settings: &Settings,
    (url, keys): (&str, Option<&Keys>),
    delivery: &Delivery,
    octets: usize,
    now_ms: u64,
) -> Result<Request, String> {
    let words = Words::of(delivery);
    let overhead = keys.map_or(0, |_| ENCRYPTION_OCTETS);
    let plain = words.fitted(octets.saturating_sub(overhead), |space| {
        let mut message = words.facts(delivery, space);
        message.insert("title".to_owned(), json!(words.title()));
        message.insert("text".to_owned(), json!(words.text(space)));
        Value::Object(message)
    });
    let urgent = settings.urgent || matches!(delivery.content, Content::Confirmation(_));
    let mut headers = vec![
        ("ttl", ttl_s(settings, delivery, now_ms).to_string()),
        ("urgency", if urgent { "high" } else { "normal" }.to_owned()),
        // 32 characters of base64url at most: an id is that.
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
            web_push_native::encrypt(plain, p256dh, auth).map_err(|error| format!("not encrypted: {error}"))?
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

/// What the answer means. The server is the recipient's own: nothing that it says is another one's affair.
pub fn judge(response: &Response, now_ms: u64) -> Outcome {
    let said = web::describe(response);
    match response.status {
        // Where it can be asked about later (RFC 8030, 5), if it says so.
        200..=299 => Outcome::Delivered(Some(
            web::header(response, "location").map_or_else(|| format!("HTTP {}", response.status), str::to_owned),
        )),
        404 | 410 => Outcome::gone(said),
        408 | 425 | 429 | 500..=599 => web::retry(response, now_ms),
        300..=399 => Outcome::Rejected(format!("{said} (redirects are not followed)")),
        _ => Outcome::Rejected(said),
    }
}
