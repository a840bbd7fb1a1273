//! What the sandbox needs of the daemon while a plugin runs: its state, the inbox, a place for log lines. The daemon
//! implements it; nothing here knows how.

use async_trait::async_trait;

/// How serious a plugin finds a line of its log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LogLevel {
    Debug,
    Info,
    Warning,
    Error,
}

/// What a plugin adds to the event stream of an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamAppend {
    /// Of the delivery.
    pub address: String,
    /// Its id: an entry of the same delivery is there already, or not.
    pub delivery: String,
    /// JSON text.
    pub data: String,
}

/// Why a plugin's state could not be read or written, or its streams not added to.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StateError {
    /// The channel would exceed its keys or bytes; nothing was written. Names the bound.
    #[error("{0}")]
    Limit(String),
    /// The store failed; nothing was written.
    #[error("{0}")]
    Unavailable(String),
}

/// The daemon, as one channel's plugin may use it. Keys, values and texts that arrive here are within the bounds of one
/// call (`limits::STATE_KEY_BYTES` and so on); bounds over all of a channel's state are the implementation's to keep.
#[async_trait]
pub trait ChannelHost: Send + Sync {
    async fn state_get(&self, channel: &str, key: &str) -> Result<Option<Vec<u8>>, StateError>;

    /// Writes unless the channel would then have more than `max_keys` keys or `max_bytes` bytes of keys and values.
    async fn state_set(
        &self,
        channel: &str,
        key: &str,
        value: &[u8],
        max_keys: u32,
        max_bytes: u64,
    ) -> Result<(), StateError>;

    async fn state_delete(&self, channel: &str, key: &str) -> Result<(), StateError>;

    /// The keys that start with `prefix`, sorted.
    async fn state_keys(&self, channel: &str, prefix: &str) -> Result<Vec<String>, StateError>;

    /// Adds entries to event streams, all or none, those apart whose delivery has one.
    async fn append(&self, channel: &str, entries: Vec<StreamAppend>) -> Result<(), StateError>;

    /// A user's command that came from `address`; returns the lines to answer with.
    async fn inbox(&self, channel: &str, address: &str, text: &str) -> Vec<String>;

    /// A line of the plugin's log: escaped, bounded, and within the rate limit already.
    fn log(&self, channel: &str, level: LogLevel, line: &str);
}
