//! Subscriptions: the model of rules, filters and subscriptions as users edit it and as the store keeps it. Matching
//! uses a compiled form.

pub mod borrowed;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::limits::ADDRESSES_PER_SUBSCRIPTION;

/// One test with its arguments, as the user wrote it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Rule {
    /// The name of a rule in the catalogue or of a generic one, e.g. `user_package_filter`.
    pub rule: String,
    #[serde(default)]
    pub arguments: BTreeMap<String, String>,
    /// Inverts the result of the test. A test that fails with an error still fails the filter.
    #[serde(default)]
    pub negated: bool,
}

/// Rules joined by AND. One without rules never matches.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Filter {
    pub name: String,
    /// The filter deactivates itself after its first match.
    #[serde(default)]
    pub oneshot: bool,
    #[serde(default = "yes")]
    pub active: bool,
    #[serde(default)]
    pub rules: Vec<Rule>,
}

/// When pending deliveries are combined into a digest. Either bound sends it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DigestOptions {
    /// Seconds since the earliest gathered message.
    pub interval_seconds: u64,
    /// Gathered messages that send the digest before its time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count: Option<u32>,
}

/// How deliveries of one channel look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Style {
    /// The medium's decorations (colours, emphasis).
    #[serde(default)]
    pub markup: bool,
    /// Say which filter caused a delivery.
    #[serde(default = "yes")]
    pub triggered_by: bool,
    /// In digests, the long form of each item.
    #[serde(default = "yes")]
    pub verbose: bool,
}

impl Default for Style {
    fn default() -> Self {
        Style { markup: false, triggered_by: true, verbose: true }
    }
}

/// A user's filters for one channel, joined by OR in their order: the first that matches is named in the delivery.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Subscription {
    pub user: String,
    pub channel: String,
    #[serde(default = "yes")]
    pub enabled: bool,
    /// Confirmed addresses; each gets its own delivery.
    #[serde(default)]
    pub addresses: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<DigestOptions>,
    #[serde(default)]
    pub style: Style,
    #[serde(default)]
    pub filters: Vec<Filter>,
}

/// A change that depends on the present subscription: the store applies it in one transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Edit {
    /// Adds a confirmed address. Changes nothing if it exists or the limit is reached.
    AddAddress(String),
    /// Removes the address; filters and other addresses stay.
    RemoveAddress(String),
    /// Enables or disables the whole subscription.
    Enable(bool),
}

impl Edit {
    /// Applies the change; returns whether anything changed.
    pub fn apply(&self, subscription: &mut Subscription) -> bool {
        match self {
            Edit::AddAddress(new) => {
                let below_limit = subscription.addresses.len() < ADDRESSES_PER_SUBSCRIPTION;
                let adds = below_limit && !subscription.addresses.contains(new);
                subscription.addresses.extend(adds.then(|| new.clone()));
                adds
            }
            Edit::RemoveAddress(gone) => {
                let before = subscription.addresses.len();
                subscription.addresses.retain(|address| address != gone);
                subscription.addresses.len() < before
            }
            Edit::Enable(on) => std::mem::replace(&mut subscription.enabled, *on) != *on,
        }
    }
}

const fn yes() -> bool {
    true
}
