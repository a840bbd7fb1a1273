//! A circuit breaker for a provider: after failures in a row no request is made for a while, then one request tries. It
//! only decides and counts; the time is an argument.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// What a breaker admits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BreakerState {
    /// Everything.
    Closed,
    /// Nothing; one request after the pause.
    Open,
    /// Nothing while that request is under way.
    HalfOpen,
}

impl BreakerState {
    /// The name for metrics and the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            BreakerState::Closed => "closed",
            BreakerState::Open => "open",
            BreakerState::HalfOpen => "half_open",
        }
    }
}

#[derive(Debug)]
pub(crate) struct Breaker {
    threshold: u32,
    pause: Duration,
    count: Mutex<Count>,
}

#[derive(Debug, Default)]
struct Count {
    /// Failures since the last success.
    failures: u32,
    /// If open: when the next request may try. Covers a request that tried and never reported its result.
    next: Option<Instant>,
    probing: bool,
}

impl Breaker {
    pub(crate) const fn new(threshold: u32, pause: Duration) -> Breaker {
        Breaker { threshold, pause, count: Mutex::new(Count { failures: 0, next: None, probing: false }) }
    }

    /// Whether a request may be made now.
    pub(crate) fn admits(&self, now: Instant) -> bool {
        let mut count = self.count();
        match count.next {
            None => true,
            Some(next) if now < next => false,
            Some(_) => {
                count.next = Some(now + self.pause);
                count.probing = true;
                true
            }
        }
    }

    /// Records a success. Returns true if that closed the breaker.
    pub(crate) fn succeeded(&self) -> bool {
        std::mem::take(&mut *self.count()).next.is_some()
    }

    /// Records a failure. Returns true if that opened the breaker.
    pub(crate) fn failed(&self, now: Instant) -> bool {
        let mut count = self.count();
        count.failures = count.failures.saturating_add(1);
        count.probing = false;
        if count.failures < self.threshold {
            return false;
        }
        count.next.replace(now + self.pause).is_none()
    }

    pub(crate) fn state(&self) -> BreakerState {
        match &*self.count() {
            Count { next: None, .. } => BreakerState::Closed,
            Count { probing: true, .. } => BreakerState::HalfOpen,
            Count { .. } => BreakerState::Open,
        }
    }

    fn count(&self) -> MutexGuard<'_, Count> {
        self.count.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAUSE: Duration = Duration::from_secs(30);

    #[test]
    fn it_opens_after_failures_in_a_row_and_closes_after_one_successful_probe() {
        let (breaker, start) = (Breaker::new(3, PAUSE), Instant::now());
        assert!(!breaker.failed(start));
        assert!(!breaker.failed(start));
        assert!(!breaker.succeeded(), "a success in between resets the count");
        assert!(!breaker.failed(start));
        assert!(!breaker.failed(start));
        assert!(breaker.admits(start));
        assert!(breaker.failed(start));
        assert_eq!(breaker.state(), BreakerState::Open);
        assert!(!breaker.admits(start + PAUSE / 2));
        assert!(breaker.admits(start + PAUSE), "the probe");
        assert_eq!(breaker.state(), BreakerState::HalfOpen);
        assert!(!breaker.admits(start + PAUSE), "only one probe");
        assert!(breaker.succeeded());
        assert_eq!(breaker.state(), BreakerState::Closed);
        assert!(breaker.admits(start + PAUSE));
    }

    #[test]
    fn a_probe_that_fails_or_never_reports_keeps_it_open_for_another_pause() {
        let (breaker, start) = (Breaker::new(1, PAUSE), Instant::now());
        assert!(breaker.failed(start));
        assert!(breaker.admits(start + PAUSE));
        assert!(!breaker.failed(start + PAUSE), "it was already open");
        assert!(!breaker.admits(start + PAUSE + PAUSE / 2));
        assert!(breaker.admits(start + PAUSE * 2), "a second probe that never reports its result");
        assert!(breaker.admits(start + PAUSE * 3));
    }
}
