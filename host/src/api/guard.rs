//! What holds for every request: it ends within its time, a panic in it is its own, what it began is finished although its
//! client went away, and its answer carries headers that keep browsers from doing anything clever with it.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use crate::api::limits;
use axum::extract::{Request, State};
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::MethodRouter;

use super::{ApiState, Problem};

/// How long a request may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RequestClass {
    /// It reads and writes the store.
    Quick,
    /// It carries a component or runs a plugin.
    Slow,
}

impl RequestClass {
    pub(super) const fn limit(self) -> Duration {
        match self {
            RequestClass::Quick => limits::API_TIMEOUT,
            RequestClass::Slow => limits::API_SLOW_TIMEOUT,
        }
    }
}

/// What one route is held to.
#[derive(Clone)]
struct Bounds {
    /// The route as the log calls it: a path itself may hold a secret.
    route: Arc<str>,
    limit: Duration,
}

/// The handler, whose answer is there within `limit`, whatever happens.
pub(super) fn limited(
    route: String,
    limit: Duration,
    handler: MethodRouter<ApiState>,
) -> MethodRouter<ApiState, Infallible> {
    let bounds = Bounds { route: route.into(), limit };
    handler.layer(middleware::from_fn_with_state(bounds, isolate))
}

/// Runs the request as a task of its own. A change that has begun is neither cut short by a client that hangs up nor by
/// the time limit; only the answer is.
async fn isolate(State(Bounds { route, limit }): State<Bounds>, request: Request, next: Next) -> Response {
    let task = tokio::spawn(next.run(request));
    match tokio::time::timeout(limit, task).await {
        Ok(Ok(response)) => response,
        Ok(Err(error)) => {
            tracing::error!(route = &*route, error = %error, "a request of the API broke the code");
            Problem::internal().into_response()
        }
        Err(_) => {
            tracing::warn!(route = &*route, "a request of the API takes too long");
            let detail = format!("no answer within {} s; what was begun goes on", limit.as_secs());
            Problem::new(StatusCode::GATEWAY_TIMEOUT, detail).into_response()
        }
    }
}

/// Headers of every answer, unless it has a policy of its own. No page has scripts, is framed, cached, or tells another server its
/// address, which may be a secret (an unsubscribe link).
pub(super) async fn add_headers(mut response: Response) -> Response {
    const HEADERS: [(HeaderName, &str); 5] = [
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::CACHE_CONTROL, "no-store"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (
            header::CONTENT_SECURITY_POLICY,
            "default-src 'none'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
        ),
    ];
    for (name, value) in HEADERS {
        response.headers_mut().entry(name).or_insert(HeaderValue::from_static(value));
    }
    response
}
