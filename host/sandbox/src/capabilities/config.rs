//! `config`: the channel's settings, checked and completed before the call.

use crate::instance_state::InstanceState;

impl InstanceState {
    pub(crate) fn setting(&self, name: &str) -> Option<String> {
        self.furniture.config.get(name).cloned()
    }
}
