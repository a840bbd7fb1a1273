//! What the instances of a resident plugin did, for the daemon to show and to judge.

use tidings_domain::outcome::CrashKind;

use crate::report::CallStats;

/// What a channel's instances did since the resident plugin was started.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ResidentStats {
    /// Instances that were started.
    pub starts: u64,
    /// Instances that crashed.
    pub crashes: u64,
    /// Crashes outside of deliveries: at a start, or in a wake.
    pub idle_crashes: u64,
    /// Consecutive crashes of instances that lived less than [`RESIDENT_STABLE_AFTER`]; 1 if the last one had lived
    /// longer.
    ///
    /// [`RESIDENT_STABLE_AFTER`]: crate::limits::RESIDENT_STABLE_AFTER
    pub consecutive_crashes: u32,
    /// The kind of the last crash, and one line on it.
    pub last_crash: Option<(CrashKind, String)>,
    pub deliveries: u64,
    pub wakes: u64,
    /// What the wakes used since it was last taken. The report of a delivery has its own.
    pub used: CallStats,
    /// Wakes that came due before [`WAKE_INTERVAL`] had passed, and were delayed.
    ///
    /// [`WAKE_INTERVAL`]: crate::limits::WAKE_INTERVAL
    pub delayed_wakes: u64,
    /// Whether an instance is running.
    pub alive: bool,
}
