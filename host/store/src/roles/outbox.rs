//! The outbox: messages in, leased deliveries out, outcomes back. Which state follows an outcome is decided by
//! `domain::outcome`; this role makes it durable.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tidings_domain::delivery::{Acceptance, Delivery, NewMessage};
use tidings_domain::outcome::Settlement;
use tidings_domain::time::Timestamp;

use crate::error::Result;

/// The queue as intake and dispatch use it. `accept` and `settle` may share a transaction with calls made at the same
/// time (group commit).
#[async_trait]
pub trait Outbox: Send + Sync {
    /// Stores the message and all its deliveries, or neither. Unique by message id and by (message, channel, address).
    /// A recipient of a one-shot filter that already fired is left out; the filter is deactivated in the same
    /// transaction. A recipient whose subscription was deleted or disabled, or lost the address, after the match is
    /// left out too.
    async fn accept(&self, message: NewMessage, now: Timestamp) -> Result<Acceptance>;

    /// Leases due deliveries of a channel to the caller, oldest due first and fair among users. An expired lease is due
    /// again. A digest whose time or count is reached is one delivery, and keeps its members and id over retries.
    async fn lease(&self, request: LeaseRequest) -> Result<Vec<Lease>>;
    /// When the earliest pending, unleased delivery of the channel (or an expiring lease) is due; none if none is
    /// pending. A moment already past means now.
    async fn next_due(&self, channel: &str) -> Result<Option<Timestamp>>;
    /// Stores outcomes in one transaction. A lease that expired and was taken over changes nothing, except that a
    /// delivered one is delivered. Returns the number of such stale leases.
    async fn settle(&self, settled: Vec<(Lease, Settlement)>, now: Timestamp) -> Result<usize>;
    /// Gives leases back untried.
    async fn release(&self, leases: Vec<Lease>) -> Result<()>;
    /// Gives up all leases of an earlier process; called at start, before dispatch. Returns how many there were.
    async fn release_all(&self) -> Result<u64>;
}

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
    /// For the stores of this crate only: a lease refers to rows that the store has claimed.
    pub(crate) fn new(delivery: Delivery, until: Timestamp, token: i64, row: i64) -> Lease {
        Lease { delivery: Arc::new(delivery), until, token, row }
    }

    pub(crate) fn token(&self) -> i64 {
        self.token
    }

    pub(crate) fn row(&self) -> i64 {
        self.row
    }

    /// What to send, and to which address.
    pub fn delivery(&self) -> &Arc<Delivery> {
        &self.delivery
    }

    /// When another worker may take the delivery over.
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
    /// The most leases to return; a digest counts as one.
    pub max: usize,
    /// Events that one digest shows; the rest of its group is counted as omitted.
    pub digest_events: usize,
}
