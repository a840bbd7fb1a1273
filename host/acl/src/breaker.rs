//! A circuit breaker for a provider: after failures in a row no request is made for a while, then one request tries. It
//! only
//! decides and counts; the time is an argument.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// What a breaker admits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BreakerState {
    /// Everything.
    Closed,
    /// Nothing; one request after the rest.
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
    rest: Duration,
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
    pub(crate) const fn new(threshold: u32, rest: Duration) -> Breaker {
        Breaker { threshold, rest, count: Mutex::new(Count { failures: 0, next: None, probing: false }) }
    }

    /// Whether a request may be made now.
    pub(crate) fn admits(&self, now: Instant) -> bool {
        let mut count = self.count();
        match count.next {
            None => true,
            Some(next) if now < next => false,
            Some(_) => {
                count.next = Some(now + self.rest);
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
        count.next.replace(now + self.rest).is_none()
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

    const REST: Duration = Duration::from_secs(30);

    #[test]
    fn it_opens_after_failures_in_a_row_and_closes_after_one_probe_that_succeeds() {
        let (breaker, start) = (Breaker::new(3, REST), Instant::now());
        assert!(!breaker.failed(start));
        assert!(!breaker.failed(start));
        assert!(!breaker.succeeded(), "a success in between starts the count anew");
        assert!(!breaker.failed(start));
        assert!(!breaker.failed(start));
        assert!(breaker.admits(start));
        assert!(breaker.failed(start));
        assert_eq!(breaker.state(), BreakerState::Open);
        assert!(!breaker.admits(start + REST / 2));
        assert!(breaker.admits(start + REST), "the probe");
        assert_eq!(breaker.state(), BreakerState::HalfOpen);
        assert!(!breaker.admits(start + REST), "only one");
        assert!(breaker.succeeded());
        assert_eq!(breaker.state(), BreakerState::Closed);
        assert!(breaker.admits(start + REST));
    }

    #[test]
    fn a_probe_that_fails_or_vanishes_means_another_rest() {
        let (breaker, start) = (Breaker::new(1, REST), Instant::now());
        assert!(breaker.failed(start));
        assert!(breaker.admits(start + REST));
        assert!(!breaker.failed(start + REST), "it was open already");
        assert!(!breaker.admits(start + REST + REST / 2));
        assert!(breaker.admits(start + REST * 2), "a second probe, never heard of again");
        assert!(breaker.admits(start + REST * 3));
    }
}
