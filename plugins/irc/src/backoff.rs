//! The wait before the next connection. Times are milliseconds of a clock that never goes back; the caller reads it.

/// The longest regular wait between two connections, in milliseconds.
const LONGEST_MS: u64 = 5 * 60 * 1000;
/// A connection that lasted this long resets the backoff, in milliseconds.
const SETTLED_MS: u64 = 60 * 1000;

/// When the next connection may be made.
#[derive(Clone, Debug)]
pub struct Backoff {
    first_ms: u64,
    failures: u32,
    next_ms: u64,
}

impl Backoff {
    /// Starts with a wait of `first_ms`, which doubles with each failure.
    pub fn new(first_ms: u64) -> Self {
        Backoff { first_ms, failures: 0, next_ms: 0 }
    }

    /// The time until the next connection may be made, in milliseconds.
    pub fn wait_ms(&self, now_ms: u64) -> u64 {
        self.next_ms.saturating_sub(now_ms)
    }

    /// Records that a connection failed after it was in use for `lived_ms`. The wait is at least `least_ms`, and is
    /// lengthened by up to a quarter from `random`, so that not all clients of a network reconnect at once.
    pub fn failed(&mut self, now_ms: u64, lived_ms: u64, least_ms: u64, random: u64) {
        if lived_ms >= SETTLED_MS {
            self.failures = 0;
        }
        let whole_ms = self.first_ms.saturating_mul(1 << self.failures.min(16)).min(LONGEST_MS).max(least_ms);
        self.failures = self.failures.saturating_add(1);
        self.next_ms = now_ms + whole_ms + random % (whole_ms / 4 + 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_failure_doubles_the_wait_up_to_a_limit_and_a_long_connection_resets_it() {
        let mut backoff = Backoff::new(1000);
        let mut waits = Vec::new();
        for _ in 0..12 {
            backoff.failed(0, 0, 0, 0);
            waits.push(backoff.wait_ms(0));
        }
        assert_eq!(waits[..5], [1000, 2000, 4000, 8000, 16_000]);
        assert_eq!(waits[11], LONGEST_MS);
        backoff.failed(0, SETTLED_MS, 0, 7);
        assert_eq!(backoff.wait_ms(0), 1007);
        backoff.failed(0, SETTLED_MS, 3_600_000, 0);
        assert_eq!(backoff.wait_ms(0), 3_600_000);
        for random in [0, 1, 12345, u64::MAX] {
            backoff.failed(0, SETTLED_MS, 0, random);
            assert!((1000..=1250).contains(&backoff.wait_ms(0)));
        }
    }
}
