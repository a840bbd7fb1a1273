//! Tests of a small simulation; no result depends on the speed of the machine.

use std::sync::{Arc, LazyLock};

use tidings_domain::acl::Cause;
use tidings_domain::catalogue::Catalogue;

use crate::costs;
use crate::message::{SimulatedChange, package};
use crate::old::{self, Old};
use crate::run::CatchUp;
use crate::strategy::{Chapter, Strategy};
use crate::world::{Plan, Simulation};

/// An hour of rebuild at the rate of the full story, and an hour after.
const fn small(users: usize) -> Plan {
    Plan { seed: 7, users, packages: 400, hours: 2.0, rebuild_hours: 1.0 }
}

/// All strategies with a hundred users.
static HUNDRED: LazyLock<Chapter> =
    LazyLock::new(|| Chapter::simulate(&small(100), &Arc::new(Catalogue::embedded().unwrap())).unwrap());

#[test]
fn with_twenty_users_the_second_strategy_never_stops_fetching() {
    let world = Simulation::new(&small(20));
    let runs = [Old::RulesReloaded, Old::ListsOfUsers].map(|old| (old, old::run(&world, old)));
    for (old, run) in &runs {
        assert!(run.fetching > 0.98 * world.end, "{old:?} fetches {} s", run.fetching);
        assert_eq!(run.catch_up(&world), CatchUp::Never, "{old:?}");
        let arrived = world.messages.len();
        assert!(run.backlog(&world, world.end) > arrived * 9 / 10, "{old:?} leaves nearly all messages");
    }
    let edits = &runs[1].1.edits;
    assert!(edits.iter().filter(|age| age.is_none()).count() * 2 > edits.len(), "most edits wait behind the backlog");
}

#[test]
fn with_half_as_many_users_the_second_strategy_keeps_up() {
    let world = Simulation::new(&small(10));
    let run = old::run(&world, Old::ListsOfUsers);
    assert_eq!(run.done.len(), world.messages.len());
    assert!(matches!(run.catch_up(&world), CatchUp::After(_)));
}

#[test]
fn the_fix_requests_each_user_once_and_again_after_a_change() {
    let chapter = &*HUNDRED;
    let given = chapter
        .world
        .messages
        .iter()
        .filter(|m| matches!(m.change, SimulatedChange::NewOwner { owner, .. } if owner < 100));
    let run = chapter.run(Strategy::Old(Old::Forever));
    let (at_least, at_most) = (100, 100 + given.count() as u64);
    assert!((at_least..=at_most).contains(&run.requests), "{} requests, at most {at_most}", run.requests);
    assert!(
        run.curve(&chapter.world, 0.0, chapter.world.end, 50).iter().any(|most| *most > 1000),
        "all messages wait meanwhile"
    );
    assert_eq!(run.done.len(), chapter.world.messages.len(), "every message is done");
}

#[test]
fn tidings_requests_each_package_once_and_again_after_a_change() {
    let chapter = &*HUNDRED;
    let told = &chapter.told;
    let mut packages: Vec<u32> = chapter.world.messages.iter().filter_map(|message| message.change.package()).collect();
    packages.sort_unstable();
    packages.dedup();
    for number in packages {
        let name = package(number);
        let given = |m: &&crate::message::Message| matches!(m.change, SimulatedChange::NewOwner { package, .. } if package == number);
        let given = chapter.world.messages.iter().filter(given).count() as u64;
        // Each change causes two fetches, as the service may report a change before it makes it.
        let asked = told.asked.get(&name).copied().unwrap_or_default();
        assert!((1..=1 + 2 * given).contains(&asked), "{name}: {asked} requests for {given} changes of owner");
    }
    let loads = |figures: &tidings_acl::ListFigures| figures.loads.iter().map(|(_, loads)| loads).sum::<u64>();
    let counted = loads(&told.figures.packages) + loads(&told.figures.groups);
    assert_eq!(chapter.run(Strategy::Tidings).requests, counted);
    let invalidated = told.figures.invalidations.iter().find(|(cause, _)| *cause == Cause::PackageDatabase);
    assert!(invalidated.is_some_and(|(_, lists)| *lists > 0), "lists were invalidated");
}

#[test]
fn the_backlog_of_tidings_stays_small_and_returns_to_zero() {
    let chapter = &*HUNDRED;
    let (world, run, counts) = (&chapter.world, chapter.run(Strategy::Tidings), &chapter.told.counts);
    assert_eq!(run.done.len(), world.messages.len(), "every message is done");
    assert_eq!((counts.without, counts.given_late), (0, 0), "each with its current lists");
    // The list of a package, then of a group; the rest is processor time of this machine.
    assert!(counts.longest < 2.0 * costs::ACL_OF_TIDINGS + 5.0, "{} s", counts.longest);
    let most = run.curve(world, 0.0, world.end, 100).into_iter().max().unwrap();
    assert!(most < 1000, "{most} waited");
    let minutes = (world.rebuilt as u64..world.end as u64).step_by(60);
    assert!(minutes.map(|at| run.backlog(world, at as f64)).min() == Some(0), "it returns to zero");
    assert!(counts.recipients > 0, "there are recipients");
    assert!(run.edits.iter().flatten().all(|age| *age < 5.0), "an edit does not wait for lists");
}

#[test]
fn a_seed_makes_the_same_simulation() {
    let plan = Plan { seed: 7, users: 20, packages: 100, hours: 1.0, rebuild_hours: 0.5 };
    let (one, other) = (Simulation::new(&plan), Simulation::new(&plan));
    assert_eq!((&one.messages, &one.holders), (&other.messages, &other.holders));
    let another = Simulation::new(&Plan { seed: 8, ..plan });
    assert_ne!(one.messages, another.messages);
    assert!(one.arrivals.is_sorted());
}
