//! Deliveries and their counts.

use serde::{Deserialize, Serialize};
use tidings_domain::delivery::DeliveryState;
use tidings_domain::time::Timestamp;

/// Which deliveries to list, newest first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::IntoParams), into_params(parameter_in = Query))]
pub struct DeliveryListQuery {
    pub state: Option<DeliveryState>,
    pub channel: Option<String>,
    pub user: Option<String>,
    /// The cursor of the page: `next` of the page before.
    pub after: Option<String>,
    /// Rows of the page; 100 if absent.
    #[cfg_attr(feature = "openapi", param(minimum = 1, maximum = 1000))]
    pub limit: Option<usize>,
}

/// A delivery.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DeliveryInfo {
    pub id: String,
    pub channel: String,
    pub user: String,
    pub address: String,
    /// The filter that caused it; null for a digest of several.
    pub filter: Option<String>,
    pub state: DeliveryState,
    pub attempts: u32,
    pub accepted_at: Timestamp,
    /// When a pending delivery is due.
    pub not_before: Timestamp,
    /// When it reached its present state or was last tried.
    pub updated_at: Timestamp,
    /// The last reason or receipt.
    pub note: Option<String>,
    pub message_id: String,
    pub topic: String,
    pub subtitle: String,
}

/// Which dead deliveries to retry. Without a channel and an id: all.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RetryRequest {
    pub channel: Option<String>,
    pub id: Option<String>,
}

/// The result of a retry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RetryResult {
    /// Dead deliveries that are pending again.
    pub retried: u64,
}

/// Deliveries of one channel by state. `accepted` is counted apart from the others and equals their sum.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct BooksInfo {
    pub channel: String,
    pub accepted: u64,
    pub delivered: u64,
    pub dead: u64,
    pub cancelled: u64,
    pub pending: u64,
}

impl BooksInfo {
    /// Whether `accepted = delivered + dead + cancelled + pending`.
    pub const fn balance(&self) -> bool {
        self.accepted == self.delivered + self.dead + self.cancelled + self.pending
    }
}
