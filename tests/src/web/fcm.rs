//! A fake of Firebase Cloud Messaging, after its documentation: the token endpoint, which verifies the assertion of a service
//! account (RFC 7523), and `messages:send` of HTTP v1 with its checks and errors. It must not use code of the channel.

use std::sync::{Arc, Mutex};

use anyhow::{Context, Result};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::signature::{RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
use serde_json::{Value, json};

use super::{RecordedRequest, Reply, WebServer, lock};

/// The id of the project.
pub const PROJECT: &str = "tidings-4711";
/// A registration token that is no longer registered.
pub const UNREGISTERED: &str = "unregistered-token-of-a-lost-phone";
/// A registration token that was replaced by [`REPLACEMENT`].
pub const REPLACED: &str = "replaced-token-of-a-phone-that-moved";
pub const REPLACEMENT: &str = "the-new-token-of-that-same-phone";

/// The service account that may send.
const EMAIL: &str = "tidings@tidings-4711.iam.example";
const SCOPE: &str = "https://www.googleapis.com/auth/firebase.messaging";
/// The largest request body, in bytes. FCM limits only notification and data, so this is stricter.
const MESSAGE_BYTES: usize = 4096;
/// The longest TTL of a message, in seconds: four weeks.
const TTL_SECONDS: u32 = 28 * 24 * 3600;
/// The longest lifetime of an assertion, in seconds.
const ASSERTION_SECONDS: u64 = 3600;

const PRIVATE_KEY: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/samples/service-account.pem"));
const PUBLIC_KEY: &[u8] = include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/samples/service-account.pub.der"));

/// The running server.
pub struct Fcm {
    pub web: WebServer,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    /// The accepted messages.
    messages: Vec<Value>,
    /// The issued access tokens; only the last one is valid.
    tokens: Vec<String>,
    /// Why requests for access tokens were refused.
    token_errors: Vec<String>,
}

impl Fcm {
    pub async fn start() -> Result<Fcm> {
        let state = Arc::new(Mutex::new(State::default()));
        let kept = state.clone();
        let web = WebServer::start(move |request| answer(request, &mut lock(&kept))).await?;
        Ok(Fcm { web, state })
    }

    /// The key file of the service account. Its token endpoint is on this server.
    pub fn key_file(&self) -> String {
        json!({
            "type": "service_account", "project_id": PROJECT, "private_key_id": "k1", "private_key": PRIVATE_KEY,
            "client_email": EMAIL, "token_uri": self.web.url("/token"),
        })
        .to_string()
    }

    /// The accepted messages, in order.
    pub fn messages(&self) -> Vec<Value> {
        lock(&self.state).messages.clone()
    }

    /// The issued access tokens, in order.
    pub fn tokens(&self) -> Vec<String> {
        lock(&self.state).tokens.clone()
    }

    /// Why requests for access tokens were refused, in order.
    pub fn token_errors(&self) -> Vec<String> {
        lock(&self.state).token_errors.clone()
    }

    /// Revokes the valid access token before it expires.
    pub fn revoke(&self) {
        lock(&self.state).tokens.push("revoked".to_owned());
    }
}

fn answer(request: &RecordedRequest, state: &mut State) -> Reply {
    let send = format!("/v1/projects/{PROJECT}/messages:send");
    match (request.method.as_str(), request.target.as_str()) {
        ("POST", "/token") => token(request, state),
        ("POST", target) if target == send => message(request, state),
        _ => error(404, "NOT_FOUND", None),
    }
}

fn token(request: &RecordedRequest, state: &mut State) -> Reply {
    if let Err(problem) = assertion(request) {
        state.token_errors.push(format!("{problem:#}"));
        return Reply::json(400, &json!({"error": "invalid_grant", "error_description": "Invalid JWT Signature."}));
    }
    state.tokens.push(format!("ya29.secret-token-{}", state.tokens.len()));
    Reply::json(200, &json!({"access_token": state.tokens.last(), "expires_in": 3599, "token_type": "Bearer"}))
}

/// Checks that the assertion is signed by the account, for this endpoint, and currently valid.
fn assertion(request: &RecordedRequest) -> Result<()> {
    anyhow::ensure!(request.header("content-type") == "application/x-www-form-urlencoded", "the body is not a form");
    let form = std::str::from_utf8(&request.body)?;
    // A form escapes none of the characters of a JSON Web Token.
    let assertion = form
        .strip_prefix("grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&assertion=")
        .context("the form has another grant type")?;
    let (signed, signature) = assertion.rsplit_once('.').context("the assertion has no signature")?;
    let key = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, PUBLIC_KEY);
    let verified = key.verify(signed.as_bytes(), &URL_SAFE_NO_PAD.decode(signature)?);
    anyhow::ensure!(verified.is_ok(), "the signature is invalid");
    let (header, claims) = signed.split_once('.').context("the assertion has no claims")?;
    let part = |text: &str| -> Result<Value> { Ok(serde_json::from_slice(&URL_SAFE_NO_PAD.decode(text)?)?) };
    let (header, claims) = (part(header)?, part(claims)?);
    anyhow::ensure!(header["alg"] == "RS256" && header["kid"] == "k1", "another key: {header}");
    let audience = format!("http://{}/token", request.header("host"));
    let expected = claims["iss"] == EMAIL && claims["scope"] == SCOPE && claims["aud"] == audience;
    anyhow::ensure!(expected, "another account, scope or audience: {claims}");
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?.as_secs();
    let (issued, expires) = (claims["iat"].as_u64().context("no iat")?, claims["exp"].as_u64().context("no exp")?);
    let current = issued <= now + 60 && now < expires && expires <= issued + ASSERTION_SECONDS;
    anyhow::ensure!(current, "not currently valid: {claims}");
    Ok(())
}

