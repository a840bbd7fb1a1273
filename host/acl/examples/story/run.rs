//! What came of one strategy: which messages were done when, what it cost, and the figures that are read off that.

use crate::world::World;

/// So many messages in hand are no backlog: they wait for lists that are on their way.
const ORDINARY: usize = 20;

/// When the backlog of the rebuild is gone.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum CatchUp {
    /// Seconds after the last build was tagged.
    After(f64),
    /// The same, reckoned from what is left at the story's end and how fast it goes.
    Reckoned(f64),
    Never,
}

#[derive(Debug, Default)]
pub struct Run {
    /// When messages were done, in seconds, sorted.
    pub done: Vec<f64>,
    /// Seconds of work, waiting for the access-list service included where it stops everything.
    pub busy: f64,
    /// Of these, waiting for the service.
    pub fetching: f64,
    /// Messages done, and the seconds that took, after the first lists had come.
    pub warm: (u64, f64),
    /// To the access-list service.
    pub requests: u64,
    /// How many seconds each edit of somebody's rules took to count; none if it did not before the story's end.
    pub edits: Vec<Option<f64>>,
}

impl Run {
    /// Messages a second that it can do in the long run.
    pub fn rate(&self) -> f64 {
        match self.warm {
            (0, _) => self.done.len() as f64 / self.busy,
            (messages, seconds) => messages as f64 / seconds,
        }
    }

    /// Messages that came before `at` and are not done.
    pub fn backlog(&self, world: &World, at: f64) -> usize {
        let before = |times: &[f64]| times.partition_point(|time| *time < at);
        before(&world.arrivals).saturating_sub(before(&self.done))
    }

    /// The most that a coming message found before it in each of `count` equal parts of the time from `from` to `to`.
    pub fn curve(&self, world: &World, from: f64, to: f64, count: usize) -> Vec<usize> {
        let edge = |part: usize| from + (to - from) * part as f64 / count as f64;
        let within = |times: &[f64], part| {
            times.partition_point(|time| *time < edge(part))..times.partition_point(|time| *time < edge(part + 1))
        };
        let largest = |part| {
            let (come, mut done) = (within(&world.arrivals, part), within(&self.done, part));
            let mut most = come.start.saturating_sub(done.start);
            for arrival in come {
                while done.clone().next().is_some_and(|next| self.done[next] < world.arrivals[arrival]) {
                    done.next();
                }
                most = most.max(arrival.saturating_sub(done.start));
            }
            most
        };
        (0..count).map(largest).collect()
    }

    pub fn catch_up(&self, world: &World) -> CatchUp {
        let came = |at: f64| world.arrivals.partition_point(|arrival| *arrival <= at);
        let first = self.done.partition_point(|done| *done < world.rebuilt);
        if came(world.rebuilt) <= first + ORDINARY {
            return CatchUp::After(0.0);
        }
        let caught_up = (first..self.done.len()).find(|n| came(self.done[*n]) <= n + 1 + ORDINARY);
        if let Some(n) = caught_up.filter(|n| self.done[*n] <= world.end) {
            return CatchUp::After(self.done[n] - world.rebuilt);
        }
        let (left, gain) = (self.backlog(world, world.end) as f64, self.rate() - world.calm_rate());
        if gain > 0.0 { CatchUp::Reckoned(world.end - world.rebuilt + left / gain) } else { CatchUp::Never }
    }

    /// The middle of the edits' ages, and the largest.
    pub fn edit_ages(&self) -> Option<(Option<f64>, Option<f64>)> {
        let mut ages = self.edits.clone();
        ages.sort_by(|a, b| a.unwrap_or(f64::INFINITY).total_cmp(&b.unwrap_or(f64::INFINITY)));
        Some((*ages.get(ages.len() / 2)?, *ages.last()?))
    }
}
