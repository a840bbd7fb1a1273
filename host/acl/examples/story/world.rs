//! The world of the story, made from a seed: who holds which package, and what comes over the bus when. It is the same for
//! every strategy.

use std::collections::BTreeSet;

use tidings_domain::acl::{GROUP_PREFIX, Holders};

use crate::costs;
use crate::dice::Dice;
use crate::message::{By, Hub, Message, State, What, account};

/// How large it is.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    pub seed: u64,
    pub users: usize,
    pub packages: u32,
    pub hours: f64,
    /// From the start; then the builds are tagged.
    pub rebuild_hours: f64,
}

impl Plan {
    /// The whole story for so many users.
    pub const fn whole(seed: u64, users: usize) -> Plan {
        Plan { seed, users, packages: costs::PACKAGES, hours: costs::HOURS, rebuild_hours: costs::REBUILD_HOURS }
    }
}

pub struct World {
    pub users: usize,
    /// By package.
    pub holders: Vec<Holders>,
    /// By group.
    pub members: Vec<BTreeSet<String>>,
    /// In the order of their coming.
    pub messages: Vec<Message>,
    /// When they came, in seconds.
    pub arrivals: Vec<f64>,
    /// When the rebuild's last build is tagged, in seconds.
    pub rebuilt: f64,
    /// The end of the story, in seconds.
    pub end: f64,
}

pub fn group(number: u32) -> String {
    format!("group{number:02}-sig")
}

impl World {
    pub fn new(plan: &Plan) -> World {
        let mut dice = Dice(plan.seed);
        let holders = (0..plan.packages).map(|_| holders(&mut dice)).collect();
        let member = |dice: &mut Dice| account(dice.ranked(costs::ACCOUNTS));
        let members =
            (0..costs::GROUPS).map(|_| (0..costs::GROUP_MEMBERS).map(|_| member(&mut dice)).collect()).collect();
        let mut bus = Bus { dice, plan, messages: Vec::new() };
        let rebuilt = bus.rebuild();
        bus.others();
        bus.changes();
        let Bus { mut messages, .. } = bus;
        let end = plan.hours * 3600.0;
        messages.retain(|message| message.at < end);
        messages.sort_by(|a, b| a.at.total_cmp(&b.at));
        let arrivals = messages.iter().map(|message| message.at).collect();
        World { users: plan.users, holders, members, messages, arrivals, rebuilt, end }
    }

    /// Messages a second after the rebuild.
    pub fn calm_rate(&self) -> f64 {
        let after = self.arrivals.len() - self.arrivals.partition_point(|at| *at <= self.rebuilt);
        after as f64 / (self.end - self.rebuilt)
    }
}

/// One main contact, up to two who may commit, up to two who watch; one package in fifty has a group beside them.
fn holders(dice: &mut Dice) -> Holders {
    let mut some = |upto: u32| -> BTreeSet<String> {
        (0..dice.below(upto + 1)).map(|_| account(dice.ranked(costs::ACCOUNTS))).collect()
    };
    let (mut co_maintained, watch) = (some(2), some(2));
    if dice.below(50) == 0 {
        co_maintained.insert(format!("{GROUP_PREFIX}{}", group(dice.below(costs::GROUPS))));
    }
    Holders { point_of_contact: [account(dice.ranked(costs::ACCOUNTS))].into(), co_maintained, watch }
}

/// What comes, not yet in order.
struct Bus<'p> {
    dice: Dice,
    plan: &'p Plan,
    messages: Vec<Message>,
}

impl Bus<'_> {
    fn say(&mut self, at: f64, what: What) {
        self.messages.push(Message { at, what });
    }

    /// Every package once, on both hubs; then what was built is tagged. Returns when that is done.
    fn rebuild(&mut self) -> f64 {
        let (packages, seconds) = (self.plan.packages, self.plan.rebuild_hours * 3600.0);
        let by = By::Releng;
        let mut built = Vec::new();
        for number in 0..packages {
            // Not in the order in which packages are popular; 7919 is prime.
            let package = (u64::from(number) * 7919 % u64::from(packages)) as u32;
            let begins = seconds * f64::from(number) / f64::from(packages);
            self.say(begins, What::Commit { package, by });
            for (hub, mean) in [(Hub::Primary, 900.0), (Hub::Arm, 2400.0)] {
                let starts = begins + 30.0 + self.dice.wait(60.0);
                let ends = starts + 60.0 + self.dice.wait(mean);
                let state = if self.dice.below(12) == 0 { State::Failed } else { State::Complete };
                self.say(starts, What::Task { by, closed: false });
                self.say(starts + 5.0, What::Build { package, by, hub, state: State::Building });
                self.say(ends, What::Build { package, by, hub, state });
                self.say(ends + 1.0, What::Task { by, closed: true });
                if state == State::Complete {
                    self.say(ends + 2.0, What::Tag { package, by, hub });
                }
                if state == State::Complete && hub == Hub::Primary {
                    built.push(package);
                }
            }
        }
        let mut at = seconds;
        for package in built {
            self.say(at, What::Tag { package, by, hub: Hub::Primary });
            at += 1.0 / costs::TAGGED_PER_SECOND;
        }
        at
    }

    /// Everything else: builds, commits, updates; people who write in wikis and win badges.
    fn others(&mut self) {
        let (mut at, end) = (0.0, self.plan.hours * 3600.0);
        while at < end {
            let (package, by) = (self.dice.ranked(self.plan.packages), By::Account(self.dice.ranked(costs::ACCOUNTS)));
            let hub = if self.dice.below(2) == 0 { Hub::Primary } else { Hub::Arm };
            let what = match self.dice.below(20) {
                0..2 => What::Commit { package, by },
                2..6 => What::Build { package, by, hub, state: State::Building },
                6..9 => What::Build { package, by, hub, state: State::Complete },
                9 => What::Update { package, by },
                10 => What::Repo { hub, done: false },
                11 => What::Repo { hub, done: true },
                12..16 => What::Copr { by },
                16..18 => What::Badge { to: by },
                _ => What::Wiki { by },
            };
            self.say(at, what);
            at += self.dice.wait(1.0 / costs::OTHERS_PER_SECOND);
        }
    }

    /// What makes caches wrong: packages that change hands, users who edit their rules.
    fn changes(&mut self) {
        let end = self.plan.hours * 3600.0;
        let mut at = self.dice.wait(3600.0 / costs::OWNERS_PER_HOUR);
        while at < end {
            let (package, owner) = (self.dice.ranked(self.plan.packages), self.dice.ranked(costs::ACCOUNTS));
            self.say(at, What::NewOwner { package, owner });
            at += self.dice.wait(3600.0 / costs::OWNERS_PER_HOUR);
        }
        let mut at = self.dice.wait(3600.0 / costs::EDITS_PER_HOUR);
        while at < end {
            let user = self.dice.below(self.plan.users as u32);
            self.say(at, What::Edit { user });
            at += self.dice.wait(3600.0 / costs::EDITS_PER_HOUR);
        }
    }
}
