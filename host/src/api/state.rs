//! What handlers work with.

use std::sync::Arc;

use tidings_bus::{Endpoint, EndpointStatus};
use tidings_store::Store;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use crate::access_lists::AccessLists;
use crate::channels::Channels;
use crate::fetch::Fetcher;
use crate::link_signer::LinkSigner;
use crate::matching_state::MatchingState;
use crate::streams::Streams;
use crate::telemetry::Metrics;

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
    /// Requests that one token may make in a second, on average; the setting `api.requests_per_second`.
    pub requests_per_second: std::num::NonZeroU32,
    /// Cancelled when the daemon stops: streams end.
    pub stopping: CancellationToken,
}

impl ApiState {
    /// The state of each endpoint of the bus.
    pub(super) fn bus(&self) -> Vec<EndpointStatus> {
        self.endpoints.iter().map(|endpoint| endpoint.status()).collect()
    }
}

/// Permits to hold a component in memory.
#[derive(Clone)]
pub(super) struct UploadPermits(pub(super) Arc<Semaphore>);

/// The OpenAPI document as text.
#[derive(Clone)]
pub(super) struct OpenApiDocument(pub(super) Arc<str>);
