//! What facts and text cost, on real messages where they are beside the checkout, else on the samples. The baseline of
//! facts is what parsing the same message into a value costs, in the same run.

#![allow(clippy::expect_used, clippy::panic, reason = "a benchmark may fail as it does")]

use std::hint::black_box;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tidings_domain::aliases::Aliases;
use tidings_domain::catalogue::Catalogue;
use tidings_domain::message::{Envelope, Frame};

/// Rounds over all messages; of each message the median counts.
const ROUNDS: usize = 200;

fn main() {
    let catalogue = Catalogue::embedded().unwrap_or_else(|mistakes| panic!("{mistakes:?}"));
    let aliases = Aliases::default();
    let bodies = bodies();
    let envelopes: Vec<Envelope> = bodies
        .iter()
        .map(|body| Envelope::read(&Frame { topic: None, body: body.clone() }).expect("a message"))
        .collect();
    let (mut parsed, mut extracted, mut rendered) = (Vec::new(), Vec::new(), Vec::new());
    for (body, envelope) in bodies.iter().zip(&envelopes) {
        let facts = catalogue.facts(envelope, &aliases);
        parsed.push(median(|| drop(black_box(serde_json::from_slice::<Value>(black_box(body))))));
        extracted.push(median(|| drop(black_box(catalogue.facts(black_box(envelope), &aliases)))));
        rendered.push(median(|| drop(black_box(catalogue.text(black_box(envelope), &facts, &aliases)))));
    }
    let sum = |times: &[Duration]| times.iter().sum::<Duration>().as_secs_f64();
    let mut ratios: Vec<f64> =
        extracted.iter().zip(&parsed).map(|(facts, parse)| facts.as_secs_f64() / parse.as_secs_f64()).collect();
    ratios.sort_by(f64::total_cmp);
    rendered.sort();
    tell("facts_vs_serde_ratio", sum(&extracted) / sum(&parsed), "ratio");
    tell("facts_vs_serde_ratio_median", ratios[ratios.len() / 2], "ratio");
    tell("facts_vs_serde_ratio_max", ratios[ratios.len() - 1], "ratio");
    tell("text_us_median", rendered[rendered.len() / 2].as_secs_f64() * 1e6, "us");
}

fn tell(name: &str, value: f64, unit: &str) {
    println!("{}", json!({"name": name, "value": (value * 1000.0).round() / 1000.0, "unit": unit}));
}

fn median(mut work: impl FnMut()) -> Duration {
    let mut times: Vec<Duration> = (0..ROUNDS)
        .map(|_| {
            let began = Instant::now();
            work();
            began.elapsed()
        })
        .collect();
    times.sort();
    times[times.len() / 2]
}

fn bodies() -> Vec<Vec<u8>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let real = std::fs::read_to_string(root.join("../shared/corpus/fedmsg.jsonl"));
    let text = real.or_else(|_| std::fs::read_to_string(root.join("tests/samples/messages.jsonl"))).expect("messages");
    let line = |line: &str| serde_json::from_str::<Value>(line).expect("JSON");
    let message = |value: Value| if value["msg"]["topic"].is_string() { value["msg"].clone() } else { value };
    text.lines().map(|text| message(line(text)).to_string().into_bytes()).collect()
}
