//! How fast: a token bucket for lines, and the wait before the next connection. Times are milliseconds of a clock that
//! never goes back.

/// After floods the pace is slowed by halves, at most to this part, and to no more than so many milliseconds a line: one
/// delivery must fit into a call.
const SLOWEST: u64 = 8;
const LONGEST_STEP_MS: u64 = 10 * 1000;
/// After so long without a flood the pace is twice as fast again, up to what it was: milliseconds.
const RECOVERY_MS: u64 = 10 * 60 * 1000;

/// Lines that may go out: `burst` at once, then one each `interval_ms`.
#[derive(Clone, Debug)]
pub struct Bucket {
    burst: u64,
    interval_ms: u64,
    slowed: u64,
    /// When the pace changed last.
    changed_ms: u64,
    /// When the bucket will be full; the later, the emptier it is.
    full_ms: u64,
}

impl Bucket {
    pub fn new(burst: u64, interval_ms: u64) -> Self {
        Bucket { burst: burst.max(1), interval_ms: interval_ms.max(1), slowed: 1, changed_ms: 0, full_ms: 0 }
    }

    fn step_ms(&self) -> u64 {
        (self.interval_ms * self.slowed).min(LONGEST_STEP_MS)
    }

    /// How long until a line may go: 0 if it may now.
    pub fn wait_ms(&self, now_ms: u64) -> u64 {
        self.time_for(1, now_ms)
    }

    /// How long until so many lines have gone, one after the other as soon as each may.
    pub fn time_for(&self, lines: usize, now_ms: u64) -> u64 {
        let Some(before) = lines.checked_sub(1) else { return 0 };
        let taken_ms = self.full_ms.saturating_sub(now_ms) + self.step_ms() * before as u64;
        taken_ms.saturating_sub(self.step_ms() * (self.burst - 1))
    }

    /// How many lines go within so long, however empty the bucket is.
    pub fn lines_within(&self, ms: u64) -> usize {
        usize::try_from(ms / self.step_ms()).unwrap_or(usize::MAX)
    }

    /// A line goes, whether it may or not.
    pub fn take(&mut self, now_ms: u64) {
        if self.slowed > 1 && now_ms.saturating_sub(self.changed_ms) >= RECOVERY_MS {
            self.slowed /= 2;
            self.changed_ms = now_ms;
        }
        self.full_ms = self.full_ms.max(now_ms) + self.step_ms();
    }

    /// The server called it a flood: half as fast from now on, for a while.
    pub fn slow(&mut self, now_ms: u64) {
        self.slowed = (self.slowed * 2).min(SLOWEST);
        self.changed_ms = now_ms;
    }
}

/// The longest wait between two connections: milliseconds.
const LONGEST_MS: u64 = 5 * 60 * 1000;
/// A connection that lasted so long was a good one: milliseconds.
const SETTLED_MS: u64 = 60 * 1000;

/// When to connect again.
#[derive(Clone, Debug)]
pub struct Backoff {
    first_ms: u64,
    failures: u32,
    next_ms: u64,
}

impl Backoff {
    /// The first wait; each further one is twice as long.
    pub fn new(first_ms: u64) -> Self {
        Backoff { first_ms, failures: 0, next_ms: 0 }
    }

    /// The wait that is left.
    pub fn wait_ms(&self, now_ms: u64) -> u64 {
        self.next_ms.saturating_sub(now_ms)
    }

    /// A connection was lost that was in use for `lived_ms`, or none came about. `random` spreads the wait, so that all
    /// that a network threw out do not come back at once; `least_ms` is what the server wants.
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
    fn a_burst_goes_at_once_and_the_rest_at_the_interval() {
        let mut bucket = Bucket::new(3, 2000);
        let mut now_ms = 10_000;
        let mut at = Vec::new();
        for _ in 0..5 {
            now_ms += bucket.wait_ms(now_ms);
            bucket.take(now_ms);
            at.push(now_ms - 10_000);
        }
        assert_eq!(at, [0, 0, 0, 2000, 4000]);
        assert_eq!(bucket.wait_ms(now_ms + 3 * 2000), 0, "it fills up");
    }

    #[test]
    fn a_flood_halves_the_pace_and_quiet_brings_it_back() {
        let pace_ms = |bucket: &Bucket, now_ms| {
            let mut bucket = bucket.clone();
            (0..3).for_each(|_| bucket.take(now_ms));
            bucket.wait_ms(now_ms)
        };
        let mut bucket = Bucket::new(3, 2000);
        let mut now_ms = 1_000_000;
        for expected in [4000, 8000, LONGEST_STEP_MS, LONGEST_STEP_MS] {
            bucket.slow(now_ms);
            assert_eq!(pace_ms(&bucket, now_ms), expected);
        }
        for expected in [8000, 4000, 2000, 2000] {
            now_ms += RECOVERY_MS;
            bucket.take(now_ms);
            assert_eq!(pace_ms(&bucket, now_ms + 60_000), expected);
        }
    }

    #[test]
    fn the_time_for_some_lines_is_what_they_take() {
        for taken in 0..6 {
            let mut bucket = Bucket::new(3, 2000);
            (0..taken).for_each(|_| bucket.take(500));
            for lines in 0..9 {
                let (mut played, mut now_ms) = (bucket.clone(), 700);
                for _ in 0..lines {
                    now_ms += played.wait_ms(now_ms);
                    played.take(now_ms);
                }
                assert_eq!(bucket.time_for(lines, 700), now_ms - 700, "{lines} after {taken}");
            }
        }
        let mut empty = Bucket::new(3, 2000);
        (0..3).for_each(|_| empty.take(500));
        assert_eq!(empty.lines_within(9000), 4);
        assert!(empty.time_for(4, 500) <= 9000);
    }

    #[test]
    fn each_failure_doubles_the_wait_up_to_a_bound_and_a_long_life_resets_it() {
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
