//! Request ids: every answer has one in `X-Request-Id`, and every log line of the request names it. A client may send its
//! own.

use axum::extract::Request;
use axum::http::{HeaderName, HeaderValue};
use axum::middleware::Next;
use axum::response::Response;
use tracing::Instrument as _;
use uuid::Uuid;

const HEADER: HeaderName = HeaderName::from_static("x-request-id");
/// The longest id that is taken from a client.
const MAX_CHARS: usize = 64;

/// Runs the request under its id.
pub(in crate::api) async fn assign(request: Request, next: Next) -> Response {
    let id = request.headers().get(HEADER).filter(|id| is_valid(id)).cloned();
    let id = id.or_else(|| HeaderValue::try_from(Uuid::new_v4().simple().to_string()).ok());
    let Some(id) = id else { return next.run(request).await };
    let span = tracing::info_span!("request", request_id = id.to_str().unwrap_or_default());
    let mut response = next.run(request).instrument(span).await;
    response.headers_mut().insert(HEADER, id);
    response
}

fn is_valid(id: &HeaderValue) -> bool {
    let id = id.as_bytes();
    (1..=MAX_CHARS).contains(&id.len()) && id.iter().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_short_plain_ids_are_taken_from_a_client() {
        for (id, valid) in [
            ("a", true),
            ("01HZX-9.b_2", true),
            ("", false),
            ("a b", false),
            ("a\"b", false),
            (&"a".repeat(64), true),
            (&"a".repeat(65), false),
        ] {
            assert_eq!(is_valid(&HeaderValue::try_from(id).unwrap()), valid, "{id}");
        }
    }
}
