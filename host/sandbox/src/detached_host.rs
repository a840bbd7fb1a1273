//! The context in which `describe` runs: no channel, no configuration, no grants, no connections, and a host that keeps
//! nothing and returns nothing.

use std::sync::Arc;

use async_trait::async_trait;
use tidings_domain::limits::PluginLimits;
use tidings_domain::secret::Redaction;

use crate::channel_host::{ChannelHost, LogLevel, StateError, StreamAppend};
use crate::instance::ChannelContext;
use crate::network::LookupPermits;

/// What a plugin gets that is only asked for its manifest.
pub(crate) fn describe_context() -> ChannelContext {
    ChannelContext {
        channel: "".into(),
        config: Arc::default(),
        grants: Arc::default(),
        tokens: Arc::default(),
        redaction: Redaction::default(),
        lookups: LookupPermits::default(),
        store_rate: Arc::default(),
        limits: PluginLimits { connections: 0, ..PluginLimits::default() },
        host: Arc::new(DetachedHost),
    }
}

/// A host without a channel: it reads as empty and refuses every write.
pub(crate) struct DetachedHost;

#[async_trait]
impl ChannelHost for DetachedHost {
    async fn state_get(&self, _: &str, _: &str) -> Result<Option<Vec<u8>>, StateError> {
        Ok(None)
    }

    async fn state_set(&self, _: &str, _: &str, _: &[u8], _: u32, _: u64) -> Result<(), StateError> {
        Err(StateError::Unavailable("there is no channel yet".to_owned()))
    }

    async fn state_delete(&self, _: &str, _: &str) -> Result<(), StateError> {
        Ok(())
    }

    async fn state_keys(&self, _: &str, _: &str) -> Result<Vec<String>, StateError> {
        Ok(Vec::new())
    }

    async fn append(&self, _: &str, _: Vec<StreamAppend>) -> Result<(), StateError> {
        Err(StateError::Unavailable("there is no channel yet".to_owned()))
    }

    async fn inbox(&self, _: &str, _: &str, _: &str) -> Vec<String> {
        Vec::new()
    }

    fn log(&self, _: &str, level: LogLevel, line: &str) {
        tracing::debug!(?level, line, "a plugin logged a line while it was being admitted");
    }
}
