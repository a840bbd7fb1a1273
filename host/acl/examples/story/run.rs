//! The result of one strategy: when each message was done, what it cost, and the figures computed from that.

use crate::world::Simulation;

/// Messages that wait for lists under way; up to this many do not count as a backlog.
const ORDINARY: usize = 20;

/// When the backlog of the rebuild is worked off.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum CatchUp {
    /// Seconds after the last build was tagged.
    After(f64),
    /// The same, estimated from the backlog at the end of the story and the rate.
    Reckoned(f64),
    Never,
}

#[derive(Debug, Default)]
pub struct Run {
    /// When messages were done, in seconds, sorted.
    pub done: Vec<f64>,
    /// Seconds of work, including the time in which waiting for the access-list service blocks everything.
    pub busy: f64,
    /// The part of `busy` spent waiting for the service.
    pub fetching: f64,
    /// Messages done after the first lists had arrived, and the seconds that they took.
    pub warm: (u64, f64),
    /// Requests to the access-list service.
    pub requests: u64,
    /// Seconds until each edit of rules took effect; none if it did not before the end of the story.
    pub edits: Vec<Option<f64>>,
}

impl Run {
    /// Messages per second in the long run.
    pub fn rate(&self) -> f64 {
        match self.warm {
            (0, _) => self.done.len() as f64 / self.busy,
            (messages, seconds) => messages as f64 / seconds,
        }
    }

    /// Messages that arrived before `at` and are not done.
    pub fn backlog(&self, world: &Simulation, at: f64) -> usize {
        let before = |times: &[f64]| times.partition_point(|time| *time < at);
        before(&world.arrivals).saturating_sub(before(&self.done))
    }

    /// The largest backlog that an arriving message found in each of `count` equal parts of the time from `from` to
    /// `to`.
    pub fn curve(&self, world: &Simulation, from: f64, to: f64, count: usize) -> Vec<usize> {
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

    pub fn catch_up(&self, world: &Simulation) -> CatchUp {
        let arrived = |at: f64| world.arrivals.partition_point(|arrival| *arrival <= at);
        let first = self.done.partition_point(|done| *done < world.rebuilt);
        if arrived(world.rebuilt) <= first + ORDINARY {
            return CatchUp::After(0.0);
        }
        let caught_up = (first..self.done.len()).find(|n| arrived(self.done[*n]) <= n + 1 + ORDINARY);
        if let Some(n) = caught_up.filter(|n| self.done[*n] <= world.end) {
            return CatchUp::After(self.done[n] - world.rebuilt);
        }
        let (left, gain) = (self.backlog(world, world.end) as f64, self.rate() - world.calm_rate());
        if gain > 0.0 { CatchUp::Reckoned(world.end - world.rebuilt + left / gain) } else { CatchUp::Never }
    }

    /// The median of the edits' ages, and the largest.
    pub fn edit_ages(&self) -> Option<(Option<f64>, Option<f64>)> {
        let mut ages = self.edits.clone();
        ages.sort_by(|a, b| a.unwrap_or(f64::INFINITY).total_cmp(&b.unwrap_or(f64::INFINITY)));
        Some((*ages.get(ages.len() / 2)?, *ages.last()?))
    }
}
