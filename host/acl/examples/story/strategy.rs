//! The five strategies side by side, for one number of users.

use std::sync::Arc;

use tidings_domain::catalogue::Catalogue;

use crate::old::{self, Old};
use crate::run::Run;
use crate::tidings::{self, StoryError, TidingsReport};
use crate::world::{Plan, Simulation};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Strategy {
    Old(Old),
    Tidings,
}

impl Strategy {
    /// In historical order.
    pub const ALL: [Strategy; 5] = [
        Strategy::Old(Old::RulesReloaded),
        Strategy::Old(Old::ListsOfUsers),
        Strategy::Old(Old::ListsOfPackages),
        Strategy::Old(Old::Forever),
        Strategy::Tidings,
    ];

    pub const fn name(self) -> &'static str {
        match self {
            Strategy::Old(Old::RulesReloaded) => "1 rules reloaded per message, lists per user for 5 min",
            Strategy::Old(Old::ListsOfUsers) => "2 rules cached, lists per user for 5 min",
            Strategy::Old(Old::ListsOfPackages) => "3 rules cached, lists per package for 5 min",
            Strategy::Old(Old::Forever) => "4 both cached for ever, invalidated; scan over all rules",
            Strategy::Tidings => "5 Tidings",
        }
    }
}

/// The results for one number of users: the simulated messages, the run of each strategy, and the report of Tidings.
pub struct Chapter {
    pub world: Simulation,
    /// In the order of `Strategy::ALL`.
    pub runs: [Run; 5],
    pub told: TidingsReport,
}

impl Chapter {
    pub fn simulate(plan: &Plan, catalogue: &Arc<Catalogue>) -> Result<Chapter, StoryError> {
        let world = Simulation::new(plan);
        let old = |old| old::run(&world, old);
        let (tidings, told) = tidings::run(&world, catalogue)?;
        let runs =
            [old(Old::RulesReloaded), old(Old::ListsOfUsers), old(Old::ListsOfPackages), old(Old::Forever), tidings];
        Ok(Chapter { world, runs, told })
    }

    pub fn run(&self, strategy: Strategy) -> &Run {
        let number = Strategy::ALL.iter().position(|one| *one == strategy).unwrap_or_default();
        &self.runs[number]
    }
}
