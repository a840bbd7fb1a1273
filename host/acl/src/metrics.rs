//! Counters of the cache: atomics that cost a lookup next to nothing, and a copy of them for exporters.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use tidings_domain::acl::Cause;

use crate::breaker::BreakerState;

/// Upper bounds of the buckets of a load's duration, in milliseconds; one more bucket holds what is beyond.
pub const LOAD_BUCKETS: [u64; 10] = [5, 20, 100, 300, 1000, 3000, 5000, 10_000, 15_000, 20_000];

/// The result of one request to a provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LoadResult {
    /// The provider returned a list.
    List,
    /// The provider has no such package or group.
    Unknown,
    /// The request failed, or the answer was invalid.
    Failed,
    /// No answer within `acl.timeout`.
    TimedOut,
}

impl LoadResult {
    pub const ALL: [LoadResult; 4] = [LoadResult::List, LoadResult::Unknown, LoadResult::Failed, LoadResult::TimedOut];

    /// The name for metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            LoadResult::List => "list",
            LoadResult::Unknown => "unknown",
            LoadResult::Failed => "failed",
            LoadResult::TimedOut => "timed_out",
        }
    }
}

/// Durations by bucket.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Histogram {
    /// How many fell into each bucket of `LOAD_BUCKETS` (not summed up), and beyond the last.
    pub buckets: [u64; LOAD_BUCKETS.len() + 1],
    pub sum: Duration,
}

impl Histogram {
    pub fn count(&self) -> u64 {
        self.buckets.iter().sum()
    }
}

/// Counters and state of the lists of one kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListFigures {
    /// The provider's name.
    pub provider: &'static str,
    /// Lists that a message found in memory and valid.
    pub hits: u64,
    /// Lists that a message had to wait for.
    pub misses: u64,
    /// Lists that a message used although they are invalidated, because no newer one was available.
    pub stale_served: u64,
    /// Lists that a message had to do without: unknown, and not fetched in time.
    pub unavailable: u64,
    /// Answers that were outdated on arrival, since the list was invalidated meanwhile.
    pub late: u64,
    /// Requests to the provider by their result.
    pub loads: [(LoadResult, u64); LoadResult::ALL.len()],
    pub load_time: Histogram,
    /// Lists in memory, and how many of them record that there is no such package or group.
    pub entries: u64,
    pub unknown_entries: u64,
    /// The approximate memory that they use.
    pub bytes: u64,
    /// Lists that are being fetched or wait for a permit.
    pub in_flight: usize,
    pub breaker: BreakerState,
}

/// All figures of a cache at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Figures {
    pub packages: ListFigures,
    pub groups: ListFigures,
    /// Lists in memory that were invalidated, by cause.
    pub invalidations: [(Cause, u64); Cause::ALL.len()],
}

#[derive(Debug, Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    pub(crate) fn add(&self, n: u64) {
        self.0.fetch_add(n, Relaxed);
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

/// The counters behind `ListFigures`.
#[derive(Debug, Default)]
pub(crate) struct ListMetrics {
    pub(crate) hits: Counter,
    pub(crate) misses: Counter,
    pub(crate) stale_served: Counter,
    pub(crate) unavailable: Counter,
    pub(crate) late: Counter,
    loads: [Counter; LoadResult::ALL.len()],
    buckets: [Counter; LOAD_BUCKETS.len() + 1],
    load_micros: Counter,
}

impl ListMetrics {
    /// Records one finished request to the provider.
    pub(crate) fn loaded(&self, result: LoadResult, took: Duration) {
        self.loads[result as usize].add(1);
        let bucket = LOAD_BUCKETS.iter().position(|bound| took <= Duration::from_millis(*bound));
        self.buckets[bucket.unwrap_or(LOAD_BUCKETS.len())].add(1);
        self.load_micros.add(took.as_micros() as u64);
    }

    pub(crate) fn loads(&self) -> [(LoadResult, u64); LoadResult::ALL.len()] {
        LoadResult::ALL.map(|result| (result, self.loads[result as usize].get()))
    }

    pub(crate) fn load_time(&self) -> Histogram {
        let buckets = std::array::from_fn(|i| self.buckets[i].get());
        Histogram { buckets, sum: Duration::from_micros(self.load_micros.get()) }
    }
}

/// The counters of invalidated lists.
#[derive(Debug, Default)]
pub(crate) struct Invalidations([Counter; Cause::ALL.len()]);

impl Invalidations {
    pub(crate) fn add(&self, cause: Cause, lists: u64) {
        self.0[cause as usize].add(lists);
    }

    pub(crate) fn figures(&self) -> [(Cause, u64); Cause::ALL.len()] {
        Cause::ALL.map(|cause| (cause, self.0[cause as usize].get()))
    }
}
