//! What plugins reach of the daemon itself: their own keys in the store, the log under their channel's name, and the inbox.

use std::sync::Arc;

use async_trait::async_trait;
use tidings_sandbox::{ChannelHost, LogLevel, StateError};
use tidings_store::{Store, StoreError};

use super::inbox::{Hints, Inbox};
use crate::knowledge::Knowledge;
use crate::telemetry::chain;

/// The daemon as plugins see it.
pub struct PluginHost {
    store: Arc<dyn Store>,
    knowledge: Arc<Knowledge>,
    hints: Hints,
}

impl PluginHost {
    pub fn new(store: Arc<dyn Store>, knowledge: Arc<Knowledge>) -> PluginHost {
        PluginHost { store, knowledge, hints: Hints::default() }
    }
}

#[async_trait]
impl ChannelHost for PluginHost {
    async fn state_get(&self, channel: &str, key: &str) -> Result<Option<Vec<u8>>, StateError> {
        self.store.plugin_state_get(channel, key).await.map_err(unavailable)
    }

    async fn state_set(
        &self,
        channel: &str,
        key: &str,
        value: &[u8],
        max_keys: u32,
        max_bytes: u64,
    ) -> Result<(), StateError> {
        match self.store.plugin_state_set(channel, key, value, max_keys, max_bytes).await {
            Ok(true) => Ok(()),
            Ok(false) => Err(StateError::Limit(format!("at most {max_keys} keys and {max_bytes} bytes"))),
            Err(error) => Err(unavailable(error)),
        }
    }

    async fn state_delete(&self, channel: &str, key: &str) -> Result<(), StateError> {
        self.store.plugin_state_delete(channel, key).await.map_err(unavailable)
    }

    async fn state_keys(&self, channel: &str, prefix: &str) -> Result<Vec<String>, StateError> {
        self.store.plugin_state_keys(channel, prefix).await.map_err(unavailable)
    }

    async fn inbox(&self, channel: &str, address: &str, text: &str) -> Vec<String> {
        let (store, knowledge, hints) = (self.store.as_ref(), &self.knowledge, &self.hints);
        Inbox { store, knowledge, hints, channel, address }.submit(text).await
    }

    fn log(&self, channel: &str, level: LogLevel, line: &str) {
        match level {
            LogLevel::Debug => tracing::debug!(target: "plugin", channel, "{line}"),
            LogLevel::Info => tracing::info!(target: "plugin", channel, "{line}"),
            LogLevel::Warning => tracing::warn!(target: "plugin", channel, "{line}"),
            LogLevel::Error => tracing::error!(target: "plugin", channel, "{line}"),
        }
    }
}

/// The plugin learns that the store failed; why is for the log.
fn unavailable(error: StoreError) -> StateError {
    tracing::warn!(error = %chain(&error), "a plugin's state could not be reached");
    StateError::Unavailable("the store is unavailable".into())
}
