//! Endless steps, alone or two in turn: the sandbox must end them with one of its limits. No result of the host may stop
//! them.

use std::hint::black_box;

use tidings_plugin::event_stream::{self, Entry};
use tidings_plugin::{Outcome, clock, config, inbox, log, net, progress, random, state};

use crate::Step;
use crate::act::{open, recurse, request};

const MIB: usize = 1024 * 1024;
/// The depth of the first recursion.
const FIRST_DEPTH: u64 = 64;

/// The resources that the steps have taken so far.
struct Resources {
    blocks: Vec<Vec<u8>>,
    connections: Vec<net::Connection>,
    depth: u64,
    round: u64,
}

/// Performs all steps in turn, endlessly.
pub fn repeat(steps: &[Step]) -> ! {
    let mut resources = Resources { blocks: Vec::new(), connections: Vec::new(), depth: FIRST_DEPTH, round: 0 };
    loop {
        for step in steps {
            resources.perform(*step);
        }
        resources.round += 1;
    }
}

impl Resources {
    fn perform(&mut self, step: Step) {
        match step {
            Step::Spin => (0..1_000_000u64).for_each(|count| {
                black_box(count);
            }),
            Step::Memory => self.blocks.push(black_box(vec![1; MIB])),
            Step::Recurse => {
                black_box(recurse(0, self.depth));
                self.depth = self.depth.saturating_mul(2);
            }
            Step::Log => log::log(log::Level::Info, &format!("line {}", self.round)),
            Step::Clock => {
                black_box(clock::monotonic_ms());
            }
            Step::Random => drop(black_box(random::bytes(4096))),
            Step::StateRead => drop(black_box(state::get("key"))),
            Step::StateWrite => drop(black_box(state::set(&format!("key {}", self.round), &[b'x'; 1024]))),
            Step::Inbox => drop(black_box(inbox::submit("ralph@example.org", "help"))),
            Step::Stream => drop(black_box(event_stream::append(&[Entry { index: 0, data: "{}".into() }]))),
            Step::Config => drop(black_box(config::get("host"))),
            Step::Settle => progress::settled(0, &Outcome::Delivered(None)),
            Step::Connect => self.connections.extend(open().ok()),
            Step::Http => drop(black_box(request())),
        }
    }
}
