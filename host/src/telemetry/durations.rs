//! A histogram of durations that can be read as well as scraped: the library's own gives its counts to its encoder only.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use prometheus_client::encoding::{EncodeMetric, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::{MetricType, TypedMetric};
use serde::Serialize;

/// The bounds, in milliseconds: each four times the one before.
const BOUNDS: [u64; 9] = [1, 4, 16, 64, 256, 1024, 4096, 16_384, 65_536];

/// Counts by bound, and those beyond the last one. Updating it locks nothing.
#[derive(Debug, Default)]
pub struct Durations {
    counts: [AtomicU64; BOUNDS.len() + 1],
    micros: AtomicU64,
}

/// How many took up to so long, and longer than those before.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct DurationBucket {
    /// In seconds; none: longer than all others.
    pub up_to: Option<f64>,
    pub count: u64,
}

impl Durations {
    pub fn observe(&self, took: Duration) {
        let place = BOUNDS.iter().position(|bound| took <= Duration::from_millis(*bound)).unwrap_or(BOUNDS.len());
        self.counts[place].fetch_add(1, Ordering::Relaxed);
        self.micros.fetch_add(u64::try_from(took.as_micros()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// The sum of all durations, in seconds.
    pub fn sum(&self) -> f64 {
        Duration::from_micros(self.micros.load(Ordering::Relaxed)).as_secs_f64()
    }

    pub fn buckets(&self) -> Vec<DurationBucket> {
        let bounds = BOUNDS.iter().map(|bound| Some(Duration::from_millis(*bound).as_secs_f64())).chain([None]);
        let counts = self.counts.iter().map(|count| count.load(Ordering::Relaxed));
        bounds.zip(counts).map(|(up_to, count)| DurationBucket { up_to, count }).collect()
    }
}

impl EncodeMetric for Durations {
    fn encode(&self, mut encoder: MetricEncoder<'_>) -> fmt::Result {
        let buckets = self.buckets();
        let count = buckets.iter().map(|bucket| bucket.count).sum();
        // The encoder makes them cumulative.
        let buckets: Vec<(f64, u64)> =
            buckets.iter().map(|bucket| (bucket.up_to.unwrap_or(f64::INFINITY), bucket.count)).collect();
        encoder.encode_histogram::<NoLabelSet>(self.sum(), count, &buckets, None)
    }

    fn metric_type(&self) -> MetricType {
        Self::TYPE
    }
}

impl TypedMetric for Durations {
    const TYPE: MetricType = MetricType::Histogram;
}

#[cfg(test)]
mod tests {
    use prometheus_client::encoding::text::encode;
    use prometheus_client::registry::Registry;

    use super::*;

    #[test]
    fn a_duration_up_to_a_bound_is_in_its_bucket_and_scraped_counts_are_cumulative() {
        let durations = Durations::default();
        let millis = [0, 1, 2, 300, 70_000];
        millis.into_iter().for_each(|millis| durations.observe(Duration::from_millis(millis)));
        let counts: Vec<u64> = durations.buckets().iter().map(|bucket| bucket.count).collect();
        assert_eq!(counts, [2, 1, 0, 0, 0, 1, 0, 0, 0, 1]);
        assert_eq!(durations.buckets()[1].up_to, Some(0.004));
        let (mut registry, mut text) = (Registry::default(), String::new());
        registry.register("took", "Time", durations);
        encode(&mut text, &registry).unwrap();
        for line in ["took_bucket{le=\"0.004\"} 3", "took_bucket{le=\"+Inf\"} 5", "took_count 5", "took_sum 70.303"] {
            assert!(text.lines().any(|one| one == line), "no {line} in {text}");
        }
    }
}
