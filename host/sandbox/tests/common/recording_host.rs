//! A daemon in memory that records what a plugin does with its host.

use std::collections::BTreeMap;
use std::sync::Mutex;

use async_trait::async_trait;
use tidings_sandbox::{ChannelHost, LogLevel, StateError, StreamAppend};

/// A daemon in memory: it keeps state within the limits, every entry of event streams, every line of the log.
#[derive(Default)]
pub struct RecordingHost {
    state: Mutex<BTreeMap<String, Vec<u8>>>,
    pub entries: Mutex<Vec<StreamAppend>>,
    pub lines: Mutex<Vec<String>>,
}

#[async_trait]
impl ChannelHost for RecordingHost {
    async fn state_get(&self, _: &str, key: &str) -> Result<Option<Vec<u8>>, StateError> {
        Ok(self.state.lock().expect("a lock").get(key).cloned())
    }

    async fn state_set(&self, _: &str, key: &str, value: &[u8], keys: u32, bytes: u64) -> Result<(), StateError> {
        let mut state = self.state.lock().expect("a lock");
        let mut after = state.clone();
        after.insert(key.to_owned(), value.to_vec());
        let size: usize = after.iter().map(|(key, value)| key.len() + value.len()).sum();
        if after.len() > keys as usize || size as u64 > bytes {
            return Err(StateError::Limit(format!("more than {keys} keys or {bytes} bytes")));
        }
        *state = after;
        Ok(())
    }

    async fn state_delete(&self, _: &str, key: &str) -> Result<(), StateError> {
        self.state.lock().expect("a lock").remove(key);
        Ok(())
    }

    async fn state_keys(&self, _: &str, prefix: &str) -> Result<Vec<String>, StateError> {
        Ok(self.state.lock().expect("a lock").keys().filter(|key| key.starts_with(prefix)).cloned().collect())
    }

    async fn append(&self, _: &str, entries: Vec<StreamAppend>) -> Result<(), StateError> {
        self.entries.lock().expect("a lock").extend(entries);
        Ok(())
    }

    async fn inbox(&self, _: &str, _: &str, text: &str) -> Vec<String> {
        vec![format!("you said {text}")]
    }

    fn log(&self, _: &str, _: LogLevel, line: &str) {
        self.lines.lock().expect("a lock").push(line.to_owned());
    }
}
