//! How fast one channel's plugin may ask what all channels share: at once as long as it has something saved up, and then so
//! many times a second, one after the other. Whoever is ahead of its time waits; nothing is refused.

use std::time::Duration;

use crate::limits;
use tokio::sync::{Mutex, MutexGuard};
use tokio::time::{Instant, sleep_until};

const STEP: Duration = Duration::from_nanos(1_000_000_000 / limits::STORE_CALLS_PER_SECOND as u64);

/// The turns of one channel, over all its calls.
#[derive(Default)]
pub(crate) struct RateLimit(Mutex<Due>);

/// When the turn after the last one that was given is due; it lies in the past where something is saved up.
#[derive(Default)]
struct Due(Option<Instant>);

/// A channel's turn, for as long as it is held. What is asked of the store is done in the order in which it was asked: a
/// channel with many calls at a time would otherwise be served as many times before another one is.
#[must_use]
pub(crate) struct Turn<'a> {
    _held: MutexGuard<'a, Due>,
}

impl RateLimit {
    /// Waits for a turn.
    pub(crate) async fn turn(&self) -> Turn<'_> {
        let mut due = self.0.lock().await;
        let at = due.take(Instant::now());
        sleep_until(at).await;
        Turn { _held: due }
    }
}

impl Due {
    fn take(&mut self, now: Instant) -> Instant {
        let saved = now.checked_sub(STEP * limits::STORE_CALLS_SAVED).unwrap_or(now);
        let due = self.0.map_or(saved, |next| next.max(saved));
        self.0 = Some(due + STEP);
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_saved_up_goes_at_once_and_the_rest_at_its_pace() {
        let (mut due, now) = (Due::default(), Instant::now() + Duration::from_secs(3600));
        let at_once = (0..2 * limits::STORE_CALLS_SAVED).take_while(|_| due.take(now) <= now).count();
        assert_eq!(at_once as u32, limits::STORE_CALLS_SAVED + 1);
        assert_eq!(due.take(now), now + 2 * STEP);
        let later = now + Duration::from_secs(3600);
        let at_once = (0..2 * limits::STORE_CALLS_SAVED).take_while(|_| due.take(later) <= later).count();
        assert_eq!(at_once as u32, limits::STORE_CALLS_SAVED + 1, "no more is ever saved up");
    }

    #[tokio::test]
    async fn a_channel_asks_one_thing_at_a_time() {
        let pace = RateLimit::default();
        let turn = pace.turn().await;
        let short = Duration::from_millis(20);
        assert!(tokio::time::timeout(short, pace.turn()).await.is_err(), "the other one has not been answered");
        drop(turn);
        assert!(tokio::time::timeout(10 * short, pace.turn()).await.is_ok());
    }
}
