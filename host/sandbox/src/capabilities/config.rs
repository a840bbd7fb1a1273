//! `config`: the channel's settings, checked and with defaults applied before the call.

use crate::instance::InstanceState;

impl InstanceState {
    pub(crate) fn setting(&self, name: &str) -> Option<String> {
        self.context.config.get(name).cloned()
    }
}
