//! The cost of facts and text, on real messages if they are beside the checkout, else on the samples. The baseline of
//! facts is the cost of parsing the same message into a value, in the same run.

#![allow(clippy::expect_used, clippy::panic, reason = "a benchmark panics on failure")]

mod support;

use std::hint::black_box;
use std::time::Duration;

use serde_json::Value;
use support::{bodies, report};
use tidings_domain::aliases::Aliases;
use tidings_domain::catalogue::Catalogue;
use tidings_domain::message::{Envelope, Frame};

/// Rounds over all messages; of each message the median counts.
const ROUNDS: usize = 200;

fn main() {
    let catalogue = Catalogue::embedded().unwrap_or_else(|errors| panic!("{errors:?}"));
    let aliases = Aliases::default();
    let bodies = bodies();
    let envelopes: Vec<Envelope> = bodies
        .iter()
        .map(|body| Envelope::read(&Frame { topic: None, body: body.clone() }).expect("a message"))
        .collect();
    let (mut parsed, mut extracted, mut rendered) = (Vec::new(), Vec::new(), Vec::new());
    for (body, envelope) in bodies.iter().zip(&envelopes) {
        let facts = catalogue.facts(envelope, &aliases);
        parsed.push(support::median(ROUNDS, || drop(black_box(serde_json::from_slice::<Value>(black_box(body))))));
        extracted.push(support::median(ROUNDS, || drop(black_box(catalogue.facts(black_box(envelope), &aliases)))));
        rendered
            .push(support::median(ROUNDS, || drop(black_box(catalogue.text(black_box(envelope), &facts, &aliases)))));
    }
    let sum = |times: &[Duration]| times.iter().sum::<Duration>().as_secs_f64();
    let mut ratios: Vec<f64> =
        extracted.iter().zip(&parsed).map(|(facts, parse)| facts.as_secs_f64() / parse.as_secs_f64()).collect();
    ratios.sort_by(f64::total_cmp);
    rendered.sort();
    report("facts_vs_serde_ratio", sum(&extracted) / sum(&parsed), "ratio");
    report("facts_vs_serde_ratio_median", ratios[ratios.len() / 2], "ratio");
    report("facts_vs_serde_ratio_max", ratios[ratios.len() - 1], "ratio");
    report("text_us_median", rendered[rendered.len() / 2].as_secs_f64() * 1e6, "us");
}
