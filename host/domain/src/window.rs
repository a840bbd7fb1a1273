//! The window of a channel: how many calls may be in flight, and whether the channel rests. It opens slowly while calls
//! succeed and closes at once when the channel is in trouble (Postfix's destination concurrency; TCP's additive
//! increase and multiplicative decrease).

use std::time::Duration;

use crate::time::Timestamp;

/// What a call means for its channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CallResult {
    /// The remote server was reached; single deliveries may have failed.
    Success,
    /// The plugin crashed, or ran into its deadline.
    Crashed,
    /// The channel reported trouble, and optionally how long to pause.
    Trouble { after: Option<Duration> },
}

/// The window of one channel.
#[derive(Clone, Debug)]
pub struct Window {
    max: usize,
    size: usize,
    troubles: u32,
    rest_min: Duration,
    rest_max: Duration,
    resting_until: Option<Timestamp>,
}

impl Window {
    /// A window of one call that may grow to `max`; rests are clamped to the two durations, of which the second wins.
    pub fn new(max: usize, rest_min: Duration, rest_max: Duration) -> Window {
        let rest_min = rest_min.min(rest_max);
        Window { max: max.max(1), size: 1, troubles: 0, rest_min, rest_max, resting_until: None }
    }

    /// Calls that may be in flight now.
    pub fn size(&self, now: Timestamp) -> usize {
        if self.resting_until.is_some_and(|until| now < until) { 0 } else { self.size }
    }

    /// Until when the channel rests, if it does.
    pub fn resting_until(&self, now: Timestamp) -> Option<Timestamp> {
        self.resting_until.filter(|until| now < *until)
    }

    /// Records a finished call.
    pub fn observe(&mut self, result: &CallResult, now: Timestamp) {
        match result {
            // A call that began before the trouble proves nothing about it.
            CallResult::Success if self.resting_until(now).is_some() => {}
            CallResult::Success => {
                self.troubles = 0;
                self.resting_until = None;
                self.size = (self.size + 1).min(self.max);
            }
            CallResult::Crashed => self.size = (self.size / 2).max(1),
            CallResult::Trouble { after } => {
                // Doubles with every trouble in a row; calls that were in flight together count once.
                if self.resting_until(now).is_none() {
                    self.troubles = (self.troubles + 1).min(16);
                }
                let doubled = self.rest_min.saturating_mul(1 << (self.troubles - 1));
                let rest = after.unwrap_or(doubled).clamp(self.rest_min, self.rest_max);
                let until = now.after(rest);
                self.resting_until = Some(self.resting_until.map_or(until, |already| already.max(until)));
                self.size = 1;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_millis(seconds * 1000)
    }

    fn window() -> Window {
        Window::new(4, 10 * SECOND, 100 * SECOND)
    }

    #[test]
    fn it_grows_by_one_for_each_successful_call_up_to_its_maximum() {
        let mut window = window();
        let sizes: Vec<usize> = (0..6)
            .map(|_| {
                window.observe(&CallResult::Success, at(0));
                window.size(at(0))
            })
            .collect();
        assert_eq!(sizes, [2, 3, 4, 4, 4, 4]);
    }

    #[test]
    fn a_longest_pause_below_the_shortest_replaces_it() {
        let mut window = Window::new(4, 10 * SECOND, SECOND);
        window.observe(&CallResult::Trouble { after: Some(60 * SECOND) }, at(0));
        assert_eq!(window.resting_until(at(0)), Some(at(1)));
    }

    #[test]
    fn a_crash_halves_it_to_at_least_one() {
        let mut window = window();
        for _ in 0..4 {
            window.observe(&CallResult::Success, at(0));
        }
        for expected in [2, 1, 1] {
            window.observe(&CallResult::Crashed, at(0));
            assert_eq!(window.size(at(0)), expected);
        }
    }

    #[test]
    fn trouble_closes_it_for_twice_as_long_each_time_within_bounds() {
        let mut window = window();
        let mut now = 0;
        for rest in [10, 20, 40, 80, 100, 100] {
            window.observe(&CallResult::Trouble { after: None }, at(now));
            assert_eq!(window.size(at(now)), 0);
            assert_eq!(window.resting_until(at(now)), Some(at(now + rest)));
            now += rest;
            assert_eq!(window.size(at(now)), 1, "one call tests whether the trouble is over");
        }
        window.observe(&CallResult::Success, at(now));
        window.observe(&CallResult::Trouble { after: None }, at(now));
        assert_eq!(window.resting_until(at(now)), Some(at(now + 10)), "a successful call resets the count of troubles");
    }

    #[test]
    fn a_requested_pause_is_clamped() {
        for (requested, rest) in [(0, 10), (50, 50), (100_000, 100)] {
            let mut window = window();
            window.observe(&CallResult::Trouble { after: Some(requested * SECOND) }, at(0));
            assert_eq!(window.resting_until(at(0)), Some(at(rest)), "requested {requested} s");
        }
    }

    #[test]
    fn a_successful_call_that_began_before_the_trouble_does_not_end_the_pause() {
        let mut window = window();
        window.observe(&CallResult::Trouble { after: None }, at(0));
        window.observe(&CallResult::Success, at(1));
        assert_eq!(window.resting_until(at(1)), Some(at(10)));
    }

    #[test]
    fn troubles_of_calls_in_flight_together_count_once() {
        let mut window = window();
        for _ in 0..3 {
            window.observe(&CallResult::Trouble { after: None }, at(0));
        }
        assert_eq!(window.resting_until(at(0)), Some(at(10)));
    }
}
