//! Event streams, as the store keeps them: entries by address, each once, the newest only.

use async_trait::async_trait;
use tidings_domain::time::Timestamp;

use crate::Result;

/// An entry on its way into a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewEntry {
    pub address: String,
    /// The id of the delivery that it is about: a second entry of the same one is left out.
    pub delivery: String,
    /// JSON text.
    pub data: String,
}

/// An entry of a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamEntry {
    /// Its place; grows over all streams and is never used again.
    pub seq: u64,
    pub data: String,
}

/// What users follow in their browsers.
#[async_trait]
pub trait EventStreams: Send + Sync {
    /// Adds entries to streams of a channel in one transaction. A stream keeps `limits::STREAM_ENTRIES` of them.
    async fn append(&self, channel: &str, entries: Vec<NewEntry>, now: Timestamp) -> Result<()>;
    /// The entries of a stream behind that place, oldest first, `limits::STREAM_PAGE` at most. A place that no entry has
    /// reached yet is of another database, and means the beginning.
    async fn entries(&self, channel: &str, address: &str, behind: u64) -> Result<Vec<StreamEntry>>;
}
