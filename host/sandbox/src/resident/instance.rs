//! A running instance of a resident plugin, and when it is to be woken next.

use std::future::poll_fn;
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use crate::abi::WakeReason;
use crate::call::Call;
use crate::limits;

pub(super) struct ResidentInstance {
    pub call: Call,
    started: Instant,
    /// When the plugin asks to be woken.
    timer: Option<Instant>,
    /// The earliest time of the next wake.
    wake_not_before: Instant,
    /// Consecutive wakes that came due earlier.
    early_wakes: u32,
}

impl ResidentInstance {
    /// An instance whose first call began at `started` and asks to be woken after `timer`.
    pub(super) fn new(call: Call, started: Instant, timer: Option<Duration>) -> ResidentInstance {
        let mut instance = ResidentInstance { call, started, timer: None, wake_not_before: started, early_wakes: 0 };
        instance.schedule(timer);
        instance
    }

    pub(super) fn age(&self) -> Duration {
        self.started.elapsed()
    }

    /// Schedules the next wake after one that ended now.
    pub(super) fn schedule(&mut self, timer: Option<Duration>) {
        let now = Instant::now();
        self.timer = timer.map(|after| now + after.min(limits::WAIT_MAX));
        self.wake_not_before = now + limits::WAKE_INTERVAL;
    }

    /// Waits until the instance is to be woken. Cancel-safe.
    pub(super) async fn next_wake(&mut self) -> WakeReason {
        let timer = self.timer;
        let timer = async {
            match timer {
                Some(at) => sleep_until(at).await,
                None => std::future::pending().await,
            }
        };
        let call = &mut self.call;
        let reason = tokio::select! {
            () = poll_fn(|cx| call.poll_readable(cx)) => WakeReason::Readable,
            () = timer => WakeReason::Timer,
        };
        sleep_until(self.wake_not_before).await;
        reason
    }

    /// Counts consecutive early wakes. Returns their number, or none if this wake did not come due early.
    pub(super) fn count_early_wake(&mut self, reason: WakeReason) -> Option<u32> {
        let early = match reason {
            WakeReason::Timer => self.timer.is_some_and(|at| at < self.wake_not_before),
            WakeReason::Readable => self.wake_not_before.elapsed() < limits::EPOCH_TICK,
            WakeReason::Start | WakeReason::Stop => false,
        };
        self.early_wakes = if early { self.early_wakes.saturating_add(1) } else { 0 };
        early.then_some(self.early_wakes)
    }
}
