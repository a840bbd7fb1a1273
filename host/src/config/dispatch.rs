//! The settings `dispatch.*`: how deliveries are sent, and when a plugin counts as broken.

use std::time::Duration;

use serde::Deserialize;
use tidings_domain::plugin_life::quarantine::CrashRule;
use tidings_domain::retry::RetryPolicy;

use crate::dispatch::{DispatchSettings, limits};

#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DispatchConfig {
    /// Deliveries in one call of a plugin.
    pub batch: usize,
    /// Calls of one channel at the same time, at most.
    pub window: usize,
    #[serde(with = "humantime_serde")]
    pub backoff_min: Duration,
    #[serde(with = "humantime_serde")]
    pub backoff_max: Duration,
    #[serde(with = "humantime_serde")]
    pub max_age: Duration,
    /// How long calls in flight may go on when a channel is disabled or the daemon stops; at most two minutes.
    #[serde(with = "humantime_serde")]
    pub stop_grace: Duration,
    /// So many crashes among the last calls quarantine a channel; 0: never.
    pub quarantine_crashes: usize,
    pub quarantine_calls: usize,
}

impl Default for DispatchConfig {
    fn default() -> Self {
        DispatchConfig {
            batch: limits::DELIVER_BATCH,
            window: limits::CHANNEL_WINDOW,
            backoff_min: tidings_domain::limits::BACKOFF_MIN,
            backoff_max: tidings_domain::limits::BACKOFF_MAX,
            max_age: tidings_domain::limits::DELIVERY_MAX_AGE,
            stop_grace: limits::STOP_GRACE,
            quarantine_crashes: tidings_domain::limits::QUARANTINE_CRASHES,
            quarantine_calls: tidings_domain::limits::QUARANTINE_CALLS,
        }
    }
}

impl DispatchConfig {
    /// What of it decides about the next attempt.
    pub fn retry_policy(&self) -> RetryPolicy {
        RetryPolicy {
            backoff_min: self.backoff_min,
            backoff_max: self.backoff_max,
            max_age: self.max_age,
            ..RetryPolicy::default()
        }
    }

    /// The invalid settings, where `instances` of plugins may live at the same time.
    pub(super) fn errors(&self, instances: u32) -> Vec<&'static str> {
        let checks = [
            ((1..=1000).contains(&self.batch), "dispatch.batch must be 1 to 1000"),
            ((1..=100).contains(&self.window), "dispatch.window must be 1 to 100"),
            (
                self.window < instances as usize,
                "dispatch.window must be less than sandbox.max_instances: one channel would take all of them",
            ),
            (self.stop_grace <= limits::STOP_GRACE_MAX, "dispatch.stop_grace must be at most 2m"),
            (!self.backoff_min.is_zero(), "dispatch.backoff_min must be more than 0s"),
            (self.backoff_min <= self.backoff_max, "dispatch.backoff_min must not exceed dispatch.backoff_max"),
            ((1..=1000).contains(&self.quarantine_calls), "dispatch.quarantine_calls must be 1 to 1000"),
            (
                self.quarantine_crashes <= self.quarantine_calls,
                "dispatch.quarantine_crashes must not exceed dispatch.quarantine_calls",
            ),
        ];
        checks.into_iter().filter(|(valid, _)| !valid).map(|(_, error)| error).collect()
    }
}

impl From<&DispatchConfig> for DispatchSettings {
    fn from(config: &DispatchConfig) -> DispatchSettings {
        DispatchSettings {
            batch: config.batch,
            window: config.window,
            policy: config.retry_policy(),
            stop_grace: config.stop_grace,
            quarantine: CrashRule::settled(config.quarantine_crashes, config.quarantine_calls),
        }
    }
}
