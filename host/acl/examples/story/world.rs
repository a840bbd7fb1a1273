//! The simulated input, made from a seed: who holds which package, and which messages arrive when. It is the same for
//! every strategy.

use std::collections::BTreeSet;

use tidings_domain::acl::{GROUP_PREFIX, Holders};

use crate::costs;
use crate::message::{Actor, BuildState, Hub, Message, SimulatedChange, account};
use crate::rng::SimulationRng;

/// The size of a simulation.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    pub seed: u64,
    pub users: usize,
    pub packages: u32,
    pub hours: f64,
    /// Duration of the rebuild; then the builds are tagged.
    pub rebuild_hours: f64,
}

impl Plan {
    /// The full simulation for this many users.
    pub const fn full(seed: u64, users: usize) -> Plan {
        Plan { seed, users, packages: costs::PACKAGES, hours: costs::HOURS, rebuild_hours: costs::REBUILD_HOURS }
    }
}

pub struct Simulation {
    pub users: usize,
    /// By package.
    pub holders: Vec<Holders>,
    /// By group.
    pub members: Vec<BTreeSet<String>>,
    /// In order of arrival.
    pub messages: Vec<Message>,
    /// When they arrive, in seconds.
    pub arrivals: Vec<f64>,
    /// When the rebuild's last build is tagged, in seconds.
    pub rebuilt: f64,
    /// The end of the story, in seconds.
    pub end: f64,
}

pub fn group(number: u32) -> String {
    format!("group{number:02}-sig")
}

impl Simulation {
    pub fn new(plan: &Plan) -> Simulation {
        let mut rng = SimulationRng(plan.seed);
        let holders = (0..plan.packages).map(|_| holders(&mut rng)).collect();
        let member = |rng: &mut SimulationRng| account(rng.ranked(costs::ACCOUNTS));
        let members =
            (0..costs::GROUPS).map(|_| (0..costs::GROUP_MEMBERS).map(|_| member(&mut rng)).collect()).collect();
        let mut bus = Bus { rng, plan, messages: Vec::new() };
        let rebuilt = bus.rebuild();
        bus.others();
        bus.changes();
        let Bus { mut messages, .. } = bus;
        let end = plan.hours * 3600.0;
        messages.retain(|message| message.at < end);
        messages.sort_by(|a, b| a.at.total_cmp(&b.at));
        let arrivals = messages.iter().map(|message| message.at).collect();
        Simulation { users: plan.users, holders, members, messages, arrivals, rebuilt, end }
    }

    /// Messages per second after the rebuild.
    pub fn calm_rate(&self) -> f64 {
        let after = self.arrivals.len() - self.arrivals.partition_point(|at| *at <= self.rebuilt);
        after as f64 / (self.end - self.rebuilt)
    }
}

/// One main contact, up to two users who may commit, up to two who watch; one package in fifty also has a group.
fn holders(rng: &mut SimulationRng) -> Holders {
    let mut some = |upto: u32| -> BTreeSet<String> {
        (0..rng.below(upto + 1)).map(|_| account(rng.ranked(costs::ACCOUNTS))).collect()
    };
    let (mut co_maintained, watch) = (some(2), some(2));
    if rng.below(50) == 0 {
        co_maintained.insert(format!("{GROUP_PREFIX}{}", group(rng.below(costs::GROUPS))));
    }
    Holders { point_of_contact: [account(rng.ranked(costs::ACCOUNTS))].into(), co_maintained, watch }
}

/// The messages, not yet sorted.
struct Bus<'p> {
    rng: SimulationRng,
    plan: &'p Plan,
    messages: Vec<Message>,
}

impl Bus<'_> {
    fn send(&mut self, at: f64, change: SimulatedChange) {
        self.messages.push(Message { at, change });
    }

    /// Rebuilds every package once, on both hubs; then tags the builds. Returns when that is done, in seconds.
    fn rebuild(&mut self) -> f64 {
        let (packages, seconds) = (self.plan.packages, self.plan.rebuild_hours * 3600.0);
        let by = Actor::Releng;
        let mut built = Vec::new();
        for number in 0..packages {
            // Not in the order of popularity; 7919 is prime.
            let package = (u64::from(number) * 7919 % u64::from(packages)) as u32;
            let begins = seconds * f64::from(number) / f64::from(packages);
            self.send(begins, SimulatedChange::Commit { package, by });
            for (hub, mean) in [(Hub::Primary, 900.0), (Hub::Arm, 2400.0)] {
                let starts = begins + 30.0 + self.rng.wait(60.0);
                let ends = starts + 60.0 + self.rng.wait(mean);
                let state = if self.rng.below(12) == 0 { BuildState::Failed } else { BuildState::Complete };
                self.send(starts, SimulatedChange::Task { by, closed: false });
                self.send(starts + 5.0, SimulatedChange::Build { package, by, hub, state: BuildState::Building });
                self.send(ends, SimulatedChange::Build { package, by, hub, state });
                self.send(ends + 1.0, SimulatedChange::Task { by, closed: true });
                if state == BuildState::Complete {
                    self.send(ends + 2.0, SimulatedChange::Tag { package, by, hub });
                }
                if state == BuildState::Complete && hub == Hub::Primary {
                    built.push(package);
                }
            }
        }
        let mut at = seconds;
        for package in built {
            self.send(at, SimulatedChange::Tag { package, by, hub: Hub::Primary });
            at += 1.0 / costs::TAGGED_PER_SECOND;
        }
        at
    }

    /// All other messages: builds, commits, updates, edits of wikis, badges.
    fn others(&mut self) {
        let (mut at, end) = (0.0, self.plan.hours * 3600.0);
        while at < end {
            let (package, by) = (self.rng.ranked(self.plan.packages), Actor::Account(self.rng.ranked(costs::ACCOUNTS)));
            let hub = if self.rng.below(2) == 0 { Hub::Primary } else { Hub::Arm };
            let change = match self.rng.below(20) {
                0..2 => SimulatedChange::Commit { package, by },
                2..6 => SimulatedChange::Build { package, by, hub, state: BuildState::Building },
                6..9 => SimulatedChange::Build { package, by, hub, state: BuildState::Complete },
                9 => SimulatedChange::Update { package, by },
                10 => SimulatedChange::Repo { hub, done: false },
                11 => SimulatedChange::Repo { hub, done: true },
                12..16 => SimulatedChange::Copr { by },
                16..18 => SimulatedChange::Badge { to: by },
                _ => SimulatedChange::Wiki { by },
            };
            self.send(at, change);
            at += self.rng.wait(1.0 / costs::OTHERS_PER_SECOND);
        }
    }

    /// Changes that invalidate caches: packages with a new owner, users who edit their rules.
    fn changes(&mut self) {
        let end = self.plan.hours * 3600.0;
        let mut at = self.rng.wait(3600.0 / costs::OWNERS_PER_HOUR);
        while at < end {
            let (package, owner) = (self.rng.ranked(self.plan.packages), self.rng.ranked(costs::ACCOUNTS));
            self.send(at, SimulatedChange::NewOwner { package, owner });
            at += self.rng.wait(3600.0 / costs::OWNERS_PER_HOUR);
        }
        let mut at = self.rng.wait(3600.0 / costs::EDITS_PER_HOUR);
        while at < end {
            let user = self.rng.below(self.plan.users as u32);
            self.send(at, SimulatedChange::Edit { user });
            at += self.rng.wait(3600.0 / costs::EDITS_PER_HOUR);
        }
    }
}
