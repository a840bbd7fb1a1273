//! The HTTP interface: administrators' API, health, metrics, the unsubscribe page, and event streams. Handlers translate; what happens is
//! decided in `channels`, `knowledge` and the store.

mod access_lists;
mod auth;
mod channels;
mod components;
mod confirm;
mod deliveries;
mod guard;
pub(crate) mod limits;
mod page;
mod problem;
mod read;
mod routes;
mod rules;
mod serve;
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
use axum::middleware;
use tidings_bus::{Endpoint, EndpointStatus};
use tidings_store::Store;
use tokio::sync::{Mutex, Semaphore};
use tokio_util::sync::CancellationToken;

use crate::access_lists::AccessLists;
use crate::channels::Channels;
use crate::fetch::Fetcher;
use crate::link_signer::LinkSigner;
use crate::matching_state::MatchingState;
use crate::streams::Streams;
use crate::telemetry::Metrics;

pub use auth::{NewToken, new_token};
pub use problem::{FieldError, Problem};
pub use serve::serve;
pub use status::MessageCounts;
pub use subscriptions::Body as SubscriptionBody;
pub use validate::mistakes;

/// What handlers work with.
#[derive(Clone)]
pub struct ApiState {
    pub store: Arc<dyn Store>,
    pub channels: Arc<Channels>,
    pub fetcher: Arc<Fetcher>,
    pub knowledge: Arc<MatchingState>,
    pub lists: Arc<AccessLists>,
    pub links: Arc<LinkSigner>,
    pub metrics: Arc<Metrics>,
    pub streams: Streams,
    pub endpoints: Vec<Arc<Endpoint>>,
    /// The daemon stops: what would go on for ever ends.
    pub stopping: CancellationToken,
}

impl ApiState {
    /// How each endpoint of the bus is.
    fn bus(&self) -> Vec<EndpointStatus> {
        self.endpoints.iter().map(|endpoint| endpoint.status()).collect()
    }
}

/// What keeps handlers out of each other's way.
#[derive(Clone)]
struct Turns {
    /// Held while a subscription is read and written back, so that no edit is lost.
    subscriptions: Arc<Mutex<()>>,
    /// Taken while a component is in memory.
    uploads: Arc<Semaphore>,
}

/// Every route, guarded: tokens, time limits, panics, headers.
pub fn router(state: ApiState) -> Router {
    let turns = Turns { subscriptions: Arc::default(), uploads: Arc::new(Semaphore::new(limits::API_UPLOADS)) };
    let mut router = Router::new();
    for route in routes::public() {
        router = router.route(route.path, route.guarded());
    }
    for mut route in routes::protected() {
        route.handler = route.handler.layer(middleware::from_fn_with_state(Arc::clone(&state.store), auth::require));
        router = router.route(route.path, route.guarded());
    }
    router
        .fallback(problem::no_such_page)
        .method_not_allowed_fallback(problem::wrong_method)
        .layer(middleware::map_response(guard::add_headers))
        .layer(Extension(turns))
        .with_state(state)
}
