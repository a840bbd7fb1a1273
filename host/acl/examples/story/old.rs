//! The strategies of 2014, as models: one worker that takes one message after the other, and what each costs it. Nothing
//! here is Tidings' code.

use crate::costs;
use crate::message::What;
use crate::run::Run;
use crate::world::World;

/// What one of them keeps in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Old {
    /// No rules; lists by user for five minutes. June 2014.
    RulesReloaded,
    /// Rules for ever; lists by user for five minutes.
    ListsOfUsers,
    /// Rules for ever; lists by package for five minutes.
    ListsOfPackages,
    /// Rules and lists by user for ever; what changed is dropped. The blog's cure.
    Forever,
}

/// Access lists in memory.
enum Lists {
    /// When each user's, or each package's, was asked for.
    Expiring { asked: Vec<f64>, by_package: bool },
    /// Users whose list is not here.
    Forever { absent: Vec<u32>, here: Vec<bool> },
}

struct Worker<'w> {
    world: &'w World,
    old: Old,
    lists: Lists,
    now: f64,
    run: Run,
}

/// Lets the strategy work through the world's messages until the story's end.
pub fn run(world: &World, old: Old) -> Run {
    let lists = match old {
        Old::RulesReloaded | Old::ListsOfUsers => {
            Lists::Expiring { asked: vec![f64::NEG_INFINITY; world.users], by_package: false }
        }
        Old::ListsOfPackages => {
            Lists::Expiring { asked: vec![f64::NEG_INFINITY; world.holders.len()], by_package: true }
        }
        Old::Forever => {
            Lists::Forever { absent: (0..world.users as u32).rev().collect(), here: vec![false; world.users] }
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
        worker.serve(message.at, message.what);
        worker.run.done.push(worker.now);
        let took = worker.now - began;
        worker.run.busy += took;
        if warm {
            worker.run.warm = (worker.run.warm.0 + 1, worker.run.warm.1 + took);
        }
        warm |= message.what.package().is_some();
    }
    worker.finish()
}

impl Worker<'_> {
    /// One message, from where it is taken to where it is done.
    fn serve(&mut self, came: f64, what: What) {
        if self.old == Old::RulesReloaded {
            self.reload();
        } else if let What::Edit { .. } = what {
            // The whole ruleset is dropped and read again.
            self.now += costs::load(self.world.users);
            self.run.edits.push(Some(self.now - came));
        }
        if let (Lists::Forever { absent, here }, What::NewOwner { owner, .. }) = (&mut self.lists, what) {
            // FMN dropped the list of who did it, if that is a user.
            if here.get_mut(owner as usize).is_some_and(|here| std::mem::replace(here, false)) {
                absent.push(owner);
            }
        }
        if let Some(package) = what.package() {
            self.fetch(package);
        }
        self.now += costs::scan(self.world.users);
    }

    /// Reads all rules; the edits that were made before count from here on.
    fn reload(&mut self) {
        let began = self.now;
        self.now += costs::load(self.world.users);
        let edits = self.edits().skip(self.run.edits.len()).take_while(|at| *at <= began);
        let ages: Vec<Option<f64>> = edits.map(|at| Some(self.now - at)).collect();
        self.run.edits.extend(ages);
    }

    /// The lists that a message about this package needs and that are not here, one after the other.
    fn fetch(&mut self, package: u32) {
        let began = self.now;
        match &mut self.lists {
            Lists::Expiring { asked, by_package: true } => {
                if let Some(asked) = asked.get_mut(package as usize).filter(|asked| expired(**asked, began)) {
                    *asked = self.now;
                    self.now += costs::ACL_OF_PACKAGE;
                    self.run.requests += 1;
                }
            }
            Lists::Expiring { asked, by_package: false } => {
                for asked in asked {
                    // Whether a user's list is still good is looked at when it is that user's turn.
                    if expired(*asked, self.now) && self.now < self.world.end {
                        *asked = self.now;
                        self.now += costs::ACL_OF_USER;
                        self.run.requests += 1;
                    }
                }
            }
            Lists::Forever { absent, here } => {
                while let Some(user) = absent.pop() {
                    here[user as usize] = true;
                    self.now += costs::ACL_OF_USER;
                    self.run.requests += u64::from(self.now <= self.world.end);
                }
            }
        }
        self.run.fetching += self.now.min(self.world.end) - began;
    }

    fn edits(&self) -> impl Iterator<Item = f64> + use<'_> {
        let edits = self.world.messages.iter().filter(|message| matches!(message.what, What::Edit { .. }));
        edits.map(|message| message.at)
    }

    /// The rest of the edits does not count any more.
    fn finish(mut self) -> Run {
        let edits = self.edits().count();
        self.run.edits.resize(edits, None);
        self.run
    }
}

fn expired(asked: f64, now: f64) -> bool {
    now - asked >= costs::ACL_EXPIRY
}
