//! The HTTP interface: the administrators' API, health, metrics, the unsubscribe and confirmation pages, and event
//! streams. Handlers translate between requests and `channels`, `matching_state` and the store, which decide.

mod access_lists;
mod channels;
mod components;
mod confirmations;
mod convert;
mod deliveries;
mod etag;
mod extract;
pub(crate) mod limits;
mod middleware;
mod openapi;
mod page;
mod problem;
mod routes;
mod rules;
mod serve;
mod state;
mod status;
mod stream;
mod subscriptions;
#[cfg(test)]
mod tests;
mod unsubscribe;
mod validate;
mod versions;

use std::sync::Arc;

use axum::Router;
use axum::extract::Extension;
use axum::middleware::{from_fn, from_fn_with_state, map_response};
use tokio::sync::Semaphore;

use middleware::{auth, guard, idempotency, quota, request_id};
use state::{OpenApiDocument, UploadPermits};

pub use convert::message_counts;
pub use middleware::auth::{NewToken, new_token};
pub use problem::Problem;
pub use serve::serve;
pub use state::ApiState;
pub use validate::errors as subscription_errors;

/// Every route with its guards: request ids, tokens, quotas, time limits, panics, headers.
pub fn router(state: ApiState) -> Router {
    let uploads = UploadPermits(Arc::new(Semaphore::new(limits::API_UPLOADS)));
    let access =
        auth::Access { tokens: state.store.clone(), quota: quota::RequestQuota::new(state.requests_per_second) };
    let replays = idempotency::Replays::default();
    let mut router = Router::new();
    for route in routes::public() {
        router = router.route(route.path, route.guarded());
    }
    for mut route in routes::protected() {
        if route.idempotent_by_key {
            route.handler = route.handler.layer(from_fn_with_state(replays.clone(), idempotency::replay));
        }
        route.handler = route.handler.layer(from_fn_with_state(access.clone(), auth::require));
        router = router.route(route.path, route.guarded());
    }
    router
        .fallback(problem::no_such_page)
        .method_not_allowed_fallback(problem::wrong_method)
        .layer(map_response(guard::add_headers))
        .layer(Extension(uploads))
        .layer(Extension(OpenApiDocument(openapi::document_text().into())))
        .layer(from_fn(request_id::assign))
        .with_state(state)
}
