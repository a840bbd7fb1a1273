//! Event streams: entries by address, each delivery once, the newest only. Users follow them in browsers.

use async_trait::async_trait;
use tidings_domain::time::Timestamp;

use crate::error::Result;

/// An entry to be added to a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewEntry {
    pub address: String,
    /// The id of the delivery that it is about; a second entry of the same delivery is left out.
    pub delivery: String,
    /// JSON text.
    pub data: String,
}

/// An entry of a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamEntry {
    /// Its sequence number; grows over all streams and is never used again.
    pub seq: u64,
    pub data: String,
}

/// The event streams of channels.
#[async_trait]
pub trait EventStreamStore: Send + Sync {
    /// Adds entries to streams of a channel in one transaction. A stream keeps `limits::STREAM_ENTRIES` of them.
    async fn append(&self, channel: &str, entries: Vec<NewEntry>, now: Timestamp) -> Result<()>;
    /// The entries of a stream after that sequence number, oldest first, `limits::STREAM_PAGE` at most. A number that
    /// no entry has reached yet comes from another database, and means the beginning.
    async fn entries(&self, channel: &str, address: &str, after: u64) -> Result<Vec<StreamEntry>>;
}
