//! `clock`: the time, and what is left of the call.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use crate::room::Room;

impl Room {
    /// Milliseconds since 1970-01-01 UTC.
    pub(crate) fn now_ms(&self) -> u64 {
        SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64)
    }

    /// Milliseconds since the call began.
    pub(crate) fn monotonic_ms(&self) -> u64 {
        self.elapsed().as_millis() as u64
    }

    /// Milliseconds until the call is ended.
    pub(crate) fn remaining_ms(&self) -> u64 {
        self.deadline().saturating_duration_since(Instant::now()).as_millis() as u64
    }
}
