//! What the benchmarks share: messages, people, and how a figure is told.

#![allow(dead_code, reason = "each benchmark uses its part")]

pub mod heap;
pub mod population;
pub mod rows;

use std::time::{Duration, Instant};

use serde_json::json;

/// One figure, as a line of JSON.
pub fn tell(name: &str, value: f64, unit: &str) {
    println!("{}", json!({"name": name, "value": (value * 1000.0).round() / 1000.0, "unit": unit}));
}

/// The median of many runs.
pub fn median(rounds: usize, mut work: impl FnMut()) -> Duration {
    let mut times: Vec<Duration> = (0..rounds)
        .map(|_| {
            let began = Instant::now();
            work();
            began.elapsed()
        })
        .collect();
    times.sort();
    times[times.len() / 2]
}