fn message(request: &RecordedRequest, state: &mut State) -> Reply {
    let authorized =
        state.tokens.last().is_some_and(|token| request.header("authorization") == format!("Bearer {token}"));
    if !authorized {
        return error(401, "UNAUTHENTICATED", None);
    }
    let message = request.json()["message"].take();
    if request.header("content-type") != "application/json"
        || request.body.len() > MESSAGE_BYTES
        || !is_valid(&request.json())
    {
        return error(400, "INVALID_ARGUMENT", Some("INVALID_ARGUMENT"));
    }
    match message["token"].as_str() {
        Some(UNREGISTERED) => error(404, "NOT_FOUND", Some("UNREGISTERED")),
        Some(REPLACED) => {
            // The format before HTTP v1. HTTP v1 does not report a replacement.
            Reply::json(200, &json!({"results": [{"message_id": "1", "registration_id": REPLACEMENT}]}))
        }
        Some(token) if token.len() >= 20 => {
            state.messages.push(message);
            Reply::json(200, &json!({"name": format!("projects/{PROJECT}/messages/{}", state.messages.len())}))
        }
        _ => error(400, "INVALID_ARGUMENT", Some("INVALID_ARGUMENT")),
    }
}

/// Whether a request has only the fields of `messages:send` that the channel may use, with the right types. FCM refuses
/// unknown fields. This fake also refuses the fields of FCM that the channel has no use for.
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

/// Whether the text is a duration (`3.5s`) of at most four weeks, for which FCM keeps a message.
fn is_ttl(text: &str) -> bool {
    let Some(number) = text.strip_suffix('s') else { return false };
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    let whole = Some(whole).filter(|whole| digits(whole)).and_then(|whole| whole.parse::<u32>().ok());
    whole.is_some_and(|whole| whole <= TTL_SECONDS) && digits(fraction) && fraction.len() <= 9
}

/// Whether all values are texts, and no key is reserved by FCM.
fn is_data(data: &serde_json::Map<String, Value>) -> bool {
    let reserved = |key: &str| {
        matches!(key, "from" | "message_type") || ["google", "gcm"].iter().any(|prefix| key.starts_with(prefix))
    };
    data.iter().all(|(key, value)| value.is_string() && !reserved(key))
}

/// An error in the format of Google, with an error code of FCM if there is one.
pub fn error(status: u16, name: &str, code: Option<&str>) -> Reply {
    let detail = |code| json!([{"@type": "type.googleapis.com/google.firebase.fcm.v1.FcmError", "errorCode": code}]);
    let details = code.map_or(json!([]), detail);
    Reply::json(status, &json!({"error": {"code": status, "message": name, "status": name, "details": details}}))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_that_fcm_refuses_is_invalid() {
        let valid = || {
            json!({"message": {
                "token": "t", "notification": {"title": "a", "body": "b"}, "data": {"id": "1", "collapse_key": "x"},
                "android": {"priority": "HIGH", "ttl": "86400s", "collapse_key": "k", "notification": {"tag": "k"}},
            }})
        };
        assert!(is_valid(&valid()));
        for (pointer, value) in [
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
            let mut request = valid();
            let (parent, name) = pointer.rsplit_once('/').unwrap();
            request.pointer_mut(parent).unwrap()[name] = value.clone();
            assert!(!is_valid(&request), "{pointer} {value}");
        }
        for ttl in ["0s", "3.5s", "2419200s"] {
            assert!(is_ttl(ttl), "{ttl}");
        }
    }
}
