//! Misdeeds without end, alone or two in turn: which limit ends them is the sandbox's to say. Answers of the host, good or
//! bad, do not stop them.

use std::hint::black_box;

use tidings_plugin::event_stream::{self, Entry};
use tidings_plugin::{Outcome, clock, config, inbox, log, net, progress, random, state};

use crate::Step;
use crate::act::{open, recurse, request};

const MIB: usize = 1024 * 1024;
/// The first depth of recursion.
const SHALLOW: u64 = 64;

/// What a run has gathered so far.
struct Run {
    hoard: Vec<Vec<u8>>,
    connections: Vec<net::Connection>,
    depth: u64,
    turn: u64,
}

/// Does all of them in turn, for ever.
pub fn repeat(steps: &[Step]) -> ! {
    let mut run = Run { hoard: Vec::new(), connections: Vec::new(), depth: SHALLOW, turn: 0 };
    loop {
        for step in steps {
            run.take(*step);
        }
        run.turn += 1;
    }
}

impl Run {
    fn take(&mut self, step: Step) {
        match step {
            Step::Spin => (0..1_000_000u64).for_each(|turn| {
                black_box(turn);
            }),
            Step::Memory => self.hoard.push(black_box(vec![1; MIB])),
            Step::Recurse => {
                black_box(recurse(0, self.depth));
                self.depth = self.depth.saturating_mul(2);
            }
            Step::Log => log::log(log::Level::Info, &format!("line {}", self.turn)),
            Step::Clock => {
                black_box(clock::monotonic_ms());
            }
            Step::Random => drop(black_box(random::bytes(4096))),
            Step::StateRead => drop(black_box(state::get("key"))),
            Step::StateWrite => drop(black_box(state::set(&format!("key {}", self.turn), &[b'x'; 1024]))),
            Step::Inbox => drop(black_box(inbox::submit("ralph@example.org", "help"))),
            Step::Stream => drop(black_box(event_stream::append(&[Entry { index: 0, data: "{}".into() }]))),
            Step::Config => drop(black_box(config::get("host"))),
            Step::Settle => progress::settled(0, &Outcome::Delivered(None)),
            Step::Connect => self.connections.extend(open().ok()),
            Step::Http => drop(black_box(request())),
        }
    }
}
