//! Guards of every request: it ends within its time limit, a panic affects no other request, a change is finished although
//! the client disconnects, and the answer has headers that restrict browsers.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use crate::api::limits;
use axum::extract::{Request, State};
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::MethodRouter;
use tracing::Instrument as _;

use crate::api::problem::Problem;
use crate::api::state::ApiState;

/// The time limit of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::api) enum RequestClass {
    /// It reads and writes the store.
    Quick,
    /// It carries a component or runs a plugin.
    Slow,
}

impl RequestClass {
    pub(in crate::api) const fn limit(self) -> Duration {
        match self {
            RequestClass::Quick => limits::API_TIMEOUT,
            RequestClass::Slow => limits::API_SLOW_TIMEOUT,
        }
    }
}

/// The limits of one route.
#[derive(Clone)]
struct Bounds {
    /// The route as logs name it: the path itself may contain a secret.
    route: Arc<str>,
    limit: Duration,
}

/// The handler, with an answer within `limit` in any case.
pub(in crate::api) fn limited(
    route: String,
    limit: Duration,
    handler: MethodRouter<ApiState>,
) -> MethodRouter<ApiState, Infallible> {
    let bounds = Bounds { route: route.into(), limit };
    handler.layer(middleware::from_fn_with_state(bounds, isolate))
}

/// Runs the request as a task of its own. Neither a disconnect nor the time limit interrupts a change that has begun; only
/// the answer is affected.
async fn isolate(State(Bounds { route, limit }): State<Bounds>, request: Request, next: Next) -> Response {
    let task = tokio::spawn(next.run(request).in_current_span());
    match tokio::time::timeout(limit, task).await {
        Ok(Ok(response)) => response,
        Ok(Err(error)) => {
            tracing::error!(route = &*route, error = %error, "a request of the API panicked; the client gets status 500");
            Problem::internal().into_response()
        }
        Err(_) => {
            tracing::warn!(
                route = &*route,
                "a request of the API exceeds its time limit; it continues, and the client gets status 504"
            );
            let detail = format!("no answer within {} s; a change that has begun continues", limit.as_secs());
            Problem::new(StatusCode::GATEWAY_TIMEOUT, detail).into_response()
        }
    }
}

/// Adds headers to every answer that does not set its own. Pages have no scripts, are neither framed nor cached, and do not
/// send their address to other servers: it may be a secret (an unsubscribe link).
pub(in crate::api) async fn add_headers(mut response: Response) -> Response {
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
