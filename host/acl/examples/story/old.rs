//! Models of the strategies of 2014: one worker that handles one message after the other, and the cost of each. No code
//! of Tidings is used here.

use crate::costs;
use crate::message::SimulatedChange;
use crate::run::Run;
use crate::world::Simulation;

/// What a strategy keeps in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Old {
    /// No rules; lists by user for five minutes. June 2014.
    RulesReloaded,
    /// Rules without expiry; lists by user for five minutes.
    ListsOfUsers,
    /// Rules without expiry; lists by package for five minutes.
    ListsOfPackages,
    /// Rules and lists by user without expiry; changed ones are dropped. The fix that the blog describes.
    Forever,
}

/// Access lists in memory.
enum Lists {
    /// When the list of each user, or of each package, was requested.
    Expiring { requested: Vec<f64>, by_package: bool },
    /// Users whose list is not in memory, and by user whether it is.
    Forever { absent: Vec<u32>, cached: Vec<bool> },
}

struct Worker<'w> {
    world: &'w Simulation,
    old: Old,
    lists: Lists,
    now: f64,
    run: Run,
}

/// Runs the strategy over all messages until the end of the story.
pub fn run(world: &Simulation, old: Old) -> Run {
    let lists = match old {
        Old::RulesReloaded | Old::ListsOfUsers => {
            Lists::Expiring { requested: vec![f64::NEG_INFINITY; world.users], by_package: false }
        }
        Old::ListsOfPackages => {
            Lists::Expiring { requested: vec![f64::NEG_INFINITY; world.holders.len()], by_package: true }
        }
        Old::Forever => {
            Lists::Forever { absent: (0..world.users as u32).rev().collect(), cached: vec![false; world.users] }
        }
    };
    let mut worker = Worker { world, old, lists, now: 0.0, run: Run::default() };
    let mut warm = false;
    for message in &world.messages {
        let began = worker.now.max(message.at);
        if began >= world.end {
            break;
        }
        worker.now = began;
        worker.serve(message.at, message.change);
        worker.run.done.push(worker.now);
        let took = worker.now - began;
        worker.run.busy += took;
        if warm {
            worker.run.warm = (worker.run.warm.0 + 1, worker.run.warm.1 + took);
        }
        warm |= message.change.package().is_some();
    }
    worker.finish()
}

impl Worker<'_> {
    /// Handles one message completely.
    fn serve(&mut self, arrived: f64, change: SimulatedChange) {
        if self.old == Old::RulesReloaded {
            self.reload();
        } else if let SimulatedChange::Edit { .. } = change {
            // The whole ruleset is dropped and read again.
            self.now += costs::load(self.world.users);
            self.run.edits.push(Some(self.now - arrived));
        }
        if let (Lists::Forever { absent, cached }, SimulatedChange::NewOwner { owner, .. }) = (&mut self.lists, change)
        {
            // FMN dropped the list of the actor, if the actor is a user.
            if cached.get_mut(owner as usize).is_some_and(|cached| std::mem::replace(cached, false)) {
                absent.push(owner);
            }
        }
        if let Some(package) = change.package() {
            self.fetch(package);
        }
        self.now += costs::scan(self.world.users);
    }

    /// Reads all rules; the edits made before take effect now.
    fn reload(&mut self) {
        let began = self.now;
        self.now += costs::load(self.world.users);
        let edits = self.edits().skip(self.run.edits.len()).take_while(|at| *at <= began);
        let ages: Vec<Option<f64>> = edits.map(|at| Some(self.now - at)).collect();
        self.run.edits.extend(ages);
    }

    /// Fetches the lists that a message about this package needs and that are not in memory, one after the other.
    fn fetch(&mut self, package: u32) {
        let began = self.now;
        match &mut self.lists {
            Lists::Expiring { requested, by_package: true } => {
                if let Some(requested) =
                    requested.get_mut(package as usize).filter(|requested| expired(**requested, began))
                {
                    *requested = self.now;
                    self.now += costs::ACL_OF_PACKAGE;
                    self.run.requests += 1;
                }
            }
            Lists::Expiring { requested, by_package: false } => {
                for requested in requested {
                    // The expiry of a list is checked when its user is reached.
                    if expired(*requested, self.now) && self.now < self.world.end {
                        *requested = self.now;
                        self.now += costs::ACL_OF_USER;
                        self.run.requests += 1;
                    }
                }
            }
            Lists::Forever { absent, cached } => {
                while let Some(user) = absent.pop() {
                    cached[user as usize] = true;
                    self.now += costs::ACL_OF_USER;
                    self.run.requests += u64::from(self.now <= self.world.end);
                }
            }
        }
        self.run.fetching += self.now.min(self.world.end) - began;
    }

    fn edits(&self) -> impl Iterator<Item = f64> + use<'_> {
        let edits = self.world.messages.iter().filter(|message| matches!(message.change, SimulatedChange::Edit { .. }));
        edits.map(|message| message.at)
    }

    /// Edits that have not taken effect by the end are recorded as none.
    fn finish(mut self) -> Run {
        let edits = self.edits().count();
        self.run.edits.resize(edits, None);
        self.run
    }
}

fn expired(requested: f64, now: f64) -> bool {
    now - requested >= costs::ACL_EXPIRY
}
