//! How many requests one token may make: a steady rate with a burst of two seconds' worth. A token over its quota gets 429
//! with `Retry-After`; other tokens are not affected.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use governor::clock::{Clock as _, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota};

/// Requests after which the quotas of idle tokens are dropped.
const CLEANUP_REQUESTS: u32 = 10_000;

/// The quotas of all tokens, by their id. Only ids of valid tokens get in, so their number is bounded by the store.
#[derive(Clone)]
pub(in crate::api) struct RequestQuota(Arc<Shared>);

struct Shared {
    limiter: DefaultKeyedRateLimiter<String>,
    requests: AtomicU32,
}

impl RequestQuota {
    pub(in crate::api) fn new(per_second: NonZeroU32) -> RequestQuota {
        let burst = per_second.saturating_mul(NonZeroU32::MIN.saturating_add(1));
        let limiter = DefaultKeyedRateLimiter::keyed(Quota::per_second(per_second).allow_burst(burst));
        RequestQuota(Arc::new(Shared { limiter, requests: AtomicU32::new(0) }))
    }

    /// Counts a request of the token. An error tells how long to wait.
    pub(super) fn check(&self, token_id: &str) -> Result<(), Duration> {
        if self.0.requests.fetch_add(1, Ordering::Relaxed) % CLEANUP_REQUESTS == CLEANUP_REQUESTS - 1 {
            self.0.limiter.retain_recent();
            self.0.limiter.shrink_to_fit();
        }
        self.0
            .limiter
            .check_key(&token_id.to_owned())
            .map_err(|denied| denied.wait_time_from(DefaultClock::default().now()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_over_its_quota_waits_and_others_do_not() {
        let quota = RequestQuota::new(NonZeroU32::MIN);
        assert!(quota.check("a").is_ok() && quota.check("a").is_ok(), "a burst of two seconds' worth");
        let wait = quota.check("a").expect_err("over the quota");
        assert!(wait > Duration::ZERO && wait <= Duration::from_secs(1), "{wait:?}");
        assert!(quota.check("b").is_ok());
    }
}
