//! Helpers of the benchmarks: messages, and the output of a figure.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

/// Prints one figure as a line of JSON.
pub fn report(name: &str, value: f64, unit: &str) {
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

/// Real messages if they are beside the checkout, else the samples.
pub fn bodies() -> Vec<Vec<u8>> {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let real = std::fs::read_to_string(root.join("../shared/corpus/fedmsg.jsonl"));
    let text = real.or_else(|_| std::fs::read_to_string(root.join("tests/samples/messages.jsonl"))).expect("messages");
    let line = |line: &str| serde_json::from_str::<Value>(line).expect("JSON");
    let message = |value: Value| if value["msg"]["topic"].is_string() { value["msg"].clone() } else { value };
    text.lines().map(|text| message(line(text)).to_string().into_bytes()).collect()
}
