//! What the instances of a channel's resident plugin did, as administrators see it.

use tidings_sandbox::ResidentStats;

/// What a channel's resident plugin did since the channel was started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResidentView {
    /// There is an instance; else one is being started, or it rests after a crash.
    pub alive: bool,
    /// Instances that were started, and those of them that crashed.
    pub starts: u64,
    pub crashes: u64,
    pub last_crash: Option<String>,
    pub wakes: u64,
    /// Wakes that it asked for too soon, and that were held back.
    pub held: u64,
}

impl From<ResidentStats> for ResidentView {
    fn from(stats: ResidentStats) -> ResidentView {
        let ResidentStats { starts, crashes, last_crash, wakes, delayed_wakes, alive, .. } = stats;
        let last_crash = last_crash.map(|(kind, detail)| format!("{}: {detail}", kind.as_str()));
        ResidentView { alive, starts, crashes, last_crash, wakes, held: delayed_wakes }
    }
}
