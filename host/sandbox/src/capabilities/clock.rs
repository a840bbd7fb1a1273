//! `clock`: the time, and the time until the call's deadline.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::instance::InstanceState;

impl InstanceState {
    /// Milliseconds since 1970-01-01 UTC.
    pub(crate) fn now_ms(&self) -> u64 {
        SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64)
    }

    /// Milliseconds since the instance was created.
    pub(crate) fn monotonic_ms(&self) -> u64 {
        self.age().as_millis() as u64
    }

    /// Milliseconds until the call's deadline.
    pub(crate) fn remaining_ms(&self) -> u64 {
        self.remaining().as_millis() as u64
    }
}
