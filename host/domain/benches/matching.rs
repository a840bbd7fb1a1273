//! What matching costs: with a thousand and a million filters, for each match, in memory, to build, and FMN's own load from
//! JSON to recipients. The baseline is what parsing the same messages costs, in the same run.

#![allow(clippy::expect_used, clippy::panic, reason = "a benchmark may fail as it does")]

#[path = "support/heap.rs"]
mod heap;
#[path = "support/population.rs"]
mod population;
#[path = "support/rows.rs"]
mod rows;
mod support;

use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use heap::Counted;
use population::{BenchPopulation, BenchRng};
use rows::{Messages, Row};
use serde_json::Value;
use support::{bodies, median, tell};
use tidings_domain::acl::AclTable;
use tidings_domain::catalogue::Catalogue;
use tidings_domain::delivery::Recipient;
use tidings_domain::event::Event;
use tidings_domain::message::{Envelope, Frame};
use tidings_domain::ruleset::{Editor, Matcher, Ruleset};
use tidings_domain::subscription::Filter;

#[global_allocator]
static ALLOCATOR: Counted = Counted;

const SEED: u64 = 2014;
/// Of each message the median of so many runs counts.
const ROUNDS: usize = 101;
/// Users of the large set: five filters each.
const USERS: usize = 200_000;
/// Users of FMN's own load.
const FMN_USERS: usize = 10_000;

fn main() {
    let catalogue = Arc::new(Catalogue::embedded().unwrap_or_else(|mistakes| panic!("{mistakes:?}")));
    let messages = Messages::read(&catalogue);
    large(&catalogue, &messages);
    growth(&catalogue, &messages);
    defaults_alone(&catalogue, &messages);
    fmn(&catalogue, &messages);
}

/// A set of these users, how long it took to build from rows, and the bytes that it holds beyond names and addresses.
fn build(
    catalogue: &Arc<Catalogue>,
    users: &[String],
    mut rows: impl FnMut(&str) -> Vec<Row>,
) -> (Editor, Duration, usize) {
    let (before, mut took, mut texts) = (heap::held(), Duration::ZERO, 0);
    let mut editor = Editor::loading(Arc::clone(catalogue));
    for user in users {
        let rows = rows(user);
        texts += user.len() + rows.iter().flat_map(|row| &row.addresses).map(String::len).sum::<usize>();
        let began = Instant::now();
        editor.replace(user, rows.iter().map(Row::borrowed));
        took += began.elapsed();
    }
    let began = Instant::now();
    editor.loaded();
    took += began.elapsed();
    (editor, took, heap::held() - before - texts)
}

/// A million filters: FMN's defaults on one channel, generated ones on another.
fn large(catalogue: &Arc<Catalogue>, messages: &Messages) {
    let world = BenchPopulation::new(catalogue, &messages.named, USERS);
    let mut dice = BenchRng(SEED);
    let acl = world.acl(&mut dice);
    let (mut filters, mut names) = (0, 0);
    let (editor, took, bytes) = build(catalogue, &world.users, |user| {
        let generated = [world.generated(user, &mut dice), world.generated(user, &mut dice)];
        filters += 5;
        names += generated.iter().map(|filter| filter.name.len()).sum::<usize>();
        vec![Row::new(user, "email", &catalogue.defaults(user)), Row::new(user, "irc", &generated)]
    });
    tell("build_s_1e6", took.as_secs_f64() * 1e6 / f64::from(filters), "s");
    tell("bytes_per_filter", (bytes - names) as f64 / f64::from(filters), "bytes");
    tell("bytes_per_filter_as_counted", editor.sizes().bytes as f64 / f64::from(filters), "bytes");
    tell("residue_1e6", editor.sizes().residue as f64, "filters");
    let measured = measure(&editor.ruleset(), &messages.events(catalogue), &acl);
    let few: Vec<Measured> = measured.iter().filter(|one| one.matches <= 25).copied().collect();
    tell("match_us_1e6", micros(middle(&few)), "us");
    tell("match_us_1e6_matches", few.iter().map(|one| one.matches as f64).sum::<f64>() / few.len() as f64, "matches");
    let parse = median_parse();
    tell("match_vs_parse_1e6", middle(&few).as_secs_f64() / parse.as_secs_f64(), "ratio");
    hot(catalogue, messages, &acl, middle(&few));
}

