//! `state`: the plugin's key-value store. This file enforces the limits of one key and one value, the host those of the
//! whole.

use crate::channel_host::StateError;
use crate::instance::ChannelContext;
use crate::limits;

impl ChannelContext {
    pub(crate) async fn state_get(&self, key: &str) -> Result<Option<Vec<u8>>, StateError> {
        check_key(key)?;
        let _permit = self.store_rate.acquire().await;
        self.host.state_get(&self.channel, key).await
    }

    pub(crate) async fn state_set(&self, key: &str, value: &[u8]) -> Result<(), StateError> {
        check_key(key)?;
        if value.len() > limits::STATE_VALUE_BYTES {
            return Err(StateError::Limit(format!("a value has at most {} bytes", limits::STATE_VALUE_BYTES)));
        }
        let _permit = self.store_rate.acquire().await;
        let limits = &self.limits;
        let (keys, bytes) = (limits.state_keys, limits.state_bytes);
        self.host.state_set(&self.channel, key, value, keys, bytes).await
    }

    pub(crate) async fn state_delete(&self, key: &str) -> Result<(), StateError> {
        check_key(key)?;
        let _permit = self.store_rate.acquire().await;
        self.host.state_delete(&self.channel, key).await
    }

    pub(crate) async fn state_keys(&self, prefix: &str) -> Result<Vec<String>, StateError> {
        if prefix.len() > limits::STATE_KEY_BYTES {
            return Ok(Vec::new());
        }
        let _permit = self.store_rate.acquire().await;
        self.host.state_keys(&self.channel, prefix).await
    }
}

fn check_key(key: &str) -> Result<(), StateError> {
    if (1..=limits::STATE_KEY_BYTES).contains(&key.len()) {
        return Ok(());
    }
    Err(StateError::Limit(format!("a key has 1 to {} bytes", limits::STATE_KEY_BYTES)))
}
