//! Authentication: bearers of a token `tid_<id>_<secret>` may use the API. The store keeps the SHA-256 of the secret, which
//! is 256 random bits, so a fast hash is enough. There are no roles: a token may do everything.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use tidings_domain::secret::Secret;
use tidings_domain::time::Timestamp;
use tidings_store::{StoreError, Token, TokenStore};

use super::quota::RequestQuota;
use crate::api::problem::Problem;
use crate::clock;

const PREFIX: &str = "tid";
const ID_BYTES: usize = 6;
const SECRET_BYTES: usize = 32;

/// A new token. Its text is shown once.
#[derive(Clone, Debug)]
pub struct NewToken {
    /// What the store keeps.
    pub record: Token,
    /// The text that its bearer presents.
    pub text: Secret,
}

/// Makes a token; it is valid once its record is in the store.
pub fn new_token(name: &str, now: Timestamp, expires_at: Option<Timestamp>) -> NewToken {
    let id = hex::encode(rand::random::<[u8; ID_BYTES]>());
    let secret = hex::encode(rand::random::<[u8; SECRET_BYTES]>());
    let text = Secret::new(format!("{PREFIX}_{id}_{secret}"));
    let record = Token { id, name: name.to_owned(), hash: hash(&secret), created_at: now, expires_at };
    NewToken { record, text }
}

/// Why a request is not authenticated. The client learns only these texts.
#[derive(Debug, thiserror::Error)]
enum Denied {
    #[error("a token is required: send `Authorization: Bearer tid_…`")]
    NoToken,
    #[error("the token is not valid")]
    Unknown,
    #[error("the token has expired")]
    Expired,
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What decides whether a request is admitted.
#[derive(Clone)]
pub(in crate::api) struct Access {
    pub(in crate::api) tokens: Arc<dyn TokenStore>,
    pub(in crate::api) quota: RequestQuota,
}

/// The id of the token of an admitted request.
#[derive(Clone, Debug)]
pub(super) struct TokenId(pub(super) String);

/// Admits only bearers of a valid token within their quota, and logs what they change.
pub(in crate::api) async fn require(State(access): State<Access>, mut request: Request, next: Next) -> Response {
    let token = match authenticate(&*access.tokens, request.headers(), clock::now()).await {
        Ok(token) => token,
        Err(denied) => return refuse(denied),
    };
    if let Err(wait) = access.quota.check(&token.id) {
        return Problem::too_many("this token has made too many requests", wait).into_response();
    }
    request.extensions_mut().insert(TokenId(token.id.clone()));
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let response = next.run(request).await;
    if method != Method::GET && method != Method::HEAD {
        let status = response.status().as_u16();
        tracing::info!(
            token = token.id,
            name = token.name,
            method = method.as_str(),
            path,
            status,
            "a request that may change something was answered"
        );
    }
    response
}

async fn authenticate(tokens: &dyn TokenStore, headers: &HeaderMap, now: Timestamp) -> Result<Token, Denied> {
    let header = headers.get(header::AUTHORIZATION).ok_or(Denied::NoToken)?;
    let (id, secret) = header.to_str().ok().and_then(parse).ok_or(Denied::Unknown)?;
    let token = tokens.token(id).await?.ok_or(Denied::Unknown)?;
    if !bool::from(token.hash.ct_eq(&hash(secret))) {
        return Err(Denied::Unknown);
    }
    if token.expires_at.is_some_and(|expires_at| expires_at <= now) {
        return Err(Denied::Expired);
    }
    Ok(token)
}

/// Id and secret of `Bearer tid_<id>_<secret>`.
fn parse(header: &str) -> Option<(&str, &str)> {
    let (scheme, token) = header.split_once(' ')?;
    let token = token.trim().strip_prefix(PREFIX)?.strip_prefix('_')?;
    let (id, secret) = token.split_once('_')?;
    let good = |text: &str, bytes| text.len() == 2 * bytes && text.bytes().all(|b| b.is_ascii_hexdigit());
    (scheme.eq_ignore_ascii_case("bearer") && good(id, ID_BYTES) && good(secret, SECRET_BYTES)).then_some((id, secret))
}

fn hash(secret: &str) -> [u8; 32] {
    Sha256::digest(secret).into()
}

fn refuse(denied: Denied) -> Response {
    let error = match denied {
        Denied::Store(error) => return Problem::from(error).into_response(),
        Denied::NoToken => None,
        Denied::Unknown | Denied::Expired => {
            Some(HeaderValue::from_static("Bearer realm=\"tidings\", error=\"invalid_token\""))
        }
    };
    let mut response = Problem::new(StatusCode::UNAUTHORIZED, denied.to_string()).into_response();
    if let Some(challenge) = error {
        response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_token_reads_back_and_its_record_does_not_hold_it() {
        let new = new_token("ops", Timestamp::from_millis(1), None);
        let header = format!("Bearer {}", new.text.expose());
        let (id, secret) = parse(&header).expect("it is a token");
        assert_eq!((id, hash(secret)), (new.record.id.as_str(), new.record.hash));
        assert!(!format!("{new:?}").contains(secret));
    }

    #[test]
    fn only_whole_tokens_are_read() {
        let (id, secret) = ("a".repeat(12), "b".repeat(64));
        for (header, good) in [
            (format!("Bearer tid_{id}_{secret}"), true),
            (format!("bearer  tid_{id}_{secret}"), true),
            (format!("Basic tid_{id}_{secret}"), false),
            (format!("Bearer tid_{id}{secret}"), false),
            (format!("Bearer tid_{id}_{secret}0"), false),
            (format!("Bearer tid_{id}_"), false),
            (format!("Bearer tid_{}_{secret}", "'".repeat(12)), false),
            (format!("tid_{id}_{secret}"), false),
            (String::new(), false),
        ] {
            assert_eq!(parse(&header).is_some(), good, "{header}");
        }
    }
}
