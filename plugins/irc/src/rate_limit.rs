//! The rate limit for lines: a token bucket, slowed down where the server reports a flood. Times are milliseconds of a
//! clock that never goes back; the caller reads it.

/// The largest factor by which floods slow the rate down.
const SLOWEST: u64 = 8;
/// The longest interval between two lines, in milliseconds: a delivery must fit into one call.
const LONGEST_INTERVAL_MS: u64 = 10 * 1000;
/// The time without a flood after which the rate doubles again, in milliseconds.
const RECOVERY_MS: u64 = 10 * 60 * 1000;

/// Permits `burst` lines at once, then one each `interval_ms`.
#[derive(Clone, Debug)]
pub struct TokenBucket {
    burst: u64,
    interval_ms: u64,
    /// The factor on the interval.
    slowdown: u64,
    /// When the slowdown changed last.
    changed_ms: u64,
    /// When the bucket will be full again.
    full_ms: u64,
}

impl TokenBucket {
    pub fn new(burst: u64, interval_ms: u64) -> Self {
        TokenBucket { burst: burst.max(1), interval_ms: interval_ms.max(1), slowdown: 1, changed_ms: 0, full_ms: 0 }
    }

    fn current_interval_ms(&self) -> u64 {
        (self.interval_ms * self.slowdown).min(LONGEST_INTERVAL_MS)
    }

    /// The time until a line may be sent; 0: now.
    pub fn wait_ms(&self, now_ms: u64) -> u64 {
        self.time_for(1, now_ms)
    }

    /// The time until so many lines have been sent, each as soon as it may be.
    pub fn time_for(&self, lines: usize, now_ms: u64) -> u64 {
        let Some(before) = lines.checked_sub(1) else { return 0 };
        let taken_ms = self.full_ms.saturating_sub(now_ms) + self.current_interval_ms() * before as u64;
        taken_ms.saturating_sub(self.current_interval_ms() * (self.burst - 1))
    }

    /// The number of lines that may be sent within `ms` from an empty bucket.
    pub fn lines_within(&self, ms: u64) -> usize {
        usize::try_from(ms / self.current_interval_ms()).unwrap_or(usize::MAX)
    }

    /// Counts a line that is sent.
    pub fn take(&mut self, now_ms: u64) {
        if self.slowdown > 1 && now_ms.saturating_sub(self.changed_ms) >= RECOVERY_MS {
            self.slowdown /= 2;
            self.changed_ms = now_ms;
        }
        self.full_ms = self.full_ms.max(now_ms) + self.current_interval_ms();
    }

    /// Halves the rate for some time, because the server reported a flood.
    pub fn slow_down(&mut self, now_ms: u64) {
        self.slowdown = (self.slowdown * 2).min(SLOWEST);
        self.changed_ms = now_ms;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_is_sent_at_once_and_further_lines_at_the_interval() {
        let mut bucket = TokenBucket::new(3, 2000);
        let mut now_ms = 10_000;
        let mut at = Vec::new();
        for _ in 0..5 {
            now_ms += bucket.wait_ms(now_ms);
            bucket.take(now_ms);
            at.push(now_ms - 10_000);
        }
        assert_eq!(at, [0, 0, 0, 2000, 4000]);
        assert_eq!(bucket.wait_ms(now_ms + 3 * 2000), 0, "the bucket is full again");
    }

    #[test]
    fn a_flood_halves_the_rate_and_time_restores_it() {
        let interval_after = |bucket: &TokenBucket, now_ms| {
            let mut bucket = bucket.clone();
            (0..3).for_each(|_| bucket.take(now_ms));
            bucket.wait_ms(now_ms)
        };
        let mut bucket = TokenBucket::new(3, 2000);
        let mut now_ms = 1_000_000;
        for expected in [4000, 8000, LONGEST_INTERVAL_MS, LONGEST_INTERVAL_MS] {
            bucket.slow_down(now_ms);
            assert_eq!(interval_after(&bucket, now_ms), expected);
        }
        for expected in [8000, 4000, 2000, 2000] {
            now_ms += RECOVERY_MS;
            bucket.take(now_ms);
            assert_eq!(interval_after(&bucket, now_ms + 60_000), expected);
        }
    }

    #[test]
    fn the_time_for_lines_is_the_time_to_send_them() {
        for taken in 0..6 {
            let mut bucket = TokenBucket::new(3, 2000);
            (0..taken).for_each(|_| bucket.take(500));
            for lines in 0..9 {
                let (mut simulated, mut now_ms) = (bucket.clone(), 700);
                for _ in 0..lines {
                    now_ms += simulated.wait_ms(now_ms);
                    simulated.take(now_ms);
                }
                assert_eq!(bucket.time_for(lines, 700), now_ms - 700, "{lines} after {taken}");
            }
        }
        let mut empty = TokenBucket::new(3, 2000);
        (0..3).for_each(|_| empty.take(500));
        assert_eq!(empty.lines_within(9000), 4);
        assert!(empty.time_for(4, 500) <= 9000);
    }
}
