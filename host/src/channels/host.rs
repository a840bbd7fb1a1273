//! The parts of the daemon that plugins may call: their own keys in the store, the log under their channel's name, their
//! users' event streams, and the inbox.

use std::collections::BTreeSet;
use std::sync::Arc;

use async_trait::async_trait;
use tidings_sandbox::{ChannelHost, LogLevel, StateError, StreamAppend};
use tidings_store::{EventStreamStore, NewEntry, PluginStateStore, Store, StoreError};

use super::inbox::{Hints, Inbox, InboxStore};
use super::logs::LogTails;
use crate::clock;
use crate::matching_state::MatchingState;
use crate::streams::Streams;
use crate::telemetry::chain;

/// The daemon as plugins see it.
#[derive(Clone)]
pub struct PluginHost {
    state: Arc<dyn PluginStateStore>,
    entries: Arc<dyn EventStreamStore>,
    inbox: InboxStore,
    matching: Arc<MatchingState>,
    streams: Streams,
    hints: Arc<Hints>,
    logs: Arc<LogTails>,
    /// Which version of a plugin it serves: its log lines say so.
    version: Arc<str>,
}

impl PluginHost {
    pub fn new(store: Arc<dyn Store>, matching: Arc<MatchingState>, streams: Streams) -> PluginHost {
        PluginHost {
            state: store.clone(),
            entries: store.clone(),
            inbox: InboxStore { subscriptions: store.clone(), confirmations: store },
            matching,
            streams,
            hints: Arc::default(),
            logs: Arc::default(),
            version: Arc::default(),
        }
    }

    /// The same daemon for one version of a plugin.
    pub(super) fn for_version(&self, version: &str) -> Arc<PluginHost> {
        Arc::new(PluginHost { version: version.into(), ..self.clone() })
    }

    /// The last lines of all plugins.
    pub(super) fn logs(&self) -> &LogTails {
        &self.logs
    }
}

#[async_trait]
impl ChannelHost for PluginHost {
    async fn state_get(&self, channel: &str, key: &str) -> Result<Option<Vec<u8>>, StateError> {
        self.state.plugin_state_get(channel, key).await.map_err(unavailable)
    }

    async fn state_set(
        &self,
        channel: &str,
        key: &str,
        value: &[u8],
        max_keys: u32,
        max_bytes: u64,
    ) -> Result<(), StateError> {
        match self.state.plugin_state_set(channel, key, value, max_keys, max_bytes).await {
            Ok(true) => Ok(()),
            Ok(false) => Err(StateError::Limit(format!("at most {max_keys} keys and {max_bytes} bytes"))),
            Err(error) => Err(unavailable(error)),
        }
    }

    async fn state_delete(&self, channel: &str, key: &str) -> Result<(), StateError> {
        self.state.plugin_state_delete(channel, key).await.map_err(unavailable)
    }

    async fn state_keys(&self, channel: &str, prefix: &str) -> Result<Vec<String>, StateError> {
        self.state.plugin_state_keys(channel, prefix).await.map_err(unavailable)
    }

    async fn append(&self, channel: &str, entries: Vec<StreamAppend>) -> Result<(), StateError> {
        let addresses: BTreeSet<String> = entries.iter().map(|entry| entry.address.clone()).collect();
        let new = |StreamAppend { address, delivery, data }| NewEntry { address, delivery, data };
        let new = entries.into_iter().map(new).collect();
        self.entries.append(channel, new, clock::now()).await.map_err(unavailable)?;
        for address in addresses {
            self.streams.wake(channel, &address);
        }
        Ok(())
    }

    async fn inbox(&self, channel: &str, address: &str, text: &str) -> Vec<String> {
        let (store, matching, hints) = (&self.inbox, &self.matching, &self.hints);
        Inbox { store, matching, hints, channel, address }.submit(text).await
    }

    fn log(&self, channel: &str, level: LogLevel, line: &str) {
        self.logs.add(channel, &self.version, level, line, clock::now());
        match level {
            LogLevel::Debug => tracing::debug!(target: "plugin", channel, "{line}"),
            LogLevel::Info => tracing::info!(target: "plugin", channel, "{line}"),
            LogLevel::Warning => tracing::warn!(target: "plugin", channel, "{line}"),
            LogLevel::Error => tracing::error!(target: "plugin", channel, "{line}"),
        }
    }
}

/// The plugin is told that the store failed; the log says why.
fn unavailable(error: StoreError) -> StateError {
    tracing::warn!(error = %chain(&error), "a plugin's state could not be reached; the plugin gets an error");
    StateError::Unavailable("the store is unavailable".into())
}
