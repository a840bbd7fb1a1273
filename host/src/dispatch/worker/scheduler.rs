//! What a worker does next: how many calls may be in flight, which leases wait for a call and in which batches, and when to
//! look for due deliveries. It does no I/O.

use std::collections::VecDeque;
use std::time::Duration;

use tidings_domain::time::Timestamp;
use tidings_domain::window::{CallResult, Window};
use tidings_store::Lease;

/// A worker looks for due deliveries at least this often, whatever it was told: clocks jump.
pub(super) const LOOK_AT_LEAST: Duration = Duration::from_secs(30);
/// The shortest pause of the worker's loop.
const NAP_MIN: Duration = Duration::from_millis(5);

/// Deliveries that go out together.
pub(super) struct LeasedBatch {
    pub(super) leases: Vec<Lease>,
    /// A candidate failed with them, or one of them was in a call that crashed: only the active version gets them.
    pub(super) excluded_from_canary: bool,
}

/// How a leased delivery is to be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LeaseClass {
    /// With others, by any version.
    Untested,
    /// With others, by the active version.
    ExcludedFromCanary,
    /// In a batch of its own, by the active version: a call with it crashed.
    Suspect,
}

/// The window and what waits for it.
pub(super) struct Scheduler {
    window: Window,
    /// Leased, not called yet.
    waiting: VecDeque<LeasedBatch>,
    /// When to look for due deliveries again; none: now.
    look_at: Option<Timestamp>,
}

impl Scheduler {
    pub(super) fn new(window: Window) -> Scheduler {
        Scheduler { window, waiting: VecDeque::new(), look_at: None }
    }

    pub(super) fn replace_window(&mut self, window: Window) {
        self.window = window;
    }

    /// Learns from a call of the active version.
    pub(super) fn observe(&mut self, result: &CallResult, now: Timestamp) {
        self.window.observe(result, now);
    }

    /// Until when nothing is called, where the channel rests.
    pub(super) fn resting_until(&self, now: Timestamp) -> Option<Timestamp> {
        self.window.resting_until(now)
    }

    /// Whether one more call may begin.
    pub(super) fn has_capacity(&self, in_flight: usize, now: Timestamp) -> bool {
        in_flight < self.window.size(now)
    }

    /// Whether it is time to lease: nothing waits, and something may be due.
    pub(super) fn needs_leases(&self, now: Timestamp) -> bool {
        self.waiting.is_empty() && self.look_at.is_none_or(|at| at <= now)
    }

    /// Something may be due now.
    pub(super) fn look_now(&mut self) {
        self.look_at = None;
    }

    /// Nothing is due before `at`.
    pub(super) fn look_at(&mut self, at: Timestamp) {
        self.look_at = Some(at);
    }

    /// Sorts leases into batches. Those that any version may get go out first, suspects last.
    pub(super) fn push(&mut self, leases: Vec<Lease>, class: impl Fn(&Lease) -> LeaseClass) {
        let (mut untested, mut excluded) = (Vec::new(), Vec::new());
        for lease in leases {
            match class(&lease) {
                LeaseClass::Untested => untested.push(lease),
                LeaseClass::ExcludedFromCanary => excluded.push(lease),
                LeaseClass::Suspect => {
                    self.waiting.push_back(LeasedBatch { leases: vec![lease], excluded_from_canary: true });
                }
            }
        }
        for (leases, excluded_from_canary) in [(excluded, true), (untested, false)] {
            if !leases.is_empty() {
                self.waiting.push_front(LeasedBatch { leases, excluded_from_canary });
            }
        }
    }

    /// The batch to call next.
    pub(super) fn pop(&mut self) -> Option<LeasedBatch> {
        self.waiting.pop_front()
    }

    /// Every lease that waits for a call; none waits afterwards.
    pub(super) fn take_waiting(&mut self) -> Vec<Lease> {
        self.waiting.drain(..).flat_map(|batch| batch.leases).collect()
    }

    /// How long to wait if nothing happens. `may_call`: no call is in flight, and no decision about the version is awaited;
    /// otherwise the end of either wakes the loop. `judgement`: when the rollout is to be judged.
    pub(super) fn nap(&self, may_call: bool, judgement: Option<Timestamp>, now: Timestamp) -> Duration {
        let wake = match self.resting_until(now) {
            Some(until) => until,
            None if !may_call => now.after(LOOK_AT_LEAST),
            None => self.look_at.unwrap_or(now),
        };
        let wake = judgement.map_or(wake, |at| wake.min(at));
        wake.since(now).clamp(NAP_MIN, LOOK_AT_LEAST)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_000_000);

    fn seconds(number: u64) -> Duration {
        Duration::from_secs(number)
    }

    fn scheduler() -> Scheduler {
        Scheduler::new(Window::new(4, seconds(10), seconds(60)))
    }

    #[test]
    fn it_naps_until_something_is_due_or_to_be_judged_and_never_for_long() {
        let mut scheduler = scheduler();
        assert!(scheduler.needs_leases(NOW));
        assert_eq!(scheduler.nap(true, None, NOW), NAP_MIN, "something may be due now");
        scheduler.look_at(NOW.after(seconds(7)));
        assert!(!scheduler.needs_leases(NOW) && scheduler.needs_leases(NOW.after(seconds(7))));
        assert_eq!(scheduler.nap(true, None, NOW), seconds(7));
        assert_eq!(scheduler.nap(true, Some(NOW.after(seconds(3))), NOW), seconds(3));
        assert_eq!(scheduler.nap(false, None, NOW), LOOK_AT_LEAST, "the end of a call wakes it");
        scheduler.look_at(NOW.after(seconds(3600)));
        assert_eq!(scheduler.nap(true, None, NOW), LOOK_AT_LEAST, "clocks jump");
        scheduler.look_now();
        assert!(scheduler.needs_leases(NOW));
    }

    #[test]
    fn a_channel_in_trouble_rests_and_then_calls_again() {
        let mut scheduler = scheduler();
        assert!(scheduler.has_capacity(0, NOW) && !scheduler.has_capacity(4, NOW));
        scheduler.observe(&CallResult::Trouble { after: Some(seconds(20)) }, NOW);
        let until = scheduler.resting_until(NOW).expect("it rests");
        assert!(!scheduler.has_capacity(0, NOW));
        assert_eq!(scheduler.nap(true, None, NOW), until.since(NOW));
        assert!(scheduler.has_capacity(0, until));
    }
}
