//! A daemon in memory: it keeps the plugin's state within its limits, its log, its event streams and the commands that
//! it submitted.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use tidings_sandbox::{ChannelHost, LogLevel, StateError, StreamAppend};

/// Records what the plugin of one channel does with its host.
#[derive(Debug, Default)]
pub struct MemoryHost {
    state: Mutex<BTreeMap<String, Vec<u8>>>,
    lines: Mutex<Vec<(LogLevel, String)>>,
    commands: Mutex<Vec<(String, String)>>,
    entries: Mutex<Vec<StreamAppend>>,
}

impl MemoryHost {
    /// Takes the lines of the log since the last call of this, oldest first.
    pub fn take_lines(&self) -> Vec<(LogLevel, String)> {
        std::mem::take(&mut lock(&self.lines))
    }

    /// Takes the entries of event streams since the last call of this.
    pub fn take_entries(&self) -> Vec<StreamAppend> {
        std::mem::take(&mut lock(&self.entries))
    }

    /// Takes the address and text of the commands submitted since the last call of this.
    pub fn take_commands(&self) -> Vec<(String, String)> {
        std::mem::take(&mut lock(&self.commands))
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[async_trait]
impl ChannelHost for MemoryHost {
    async fn state_get(&self, _: &str, key: &str) -> Result<Option<Vec<u8>>, StateError> {
        Ok(lock(&self.state).get(key).cloned())
    }

    async fn state_set(
        &self,
        _: &str,
        key: &str,
        value: &[u8],
        max_keys: u32,
        max_bytes: u64,
    ) -> Result<(), StateError> {
        let mut state = lock(&self.state);
        let others = || state.iter().filter(|(other, _)| *other != key);
        let bytes = key.len() + value.len() + others().map(|(key, value)| key.len() + value.len()).sum::<usize>();
        if others().count() + 1 > max_keys as usize || bytes as u64 > max_bytes {
            return Err(StateError::Limit(format!("at most {max_keys} keys and {max_bytes} bytes")));
        }
        state.insert(key.to_owned(), value.to_vec());
        Ok(())
    }

    async fn state_delete(&self, _: &str, key: &str) -> Result<(), StateError> {
        lock(&self.state).remove(key);
        Ok(())
    }

    async fn state_keys(&self, _: &str, prefix: &str) -> Result<Vec<String>, StateError> {
        Ok(lock(&self.state).keys().filter(|key| key.starts_with(prefix)).cloned().collect())
    }

    async fn append(&self, _: &str, entries: Vec<StreamAppend>) -> Result<(), StateError> {
        lock(&self.entries).extend(entries);
        Ok(())
    }

    async fn inbox(&self, _: &str, address: &str, text: &str) -> Vec<String> {
        lock(&self.commands).push((address.to_owned(), text.to_owned()));
        vec![format!("there is no command `{text}`")]
    }

    fn log(&self, _: &str, level: LogLevel, line: &str) {
        lock(&self.lines).push((level, line.to_owned()));
    }
}
