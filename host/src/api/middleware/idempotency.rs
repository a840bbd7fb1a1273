//! `Idempotency-Key`: a client that did not hear the answer of a POST repeats it under the same key, and gets the first
//! answer instead of a second change. Keys belong to a token. Answers are kept in memory for a day, within a total size:
//! after a restart, or when the memory is full, a repeated request is carried out again.

use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use http_body_util::BodyExt as _;
use sha2::{Digest as _, Sha256};

use super::auth::TokenId;
use super::guard::RequestClass;
use crate::api::problem::Problem;
use crate::api::{extract, limits};

const KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// Marks an answer that was given before.
const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");
/// The longest key.
const KEY_CHARS: usize = 255;

/// The answers of requests with a key.
#[derive(Clone)]
pub(in crate::api) struct Replays(moka::sync::Cache<(String, String), Arc<Exchange>>);

/// A request with a key, and its answer once there is one.
struct Exchange {
    /// SHA-256 of method, path, query, precondition and body.
    request: [u8; 32],
    answer: Option<Answer>,
}

#[derive(Clone)]
struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
}

impl Default for Replays {
    fn default() -> Replays {
        let size = |exchange: &Arc<Exchange>| exchange.answer.as_ref().map_or(0, |answer| answer.body.len());
        let cache = moka::sync::Cache::builder()
            .max_capacity(limits::API_REPLAY_BYTES)
            .time_to_live(limits::API_REPLAY_AGE)
            // Key, headers and bookkeeping take about as much as a short answer.
            .weigher(move |_, exchange| u32::try_from(1024 + size(exchange)).unwrap_or(u32::MAX));
        Replays(cache.build())
    }
}

/// Carries a request with a key out once.
pub(in crate::api) async fn replay(State(replays): State<Replays>, request: Request, next: Next) -> Response {
    let Some(key) = request.headers().get(KEY) else { return next.run(request).await };
    let Some(key) = key.to_str().ok().filter(|key| is_valid(key)) else {
        let detail = format!("`Idempotency-Key` must have 1 to {KEY_CHARS} visible ASCII characters");
        return Problem::new(StatusCode::BAD_REQUEST, detail).into_response();
    };
    let token = request.extensions().get::<TokenId>().map_or_else(String::new, |TokenId(id)| id.clone());
    let key = (token, key.to_owned());
    match once(&replays, key, request, next).await {
        Ok(response) => response,
        Err(problem) => problem.into_response(),
    }
}

async fn once(replays: &Replays, key: (String, String), request: Request, next: Next) -> Result<Response, Problem> {
    let (parts, body) = request.into_parts();
    let body = extract::body(Request::new(body), limits::API_BODY_BYTES, RequestClass::Quick).await?;
    let mut hash = Sha256::new();
    let uri = parts.uri.to_string();
    let conditions = parts.headers.get_all(header::IF_MATCH).iter().map(HeaderValue::as_bytes).collect::<Vec<_>>();
    let conditions = conditions.join(&b"\n"[..]);
    for part in [parts.method.as_str().as_bytes(), uri.as_bytes(), &conditions, &body] {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    let request: [u8; 32] = hash.finalize().into();
    let entry = replays.0.entry(key.clone()).or_insert_with(|| Arc::new(Exchange { request, answer: None }));
    if !entry.is_fresh() {
        return earlier(entry.value(), request);
    }
    // Removes the key again unless an answer is kept: also if the request panics.
    let mut pending = PendingExchange { replays, key: Some(key) };
    let response = next.run(Request::from_parts(parts, Body::from(body))).await;
    let (parts, body) = response.into_parts();
    let body = match body.collect().await {
        Ok(body) => body.to_bytes(),
        Err(_) => return Err(Problem::internal()),
    };
    let temporary = parts.status.is_server_error() || parts.status == StatusCode::TOO_MANY_REQUESTS;
    if !temporary && body.len() <= limits::API_BODY_BYTES {
        let answer = Answer { status: parts.status, headers: parts.headers.clone(), body: body.clone() };
        pending.keep(request, answer);
    }
    Ok(Response::from_parts(parts, Body::from(body)))
}

fn is_valid(key: &str) -> bool {
    (1..=KEY_CHARS).contains(&key.len()) && key.bytes().all(|byte| byte.is_ascii_graphic())
}

/// What a repeated request gets.
fn earlier(exchange: &Exchange, request: [u8; 32]) -> Result<Response, Problem> {
    if exchange.request != request {
        return Err(Problem::invalid("this `Idempotency-Key` belongs to another request", Vec::new()));
    }
    let Some(answer) = &exchange.answer else {
        let detail = "the first request with this `Idempotency-Key` is still in progress";
        return Err(Problem::new(StatusCode::CONFLICT, detail));
    };
    let Answer { status, headers, body } = answer.clone();
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response.headers_mut().insert(REPLAYED, HeaderValue::from_static("true"));
    Ok(response)
}

struct PendingExchange<'r> {
    replays: &'r Replays,
    key: Option<(String, String)>,
}

impl PendingExchange<'_> {
    fn keep(&mut self, request: [u8; 32], answer: Answer) {
        if let Some(key) = self.key.take() {
            self.replays.0.insert(key, Arc::new(Exchange { request, answer: Some(answer) }));
        }
    }
}

impl Drop for PendingExchange<'_> {
    fn drop(&mut self) {
        if let Some(key) = self.key.take() {
            self.replays.0.invalidate(&key);
        }
    }
}
