//! What an edit costs with a million filters in force, and what matching feels of it: one thread edits one user after the
//! other, another matches. The baseline is the same matching without edits, in turns with it.

#![allow(clippy::expect_used, clippy::panic, reason = "a benchmark may fail as it does")]

#[path = "support/population.rs"]
mod population;
#[path = "support/rows.rs"]
mod rows;
mod support;

use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use population::{BenchPopulation, BenchRng};
use rows::{Messages, Row};
use support::{median, tell};
use tidings_domain::acl::AclTable;
use tidings_domain::catalogue::Catalogue;
use tidings_domain::event::Event;
use tidings_domain::ruleset::{Editor, Matcher, Ruleset};

const SEED: u64 = 2014;
/// Five filters each.
const USERS: usize = 200_000;
/// Turns of matching alone and beside edits.
const TURNS: usize = 8;
const TURN: Duration = Duration::from_millis(1500);
/// Between two edits: about a thousand a second, more than a service of this size ever sees.
const PAUSE: Duration = Duration::from_millis(1);

fn main() {
    let catalogue = Arc::new(Catalogue::embedded().unwrap_or_else(|mistakes| panic!("{mistakes:?}")));
    let messages = Messages::read(&catalogue);
    let world = BenchPopulation::new(&catalogue, &messages.named, USERS);
    let mut dice = BenchRng(SEED);
    let acl = world.acl(&mut dice);
    let mut editor = Editor::loading(Arc::clone(&catalogue));
    for user in &world.users {
        put(&mut editor, user, &rows(&world, &catalogue, user, &mut dice));
    }
    editor.loaded();
    tell("snapshot_us", median(101, || drop(black_box(editor.ruleset()))).as_secs_f64() * 1e6, "us");
    let current = ArcSwap::from_pointee(editor.ruleset());
    let events = messages.events(&catalogue);
    let matching = Matching { current: &current, events: &events, acl: &acl };

    let (mut alone, mut beside, mut edits) = (Vec::new(), Vec::new(), Vec::new());
    matching.run(&mut Vec::new());
    for _ in 0..TURNS {
        matching.run(&mut alone);
        let done = AtomicBool::new(false);
        thread::scope(|scope| {
            scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    let user = &world.users[dice.below(USERS)];
                    let rows = rows(&world, &catalogue, user, &mut dice);
                    let began = Instant::now();
                    put(&mut editor, user, &rows);
                    current.store(Arc::new(editor.ruleset()));
                    edits.push(began.elapsed());
                    thread::sleep(PAUSE);
                }
            });
            matching.run(&mut beside);
            done.store(true, Ordering::Relaxed);
        });
    }
    for (name, share) in [("p50", 0.5), ("p99", 0.99)] {
        let [edit, alone, beside] = [&mut edits, &mut alone, &mut beside].map(|times| quantile(times, share));
        tell(&format!("edit_us_{name}"), edit, "us");
        tell(&format!("match_{name}_us_alone"), alone, "us");
        tell(&format!("match_{name}_us_beside_edits"), beside, "us");
        tell(&format!("match_{name}_with_edits_ratio"), beside / alone, "ratio");
    }
    tell("edits_per_s", edits.len() as f64 / (TURN.as_secs_f64() * TURNS as f64), "edits/s");
}

/// FMN's default filters on one channel, generated ones on another.
fn rows(world: &BenchPopulation, catalogue: &Catalogue, user: &str, dice: &mut BenchRng) -> [Row; 2] {
    let generated = [world.generated(user, dice), world.generated(user, dice)];
    [Row::new(user, "email", &catalogue.defaults(user)), Row::new(user, "irc", &generated)]
}

fn put(editor: &mut Editor, user: &str, rows: &[Row]) {
    editor.replace(user, rows.iter().map(Row::borrowed));
}

/// A thread that matches as intake does: the newest set for each message.
struct Matching<'a> {
    current: &'a ArcSwap<Ruleset>,
    events: &'a [Event<'a>],
    acl: &'a AclTable,
}

impl Matching<'_> {
    /// Matches for a turn; what each message took is added to `times`.
    fn run(&self, times: &mut Vec<Duration>) {
        let mut matcher = Matcher::new();
        let end = Instant::now() + TURN;
        for event in self.events.iter().cycle() {
            let began = Instant::now();
            if began >= end {
                break;
            }
            let ruleset = self.current.load_full();
            black_box(matcher.run(&ruleset, event, self.acl).count());
            drop(ruleset);
            times.push(began.elapsed());
        }
    }
}

/// In microseconds.
fn quantile(times: &mut [Duration], share: f64) -> f64 {
    times.sort_unstable();
    times[(times.len() as f64 * share) as usize].as_secs_f64() * 1e6
}
