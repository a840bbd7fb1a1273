//! How deliveries are sent: the settings `dispatch.*` in the form that workers use.

use std::time::Duration;

use tidings_domain::plugin_life::quarantine::CrashRule;
use tidings_domain::retry::RetryPolicy;

/// The settings of every worker.
#[derive(Clone, Copy, Debug)]
pub struct DispatchSettings {
    /// Deliveries in one call of a plugin, at most.
    pub batch: usize,
    /// Calls of one channel's plugin at the same time, at most.
    pub window: usize,
    pub policy: RetryPolicy,
    /// How long calls in flight may go on after their worker was told to stop.
    pub stop_grace: Duration,
    /// How many crashes quarantine a channel whose version is not on trial.
    pub quarantine: CrashRule,
}
