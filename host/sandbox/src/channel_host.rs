//! What the sandbox needs from the daemon while a plugin runs: its state, the inbox, event streams, the log. The daemon
//! implements [`ChannelHost`]; nothing here knows how.

use async_trait::async_trait;

/// The severity of a line of a plugin's log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LogLevel {
    Debug,
    Info,
    Warning,
    Error,
}

/// What a plugin appends to the event stream of an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamAppend {
    /// The address of the delivery.
    pub address: String,
    /// The id of the delivery: the stream holds at most one entry for it.
    pub delivery: String,
    /// JSON text.
    pub data: String,
}

/// Why a plugin's state could not be read or written, or its streams not appended to.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StateError {
    /// The channel would exceed its keys or bytes; nothing was written. Names the limit.
    #[error("{0}")]
    Limit(String),
    /// The store failed; nothing was written.
    #[error("{0}")]
    Unavailable(String),
}

/// The daemon, as one channel's plugin may use it. Keys, values and texts that arrive here are within the limits of one
/// call (`limits::STATE_KEY_BYTES` and so on); the implementation enforces the limits over all of a channel's state.
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

    /// Appends entries to event streams, all or none. Skips an entry whose delivery already has one.
    async fn append(&self, channel: &str, entries: Vec<StreamAppend>) -> Result<(), StateError>;

    /// Runs a user's command that came from `address`; returns the reply lines.
    async fn inbox(&self, channel: &str, address: &str, text: &str) -> Vec<String>;

    /// Writes a line of the plugin's log. The line is escaped, cut and within the limit of lines already.
    fn log(&self, channel: &str, level: LogLevel, line: &str);
}
