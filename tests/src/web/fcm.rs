//! Firebase Cloud Messaging as its documentation describes it, as far as sending goes: the token endpoint, which verifies
//! what a service account signed (RFC 7523), and `messages:send` of HTTP v1 with its checks and its errors.

use std::sync::{Arc, Mutex};

use anyhow::{Context, Result};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::signature::{RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
use serde_json::{Value, json};

use super::{Reply, SeenRequest, WebServer, lock};

/// The project's id.
pub const PROJECT: &str = "tidings-4711";
/// Of a token that no phone has any more.
pub const UNREGISTERED: &str = "unregistered-token-of-a-lost-phone";
/// Of a token that was replaced by [`REPLACEMENT`].
pub const REPLACED: &str = "replaced-token-of-a-phone-that-moved";
pub const REPLACEMENT: &str = "the-new-token-of-that-same-phone";

/// Who may send.
const EMAIL: &str = "tidings@tidings-4711.iam.example";
const SCOPE: &str = "https://www.googleapis.com/auth/firebase.messaging";
/// Of notification and data together, in bytes; here of the whole message, which is stricter.
const MESSAGE_BYTES: usize = 4096;
/// How long a message is kept at most, in seconds: four weeks.
const TTL_SECONDS: u32 = 28 * 24 * 3600;
/// How long an assertion may be good, in seconds.
const ASSERTION_SECONDS: u64 = 3600;

const PRIVATE_KEY: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/samples/service-account.pem"));
const PUBLIC_KEY: &[u8] = include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/samples/service-account.pub.der"));

/// The server; messages that it took are in `taken`.
pub struct Fcm {
    pub web: WebServer,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    /// Messages, each as it came.
    taken: Vec<Value>,
    /// Tokens that were given out; the last one is good.
    tokens: Vec<String>,
    /// What was wrong with requests for tokens.
    refused: Vec<String>,
}

impl Fcm {
    pub async fn start() -> Result<Fcm> {
        let state = Arc::new(Mutex::new(State::default()));
        let kept = state.clone();
        let web = WebServer::start(move |seen| answer(seen, &mut lock(&kept))).await?;
        Ok(Fcm { web, state })
    }

    /// The service account's key file; its token endpoint is on this server.
    pub fn key_file(&self) -> String {
        json!({
            "type": "service_account", "project_id": PROJECT, "private_key_id": "k1", "private_key": PRIVATE_KEY,
            "client_email": EMAIL, "token_uri": self.web.url("/token"),
        })
        .to_string()
    }

    /// The messages that were taken, in order.
    pub fn taken(&self) -> Vec<Value> {
        lock(&self.state).taken.clone()
    }

    /// The bearer tokens that were given out, in order.
    pub fn tokens(&self) -> Vec<String> {
        lock(&self.state).tokens.clone()
    }

    /// Why requests for tokens were refused.
    pub fn refused(&self) -> Vec<String> {
        lock(&self.state).refused.clone()
    }

    /// Withdraws the token that is good, before it expires.
    pub fn revoke(&self) {
        lock(&self.state).tokens.push("revoked".to_owned());
    }
}

fn answer(seen: &SeenRequest, state: &mut State) -> Reply {
    let send = format!("/v1/projects/{PROJECT}/messages:send");
    match (seen.method.as_str(), seen.target.as_str()) {
        ("POST", "/token") => token(seen, state),
        ("POST", target) if target == send => message(seen, state),
        _ => error(404, "NOT_FOUND", None),
    }
}

fn token(seen: &SeenRequest, state: &mut State) -> Reply {
    if let Err(problem) = assertion(seen) {
        state.refused.push(format!("{problem:#}"));
        return Reply::json(400, &json!({"error": "invalid_grant", "error_description": "Invalid JWT Signature."}));
    }
    state.tokens.push(format!("ya29.secret-token-{}", state.tokens.len()));
    Reply::json(200, &json!({"access_token": state.tokens.last(), "expires_in": 3599, "token_type": "Bearer"}))
}

/// Whether the assertion is the account's, for this endpoint, and good now.
fn assertion(seen: &SeenRequest) -> Result<()> {
    anyhow::ensure!(seen.header("content-type") == "application/x-www-form-urlencoded", "no form");
    let form = std::str::from_utf8(&seen.body)?;
    // None of the characters of a JSON Web Token is escaped in a form.
    let assertion = form
        .strip_prefix("grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&assertion=")
        .context("not this grant")?;
    let (signed, signature) = assertion.rsplit_once('.').context("no signature")?;
    let key = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, PUBLIC_KEY);
    let good = key.verify(signed.as_bytes(), &URL_SAFE_NO_PAD.decode(signature)?);
    anyhow::ensure!(good.is_ok(), "not signed by the account");
    let (header, claims) = signed.split_once('.').context("no claims")?;
    let part = |text: &str| -> Result<Value> { Ok(serde_json::from_slice(&URL_SAFE_NO_PAD.decode(text)?)?) };
    let (header, claims) = (part(header)?, part(claims)?);
    anyhow::ensure!(header["alg"] == "RS256" && header["kid"] == "k1", "not this key: {header}");
    let audience = format!("http://{}/token", seen.header("host"));
    let who = claims["iss"] == EMAIL && claims["scope"] == SCOPE && claims["aud"] == audience;
    anyhow::ensure!(who, "not this account, scope or audience: {claims}");
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?.as_secs();
    let (issued, expires) = (claims["iat"].as_u64().context("no iat")?, claims["exp"].as_u64().context("no exp")?);
    let times = issued <= now + 60 && now < expires && expires <= issued + ASSERTION_SECONDS;
    anyhow::ensure!(times, "not good now: {claims}");
    Ok(())
}

