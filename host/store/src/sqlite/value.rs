//! Values of the domain in columns: how they are written and read.

use serde::Serialize;
use serde::de::DeserializeOwned;
use tidings_domain::delivery::{DeliveryId, DeliveryState};
use tidings_domain::subscription::Style;
use tidings_domain::time::Timestamp;

use super::failure::{WriteFailure, damaged};

/// Milliseconds; a time beyond SQLite's integers becomes the last one.
pub(super) fn millis(time: Timestamp) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
}

pub(super) fn timestamp(millis: i64) -> Timestamp {
    Timestamp::from_millis(u64::try_from(millis).unwrap_or(0))
}

/// A count or size for SQL; one beyond SQLite's integers becomes the largest.
pub(super) fn size(n: usize) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

/// A count from SQL, never negative.
pub(super) fn count(n: i64) -> u64 {
    u64::try_from(n).unwrap_or(0)
}

/// The 16 bytes of an id.
pub(super) fn id_bytes(id: &DeliveryId) -> Result<Vec<u8>, WriteFailure> {
    hex::decode(id.as_str()).map_err(|error| damaged("delivery id", error))
}

pub(super) fn delivery_id(bytes: &[u8]) -> Result<DeliveryId, WriteFailure> {
    DeliveryId::parse(&hex::encode(bytes)).ok_or_else(|| damaged("delivery id", "it does not have 16 bytes"))
}

pub(super) fn state(text: &str) -> Result<DeliveryState, WriteFailure> {
    DeliveryState::parse(text).ok_or_else(|| damaged("delivery", format!("unknown state {text:?}")))
}

pub(super) fn style_bits(style: Style) -> i64 {
    i64::from(style.markup) | i64::from(style.triggered_by) << 1 | i64::from(style.verbose) << 2
}

pub(super) fn style(bits: i64) -> Style {
    Style { markup: bits & 1 != 0, triggered_by: bits & 2 != 0, verbose: bits & 4 != 0 }
}

pub(super) fn to_json(what: &'static str, value: &impl Serialize) -> Result<String, WriteFailure> {
    serde_json::to_string(value).map_err(|error| damaged(what, error))
}

pub(super) fn from_json<T: DeserializeOwned>(what: &'static str, text: &str) -> Result<T, WriteFailure> {
    serde_json::from_str(text).map_err(|error| damaged(what, error))
}