/// A package that very many people asked for by name: what each match adds.
fn hot(catalogue: &Arc<Catalogue>, messages: &Messages, acl: &AclTable, base: Duration) {
    let package = messages.named.packages.iter().next().expect("a message names a package");
    let users: Vec<String> = (0..USERS).map(|number| format!("fan{number:06}")).collect();
    let rule = |text: &str| serde_json::from_str(text).expect("a rule");
    let (editor, ..) = build(catalogue, &users, |user| {
        let rules = vec![
            rule(&format!(r#"{{"rule":"package_filter","arguments":{{"package":"{package}"}}}}"#)),
            rule(&format!(r#"{{"rule":"user_filter","arguments":{{"fasnick":"{user}"}},"negated":true}}"#)),
            rule(r#"{"rule":"koji_untag","negated":true}"#),
        ];
        let filter = Filter { name: "hot".to_owned(), oneshot: false, active: true, rules };
        vec![Row::new(user, "email", &[filter])]
    });
    let measured = measure(&editor.ruleset(), &messages.events(catalogue), acl);
    let many = measured.iter().filter(|one| one.matches > 25);
    let each: Vec<f64> = many.map(|m| m.took.saturating_sub(base).as_nanos() as f64 / m.matches as f64).collect();
    tell("match_ns_per_match", each.iter().sum::<f64>() / each.len() as f64, "ns");
}

/// The same matches among a thousand filters and among a million.
fn growth(catalogue: &Arc<Catalogue>, messages: &Messages) {
    let world = BenchPopulation::new(catalogue, &messages.named, 200);
    let mut dice = BenchRng(SEED);
    let acl = world.acl(&mut dice);
    let mut rows = |user: &str| {
        let generated = [world.generated(user, &mut dice), world.generated(user, &mut dice)];
        vec![Row::new(user, "email", &catalogue.defaults(user)), Row::new(user, "irc", &generated)]
    };
    let (mut editor, ..) = build(catalogue, &world.users, &mut rows);
    let events = messages.events(catalogue);
    let small = measure(&editor.ruleset(), &events, &acl);
    // People of whom no message tells.
    for number in 0..USERS - world.users.len() {
        let user = format!("outsider{number:06}");
        let rows = [
            Row::new(&user, "email", &catalogue.defaults(&user)),
            Row::new(&user, "irc", &catalogue.defaults(&user)[..2]),
        ];
        editor.replace(&user, rows.iter().map(Row::borrowed));
    }
    let large = measure(&editor.ruleset(), &events, &acl);
    assert!(small.iter().zip(&large).all(|(a, b)| a.matches == b.matches), "others match nothing");
    tell("match_growth", middle(&large).as_secs_f64() / middle(&small).as_secs_f64(), "ratio");
}

fn defaults_alone(catalogue: &Arc<Catalogue>, messages: &Messages) {
    let world = BenchPopulation::new(catalogue, &messages.named, FMN_USERS);
    let (_editor, _, bytes) = build(catalogue, &world.users, |user| {
        ["email", "irc"].map(|channel| Row::new(user, channel, &catalogue.defaults(user))).into()
    });
    tell("bytes_per_filter_defaults", bytes as f64 / (6 * FMN_USERS) as f64, "bytes");
}

/// FMN's own load: 10,000 users with its default filters on two channels, from the bytes of a message to its recipients.
fn fmn(catalogue: &Arc<Catalogue>, messages: &Messages) {
    /// Messages per second of FMN under this load.
    const FMN: f64 = 2.36;
    let world = BenchPopulation::new(catalogue, &messages.named, FMN_USERS);
    let acl = world.acl(&mut BenchRng(SEED));
    let (editor, ..) = build(catalogue, &world.users, |user| {
        ["email", "irc"].map(|channel| Row::new(user, channel, &catalogue.defaults(user))).into()
    });
    let (ruleset, mut matcher) = (editor.ruleset(), Matcher::new());
    let frames: Vec<Frame> = bodies().into_iter().map(|body| Frame { topic: None, body }).collect();
    let mut told = 0;
    let mut pass = |steps: usize| {
        let began = Instant::now();
        for frame in &frames {
            let envelope = Envelope::read(frame).expect("a message");
            if steps == 1 {
                black_box(&envelope);
                continue;
            }
            let event = Event::new(catalogue, &messages.aliases, &envelope);
            if steps == 2 {
                black_box(&event);
                continue;
            }
            let matched = matcher.run(&ruleset, &event, &acl);
            if steps == 3 {
                black_box(matched.count());
                continue;
            }
            let recipients: Vec<Recipient> = matched.flat_map(|found| found.recipients()).collect();
            told += recipients.len();
            black_box(recipients);
        }
        began.elapsed().as_secs_f64() / frames.len() as f64
    };
    let mut of = |steps| {
        let mut passes: Vec<f64> = (0..ROUNDS).map(|_| pass(steps)).collect();
        passes.sort_by(f64::total_cmp);
        passes[passes.len() / 2]
    };
    let [parse, facts, matching, all] = [1, 2, 3, 4].map(&mut of);
    tell("fmn_load_per_s", 1.0 / all, "messages/s");
    tell("fmn_load_vs_fmn", 1.0 / all / FMN, "ratio");
    tell("fmn_load_recipients", told as f64 / (ROUNDS * frames.len()) as f64, "recipients/message");
    for (name, seconds) in [
        ("fmn_load_parse_us", parse),
        ("fmn_load_facts_us", facts - parse),
        ("fmn_load_match_us", matching - facts),
        ("fmn_load_recipients_us", all - matching),
    ] {
        tell(name, seconds * 1e6, "us");
    }
}

/// What matching one message took, and how many matched.
#[derive(Clone, Copy)]
struct Measured {
    took: Duration,
    matches: usize,
}

fn measure(ruleset: &Ruleset, events: &[Event<'_>], acl: &AclTable) -> Vec<Measured> {
    let mut matcher = Matcher::new();
    let mut one = |event: &Event<'_>| {
        let mut matches = 0;
        let took = median(ROUNDS, || matches = black_box(matcher.run(ruleset, event, acl)).count());
        Measured { took, matches }
    };
    events.iter().map(&mut one).collect()
}

fn middle(measured: &[Measured]) -> Duration {
    let mut times: Vec<Duration> = measured.iter().map(|one| one.took).collect();
    times.sort();
    times[times.len() / 2]
}

fn median_parse() -> Duration {
    let parse = |body: &Vec<u8>| median(ROUNDS, || drop(black_box(serde_json::from_slice::<Value>(black_box(body)))));
    let mut times: Vec<Duration> = bodies().iter().map(parse).collect();
    times.sort();
    times[times.len() / 2]
}

fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}
