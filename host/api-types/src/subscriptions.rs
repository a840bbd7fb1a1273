//! Subscriptions, confirmations and event streams.

use serde::{Deserialize, Serialize};
use tidings_domain::subscription::{DigestOptions, Filter, Style, Subscription};
use tidings_domain::time::Timestamp;

/// Which subscriptions to list, by user.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::IntoParams), into_params(parameter_in = Query))]
pub struct SubscriptionListQuery {
    /// Only this user's; then the list is complete.
    pub user: Option<String>,
    /// The cursor of the page: `next` of the page before.
    pub after: Option<String>,
    /// Rows of the page; 100 if absent. A page ends with all subscriptions of its last user, so it may be longer.
    #[cfg_attr(feature = "openapi", param(minimum = 1, maximum = 1000))]
    pub limit: Option<usize>,
}

/// A subscription to store. Absent fields have their default. The path names user and channel: those of the body are
/// ignored, so that an answer can be sent back as it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SubscriptionRequest {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channel: Option<String>,
    #[serde(default = "enabled")]
    pub enabled: bool,
    #[serde(default)]
    pub addresses: Vec<String>,
    #[serde(default)]
    pub digest: Option<DigestOptions>,
    #[serde(default)]
    pub style: Style,
    #[serde(default)]
    pub filters: Vec<Filter>,
}

const fn enabled() -> bool {
    true
}

impl SubscriptionRequest {
    /// The subscription of the user and channel that the request names itself; none if it names none.
    pub fn named(mut self) -> Option<Subscription> {
        let (user, channel) = (self.user.take()?, self.channel.take()?);
        Some(self.of(user, channel))
    }

    /// The subscription of this user and channel.
    pub fn of(self, user: String, channel: String) -> Subscription {
        let SubscriptionRequest { enabled, addresses, digest, style, filters, .. } = self;
        Subscription { user, channel, enabled, addresses, digest, style, filters }
    }
}

/// Which address to confirm.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AskConfirmationRequest {
    pub address: String,
}

/// A question to the owner of an address. It stands until it expires, also if it could not be sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ConfirmationInfo {
    /// In the channel's normal form.
    pub address: String,
    pub expires_at: Timestamp,
    #[serde(flatten)]
    pub sent: crate::TestSendResult,
}

/// Where a user follows an event stream.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct StreamInfo {
    pub address: String,
    pub path: String,
    /// Set if `api.public_url` is configured.
    pub url: Option<String>,
}
