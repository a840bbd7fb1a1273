//! What plugins keep between calls: keys and values of each channel, within quotas.

use async_trait::async_trait;

use crate::error::Result;

/// The key-value store of each channel's plugin.
#[async_trait]
pub trait PluginStateStore: Send + Sync {
    /// The value of a key; none where it has none.
    async fn plugin_state_get(&self, channel: &str, key: &str) -> Result<Option<Vec<u8>>>;
    /// Writes unless the channel would exceed `max_keys` keys or `max_bytes` bytes of keys and values in all. Returns
    /// whether it wrote.
    async fn plugin_state_set(
        &self,
        channel: &str,
        key: &str,
        value: &[u8],
        max_keys: u32,
        max_bytes: u64,
    ) -> Result<bool>;
    /// Deletes a key; does nothing where it does not exist.
    async fn plugin_state_delete(&self, channel: &str, key: &str) -> Result<()>;
    /// The keys that begin with `prefix`, in order.
    async fn plugin_state_keys(&self, channel: &str, prefix: &str) -> Result<Vec<String>>;
}