fn message(seen: &SeenRequest, state: &mut State) -> Reply {
    let good = state.tokens.last().is_some_and(|token| seen.header("authorization") == format!("Bearer {token}"));
    if !good {
        return error(401, "UNAUTHENTICATED", None);
    }
    let message = seen.json()["message"].take();
    if seen.header("content-type") != "application/json" || seen.body.len() > MESSAGE_BYTES || !is_valid(&seen.json()) {
        return error(400, "INVALID_ARGUMENT", Some("INVALID_ARGUMENT"));
    }
    match message["token"].as_str() {
        Some(UNREGISTERED) => error(404, "NOT_FOUND", Some("UNREGISTERED")),
        Some(REPLACED) => {
            // As it was before HTTP v1: nothing in HTTP v1 names a successor.
            Reply::json(200, &json!({"results": [{"message_id": "1", "registration_id": REPLACEMENT}]}))
        }
        Some(token) if token.len() >= 20 => {
            state.taken.push(message);
            Reply::json(200, &json!({"name": format!("projects/{PROJECT}/messages/{}", state.taken.len())}))
        }
        _ => error(400, "INVALID_ARGUMENT", Some("INVALID_ARGUMENT")),
    }
}

/// Whether a request has the fields of `messages:send` that a channel like this has a use for, and each its type. FCM
/// refuses what it does not know; so does this, and also what FCM knows beyond that.
fn is_valid(request: &Value) -> bool {
    let only = |value: &Value, names: &[&str]| match value {
        Value::Null => true,
        value => value.as_object().is_some_and(|fields| fields.keys().all(|name| names.contains(&name.as_str()))),
    };
    let text = |value: &Value| value.is_null() || value.is_string();
    let message = &request["message"];
    let (shown, android) = (&message["notification"], &message["android"]);
    let priority = matches!(android["priority"].as_str(), None | Some("HIGH" | "NORMAL"));
    only(request, &["message"])
        && only(message, &["token", "notification", "data", "android"])
        && only(shown, &["title", "body", "image"])
        && ["title", "body", "image"].iter().all(|name| text(&shown[name]))
        && only(android, &["priority", "ttl", "collapse_key", "notification"])
        && only(&android["notification"], &["tag", "icon", "color", "sound", "channel_id"])
        && text(&android["collapse_key"])
        && text(&android["notification"]["tag"])
        && (android["priority"].is_null() || android["priority"].is_string() && priority)
        && (android["ttl"].is_null() || android["ttl"].as_str().is_some_and(is_ttl))
        && (message["data"].is_null() || message["data"].as_object().is_some_and(is_data))
}

/// A duration as JSON has it (`3.5s`), within the four weeks that FCM keeps a message.
fn is_ttl(text: &str) -> bool {
    let Some(number) = text.strip_suffix('s') else { return false };
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    let whole = Some(whole).filter(|whole| digits(whole)).and_then(|whole| whole.parse::<u32>().ok());
    whole.is_some_and(|whole| whole <= TTL_SECONDS) && digits(fraction) && fraction.len() <= 9
}

/// Texts, under keys that FCM does not use itself.
fn is_data(data: &serde_json::Map<String, Value>) -> bool {
    let reserved = |key: &str| {
        matches!(key, "from" | "message_type") || ["google", "gcm"].iter().any(|prefix| key.starts_with(prefix))
    };
    data.iter().all(|(key, value)| value.is_string() && !reserved(key))
}

/// An error as Google words it, with FCM's own code where it has one.
pub fn error(status: u16, name: &str, code: Option<&str>) -> Reply {
    let detail = |code| json!([{"@type": "type.googleapis.com/google.firebase.fcm.v1.FcmError", "errorCode": code}]);
    let details = code.map_or(json!([]), detail);
    Reply::json(status, &json!({"error": {"code": status, "message": name, "status": name, "details": details}}))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_fcm_refuses_is_refused_here() {
        let good = || {
            json!({"message": {
                "token": "t", "notification": {"title": "a", "body": "b"}, "data": {"id": "1", "collapse_key": "x"},
                "android": {"priority": "HIGH", "ttl": "86400s", "collapse_key": "k", "notification": {"tag": "k"}},
            }})
        };
        assert!(is_valid(&good()));
        for (place, value) in [
            ("/other", json!(1)),
            ("/message/body", json!("b")),
            ("/message/notification/text", json!("b")),
            ("/message/notification/title", json!(1)),
            ("/message/data/count", json!(1)),
            ("/message/data/from", json!("x")),
            ("/message/data/message_type", json!("x")),
            ("/message/data/google.x", json!("x")),
            ("/message/data/gcm.x", json!("x")),
            ("/message/data", json!("x")),
            ("/message/android/tag", json!("x")),
            ("/message/android/notification/id", json!("x")),
            ("/message/android/collapse_key", json!(1)),
            ("/message/android/priority", json!("high")),
            ("/message/android/priority", json!(5)),
            ("/message/android/ttl", json!("s")),
            ("/message/android/ttl", json!("-1s")),
            ("/message/android/ttl", json!("1.s")),
            ("/message/android/ttl", json!("86400")),
            ("/message/android/ttl", json!(86400)),
            ("/message/android/ttl", json!("2419201s")),
        ] {
            let mut request = good();
            let (parent, name) = place.rsplit_once('/').unwrap();
            request.pointer_mut(parent).unwrap()[name] = value.clone();
            assert!(!is_valid(&request), "{place} {value}");
        }
        for ttl in ["0s", "3.5s", "2419200s"] {
            assert!(is_ttl(ttl), "{ttl}");
        }
    }
}
