//! What a call of a plugin delivers: a batch of requests, each a delivery with its links and its summary.

use std::sync::Arc;

use tidings_domain::delivery::Delivery;

/// The links of a delivery. The daemon makes them, a plugin shows them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeliveryLinks {
    /// Where the user edits the filter that caused the delivery.
    pub settings: Option<String>,
    /// Where one click (RFC 8058) ends the subscription.
    pub unsubscribe: Option<String>,
}

/// A delivery as it is handed to a plugin.
#[derive(Clone, Debug)]
pub struct DeliveryRequest {
    pub delivery: Arc<Delivery>,
    pub links: DeliveryLinks,
    /// For a digest: one line for each group of related events.
    pub summary: Vec<String>,
}

/// The requests of one call. Shared, since a call may outlive the caller.
pub type Batch = Arc<[DeliveryRequest]>;
