//! The queue as dispatch and an administrator see it: leases, rows, books.

use std::sync::Arc;
use std::time::Duration;

use tidings_domain::delivery::{Delivery, DeliveryId, DeliveryState};
use tidings_domain::time::Timestamp;

/// The right to send one delivery until `until`. Only the store makes one; it is used up by `settle` or `release`, also
/// in its clones: keep one to settle again when the store was unavailable.
#[derive(Clone, Debug)]
pub struct Lease {
    delivery: Arc<Delivery>,
    until: Timestamp,
    token: i64,
    /// The row, or the leading one of a digest.
    row: i64,
}

impl Lease {
    /// For the stores of this crate alone: whoever holds a lease holds the rows it stands for.
    pub(crate) fn new(delivery: Delivery, until: Timestamp, token: i64, row: i64) -> Lease {
        Lease { delivery: Arc::new(delivery), until, token, row }
    }

    pub(crate) fn token(&self) -> i64 {
        self.token
    }

    pub(crate) fn row(&self) -> i64 {
        self.row
    }

    /// What to send, and to whom.
    pub fn delivery(&self) -> &Arc<Delivery> {
        &self.delivery
    }

    /// When somebody else may take it over.
    pub fn until(&self) -> Timestamp {
        self.until
    }
}

/// A request for work of one channel.
#[derive(Clone, Debug)]
pub struct LeaseRequest {
    pub channel: String,
    pub now: Timestamp,
    /// How long the leases live; longer than a call's deadline.
    pub lifetime: Duration,
    pub max: usize,
    /// Events that one digest shows; the rest of its group is counted as omitted.
    pub digest_events: usize,
}

/// A delivery as an administrator sees it.
#[derive(Clone, Debug, serde::Serialize)]
pub struct DeliveryRow {
    pub id: DeliveryId,
    pub channel: String,
    pub user: String,
    pub address: String,
    pub filter: Option<String>,
    pub state: DeliveryState,
    pub attempts: u32,
    pub accepted_at: Timestamp,
    /// When it is due, for a pending one.
    pub not_before: Timestamp,
    /// When it reached its present state or was last tried.
    pub updated_at: Timestamp,
    /// The last reason or receipt.
    pub note: Option<String>,
    pub message_id: String,
    pub topic: String,
    pub subtitle: String,
}

/// Which deliveries to list; none of the options: all. Newest first.
#[derive(Clone, Debug, Default)]
pub struct DeliveryQuery {
    pub state: Option<DeliveryState>,
    pub channel: Option<String>,
    pub user: Option<String>,
    /// Continue after this row's id (paging).
    pub after: Option<DeliveryId>,
    pub limit: usize,
}

/// How many deliveries are in each state, for one channel.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Books {
    /// Deliveries ever accepted; counted apart, so that a lost row shows.
    pub accepted: u64,
    pub delivered: u64,
    pub dead: u64,
    pub cancelled: u64,
    pub pending: u64,
}

impl Books {
    /// `accepted = delivered + dead + cancelled + pending`.
    pub fn balance(&self) -> bool {
        self.accepted == self.delivered + self.dead + self.cancelled + self.pending
    }
}
