//! Limits how often one channel's plugin calls the store, which all channels share: a token bucket of
//! `STORE_CALLS_SAVED` calls that refills with `STORE_CALLS_PER_SECOND`, and one call at a time. A call beyond it
//! waits; nothing is refused.

use std::time::Duration;

use tokio::sync::{Mutex, MutexGuard};
use tokio::time::{Instant, sleep_until};

use crate::limits;

const INTERVAL: Duration = Duration::from_nanos(1_000_000_000 / limits::STORE_CALLS_PER_SECOND as u64);

/// The store calls of one channel, over all its instances.
#[derive(Default)]
pub(crate) struct RateLimit(Mutex<Schedule>);

/// When the next call is due. It lies in the past while unused calls are saved.
#[derive(Default)]
struct Schedule(Option<Instant>);

/// Permission for one store call, for as long as it is held. The store serves calls in the order of their arrival: a
/// channel with many parallel calls would otherwise be served as many times before another channel is.
#[must_use]
pub(crate) struct StorePermit<'a> {
    _guard: MutexGuard<'a, Schedule>,
}

impl RateLimit {
    /// Waits until the next call is due and no other one is running.
    pub(crate) async fn acquire(&self) -> StorePermit<'_> {
        let mut schedule = self.0.lock().await;
        let due = schedule.reserve(Instant::now());
        sleep_until(due).await;
        StorePermit { _guard: schedule }
    }
}

impl Schedule {
    /// Reserves the next call; returns when it is due.
    fn reserve(&mut self, now: Instant) -> Instant {
        let earliest = now.checked_sub(INTERVAL * limits::STORE_CALLS_SAVED).unwrap_or(now);
        let due = self.0.map_or(earliest, |next| next.max(earliest));
        self.0 = Some(due + INTERVAL);
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn saved_calls_go_at_once_and_further_ones_at_the_rate() {
        let (mut schedule, now) = (Schedule::default(), Instant::now() + Duration::from_secs(3600));
        let at_once = (0..2 * limits::STORE_CALLS_SAVED).take_while(|_| schedule.reserve(now) <= now).count();
        assert_eq!(at_once as u32, limits::STORE_CALLS_SAVED + 1);
        assert_eq!(schedule.reserve(now), now + 2 * INTERVAL);
        let later = now + Duration::from_secs(3600);
        let at_once = (0..2 * limits::STORE_CALLS_SAVED).take_while(|_| schedule.reserve(later) <= later).count();
        assert_eq!(at_once as u32, limits::STORE_CALLS_SAVED + 1, "no more calls are ever saved");
    }

    #[tokio::test]
    async fn a_channel_makes_one_store_call_at_a_time() {
        let rate = RateLimit::default();
        let first = rate.acquire().await;
        let short = Duration::from_millis(20);
        assert!(tokio::time::timeout(short, rate.acquire()).await.is_err(), "the first call has not ended");
        drop(first);
        drop(rate.acquire().await);
    }
}
