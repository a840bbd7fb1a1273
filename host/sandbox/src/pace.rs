//! How fast one channel's plugin may ask what all channels share: at once as long as it has something saved up, and then so
//! many times a second. Whoever is ahead of its time waits; nothing is refused.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tidings_domain::limits;
use tokio::time::{Instant, sleep_until};

const STEP: Duration = Duration::from_nanos(1_000_000_000 / limits::STORE_CALLS_PER_SECOND as u64);

/// The turns of one channel, over all its calls.
#[derive(Default)]
pub(crate) struct Pace {
    /// When the turn after the last one that was given is due; it lies in the past where something is saved up.
    next: Mutex<Option<Instant>>,
}

impl Pace {
    /// Waits for a turn.
    pub(crate) async fn turn(&self) {
        let due = self.take(Instant::now());
        sleep_until(due).await;
    }

    fn take(&self, now: Instant) -> Instant {
        let saved = now.checked_sub(STEP * limits::STORE_CALLS_SAVED).unwrap_or(now);
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        let due = next.map_or(saved, |next| next.max(saved));
        *next = Some(due + STEP);
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_saved_up_goes_at_once_and_the_rest_at_its_pace() {
        let (pace, now) = (Pace::default(), Instant::now() + Duration::from_secs(3600));
        let at_once = (0..2 * limits::STORE_CALLS_SAVED).take_while(|_| pace.take(now) <= now).count();
        assert_eq!(at_once as u32, limits::STORE_CALLS_SAVED + 1);
        assert_eq!(pace.take(now), now + 2 * STEP);
        let later = now + Duration::from_secs(3600);
        let at_once = (0..2 * limits::STORE_CALLS_SAVED).take_while(|_| pace.take(later) <= later).count();
        assert_eq!(at_once as u32, limits::STORE_CALLS_SAVED + 1, "no more is ever saved up");
    }
}
