//! Deliveries as administrators see and change them: counts, lists, retries, and the failure policies of channels.

use std::collections::BTreeMap;

use async_trait::async_trait;
use tidings_domain::delivery::{DeliveryId, DeliveryState};
use tidings_domain::time::Timestamp;

use crate::error::Result;

/// Queries over deliveries, and changes to them that no outcome causes.
#[async_trait]
pub trait DeliveryStore: Send + Sync {
    /// The counts of each channel that ever had a delivery, by its name.
    async fn books(&self) -> Result<BTreeMap<String, Books>>;
    /// Deliveries that match the query, newest first.
    async fn deliveries(&self, query: DeliveryQuery) -> Result<Vec<DeliveryRow>>;
    /// Makes dead deliveries pending and due now; their age and attempts start again. Returns how many. Members of a
    /// digest come back together; `id` may be theirs or the digest's.
    async fn retry_dead(&self, channel: Option<&str>, id: Option<&DeliveryId>, now: Timestamp) -> Result<u64>;

    /// Makes deliveries dead, with that reason, that were accepted before that moment and are due, not leased and not
    /// collected for a digest. Returns how many. A digest is as old as its latest member.
    async fn drop_late(&self, channel: &str, accepted_before: Timestamp, reason: &str, now: Timestamp) -> Result<u64>;
    /// Moves such deliveries to another channel: each is cancelled with that reason, and the same message goes to the
    /// user's first address there, due now, unless it goes there already. A delivery stays where the user has no
    /// address there, where its message was given up there, or where `to` is disabled or quarantined. Returns how many
    /// left.
    async fn move_late(
        &self,
        channel: &str,
        to: &str,
        accepted_before: Timestamp,
        reason: &str,
        now: Timestamp,
    ) -> Result<u64>;
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

/// Which deliveries to list; an option that is absent does not restrict.
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
