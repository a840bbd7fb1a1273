//! Random work against a plain model of the queue: after each step the books balance and say what the model says, and a
//! claim returns exactly what the model calls due.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use tidings_domain::delivery::{Acceptance, DeliveryState, Recipient};
use tidings_domain::outcome::Settlement;
use tidings_store::{Books, Lease};

use crate::fixture::{self, Fixture, LIFETIME, at, gathered, gone, messages, subscription, to};

const USERS: [&str; 3] = ["ann", "bob", "cy"];
/// This user gathers.
const GATHERER: &str = "cy";
const INTERVAL: u64 = 60;
const COUNT: u32 = 3;

#[derive(Clone, Debug)]
enum Step {
    Accept { message: u8, users: u8 },
    Lease { max: usize },
    Settle { which: prop::sample::Index, word: Word },
    Release { which: prop::sample::Index },
    Wait { millis: u64 },
    Subscribe { user: prop::sample::Index, first: bool, second: bool, enabled: bool },
    Unsubscribe { user: prop::sample::Index },
    Retry,
    Prune,
    Restart,
}

#[derive(Clone, Copy, Debug)]
enum Word {
    Delivered,
    Dead,
    Again { after: u64 },
    Gone,
}

fn word() -> impl Strategy<Value = Word> {
    let again = (0u64..100_000).prop_map(|after| Word::Again { after });
    prop_oneof![3 => Just(Word::Delivered), 1 => Just(Word::Dead), 2 => again, 1 => Just(Word::Gone)]
}

fn step() -> impl Strategy<Value = Step> {
    let index = any::<prop::sample::Index>;
    prop_oneof![
        8 => (0u8..30, 1u8..8).prop_map(|(message, users)| Step::Accept { message, users }),
        5 => prop_oneof![1usize..4, Just(1000)].prop_map(|max| Step::Lease { max }),
        8 => (index(), word()).prop_map(|(which, word)| Step::Settle { which, word }),
        1 => index().prop_map(|which| Step::Release { which }),
        3 => (1u64..(LIFETIME + 1000)).prop_map(|millis| Step::Wait { millis }),
        1 => (index(), any::<bool>(), any::<bool>(), any::<bool>())
            .prop_map(|(user, first, second, on)| Step::Subscribe { user, first, second, enabled: on || first }),
        1 => index().prop_map(|user| Step::Unsubscribe { user }),
        1 => Just(Step::Retry),
        1 => Just(Step::Prune),
        1 => Just(Step::Restart),
    ]
}

/// A message's name and an address.
type Key = (String, String);

/// Deliveries that are sent together.
#[derive(Clone, Debug)]
struct Unit {
    user: &'static str,
    members: BTreeSet<Key>,
    state: DeliveryState,
    not_before: u64,
    /// When its lease ends, and the number of the claim that holds it.
    lease: Option<(u64, u64)>,
    open: bool,
    first_at: u64,
}

impl Unit {
    fn due_at(&self) -> u64 {
        self.lease.map_or(self.not_before, |(until, _)| until)
    }

    fn address(&self) -> &str {
        self.members.first().map_or("", |(_, address)| address)
    }

    fn end(&mut self, state: DeliveryState) {
        self.state = state;
        self.lease = None;
        self.open = false;
    }
}

enum Wish {
    Addresses(Vec<String>),
    DeletedAt(u64),
}

struct Held {
    lease: Lease,
    members: BTreeSet<Key>,
    claim: u64,
}

struct Model {
    now: u64,
    claims: u64,
    seen: BTreeMap<String, u64>,
    units: Vec<Unit>,
    pruned: Books,
    accepted: u64,
    /// A user without an entry never had a subscription, or it is forgotten.
    subscriptions: BTreeMap<&'static str, Wish>,
    held: Vec<Held>,
}

fn addresses(user: &str) -> [String; 2] {
    [format!("{user}@example.org"), format!("{user}@example.com")]
}

impl Model {
    fn new() -> Model {
        Model {
            now: 1000,
            claims: 0,
            seen: BTreeMap::new(),
            units: Vec::new(),
            pruned: Books::default(),
            accepted: 0,
            subscriptions: BTreeMap::new(),
            held: Vec::new(),
        }
    }

    fn wants(&self, user: &str, address: &String) -> bool {
        match self.subscriptions.get(user) {
            Some(Wish::Addresses(addresses)) => addresses.contains(address),
            Some(Wish::DeletedAt(_)) => false,
            None => true,
        }
    }

    fn books(&self) -> Books {
        let mut books = Books { accepted: self.accepted, ..self.pruned.clone() };
        for unit in &self.units {
            let place = match unit.state {
                DeliveryState::Pending => &mut books.pending,
                DeliveryState::Delivered => &mut books.delivered,
                DeliveryState::Dead => &mut books.dead,
                DeliveryState::Cancelled => &mut books.cancelled,
            };
            *place += unit.members.len() as u64;
        }
        books
    }

    fn join(&mut self, user: &'static str, key: Key) {
        let now = self.now;
        let gathers = user == GATHERER;
        let open = self.units.iter_mut().find(|unit| unit.open && unit.address() == key.1);
        let unit = match open {
            Some(unit) if gathers => unit,
            _ => {
                let not_before = if gathers { now + INTERVAL * 1000 } else { now };
                let members = BTreeSet::new();
                let (state, first_at) = (DeliveryState::Pending, now);
                self.units.push(Unit { user, members, state, not_before, lease: None, open: gathers, first_at });
                self.units.last_mut().unwrap()
            }
        };
        unit.members.insert(key);
        if unit.open && unit.members.len() >= COUNT as usize {
            unit.not_before = unit.not_before.min(now);
        }
    }

    fn cancel(&mut self, user: &str, keep: &[String]) {
        let unwanted = |unit: &&mut Unit| unit.user == user && !keep.iter().any(|address| address == unit.address());
        for unit in self.units.iter_mut().filter(|unit| unit.state == DeliveryState::Pending).filter(unwanted) {
            unit.end(DeliveryState::Cancelled);
        }
    }
}

async fn accept(fixture: &Fixture, model: &mut Model, message: u8, users: u8) {
    let name = format!("m{message}");
    let chosen = USERS.iter().enumerate().filter(|(n, _)| users & (1 << n) != 0).map(|(_, user)| *user);
    let mut recipients = Vec::new();
    let mut keys = Vec::new();
    for user in chosen {
        for address in addresses(user) {
            let to = if user == GATHERER { gathered(user, INTERVAL, Some(COUNT)) } else { to(user) };
            recipients.push(Recipient { address: address.clone(), ..to });
            if model.wants(user, &address) {
                keys.push((user, (name.clone(), address)));
            }
        }
    }
    let answer = fixture.accept(model.now, &name, recipients).await;
    if model.seen.contains_key(&name) {
        assert_eq!(answer, Acceptance::Duplicate);
        return;
    }
    assert_eq!(answer, Acceptance::New { deliveries: keys.len() });
    model.seen.insert(name, model.now);
    model.accepted += keys.len() as u64;
    for (user, key) in keys {
        model.join(user, key);
    }
}

async fn lease(fixture: &Fixture, model: &mut Model, max: usize) {
    let now = model.now;
    let due = |unit: &&mut Unit| unit.state == DeliveryState::Pending && unit.due_at() <= now;
    let expected = model.units.iter_mut().filter(due).count();
    let leases = fixture.lease(now, max).await;
    assert_eq!(leases.len(), expected.min(max));
    model.claims += 1;
    for lease in leases {
        let address = lease.delivery().address.clone();
        let members: BTreeSet<Key> = messages(&lease).0.into_iter().map(|name| (name, address.clone())).collect();
        let unit = model.units.iter_mut().filter(due).find(|unit| unit.members == members);
        let unit = unit.unwrap_or_else(|| panic!("{members:?} was not due"));
        assert_eq!(lease.delivery().accepted_at, at(unit.first_at));
        unit.lease = Some((now + LIFETIME, model.claims));
        unit.open = false;
        model.held.push(Held { lease, members, claim: model.claims });
    }
}

async fn settle(fixture: &Fixture, model: &mut Model, held: Held, word: Word) {
    let now = model.now;
    let settlement = match word {
        Word::Delivered => fixture::delivered(),
        Word::Dead => fixture::dead(),
        Word::Again { after } => {
            Settlement::Again { not_before: at(now + after), reason: "later".into(), counts: after % 2 == 0 }
        }
        Word::Gone => gone(None),
    };
    let counted = fixture.settle(held.lease, settlement, now).await;
    let Some(unit) = model.units.iter_mut().find(|unit| unit.members == held.members) else {
        assert!(!counted, "its rows were pruned");
        return;
    };
    let holds = unit.state == DeliveryState::Pending && unit.lease.is_some_and(|(_, claim)| claim == held.claim);
    let truth = matches!(word, Word::Delivered) && unit.state != DeliveryState::Delivered;
    assert_eq!(counted, holds || truth);
    if !counted {
        return;
    }
    match word {
        Word::Delivered => unit.end(DeliveryState::Delivered),
        Word::Dead => unit.end(DeliveryState::Dead),
        Word::Again { after } => {
            unit.lease = None;
            unit.not_before = now + after;
        }
        Word::Gone => {
            unit.end(DeliveryState::Dead);
            let (user, gone) = (unit.user, unit.address().to_owned());
            let keep: Vec<String> = addresses(user).into_iter().filter(|address| *address != gone).collect();
            if let Some(Wish::Addresses(addresses)) = model.subscriptions.get_mut(user) {
                addresses.retain(|address| *address != gone);
            }
            model.cancel(user, &keep);
        }
    }
}

async fn subscribe(fixture: &Fixture, model: &mut Model, user: &'static str, wished: Vec<String>, enabled: bool) {
    let mut wish = subscription(user, &wished.iter().map(String::as_str).collect::<Vec<_>>());
    wish.enabled = enabled;
    wish.digest = gathered(user, INTERVAL, Some(COUNT)).digest.filter(|_| user == GATHERER);
    fixture.store.put_subscription(&wish, at(model.now)).await.unwrap();
    let keep = if enabled { wished } else { Vec::new() };
    model.cancel(user, &keep);
    model.subscriptions.insert(user, Wish::Addresses(keep));
    // The options are said anew, so that a full digest is due from now on, if it was not before.
    for unit in model.units.iter_mut().filter(|unit| unit.open && unit.user == user) {
        let full = unit.members.len() >= COUNT as usize;
        unit.not_before = if full { model.now } else { unit.first_at + INTERVAL * 1000 };
    }
}

async fn prune(fixture: &Fixture, model: &mut Model) {
    let before = model.now.saturating_sub(50_000);
    let kept = |unit: &Unit| matches!(unit.state, DeliveryState::Pending | DeliveryState::Dead);
    let needed: BTreeSet<String> = model
        .units
        .iter()
        .filter(|unit| kept(unit))
        .flat_map(|unit| &unit.members)
        .map(|(name, _)| name.clone())
        .collect();
    let over: BTreeSet<String> = model
        .seen
        .iter()
        .filter(|(name, at)| **at < before && !needed.contains(*name))
        .map(|(name, _)| name.clone())
        .collect();
    assert_eq!(fixture.store.prune(at(before)).await.unwrap(), over.len() as u64);
    model.seen.retain(|name, _| !over.contains(name));
    for unit in &mut model.units {
        let all = unit.members.len();
        unit.members.retain(|(name, _)| !over.contains(name));
        let gone = (all - unit.members.len()) as u64;
        match unit.state {
            DeliveryState::Delivered => model.pruned.delivered += gone,
            DeliveryState::Cancelled => model.pruned.cancelled += gone,
            DeliveryState::Pending | DeliveryState::Dead => assert_eq!(gone, 0),
        }
    }
    model.units.retain(|unit| !unit.members.is_empty());
    model.subscriptions.retain(|_, wish| !matches!(wish, Wish::DeletedAt(at) if *at < before));
    // What a held lease stands for may have changed: such leases are settled elsewhere.
    model.held.retain(|held| model.units.iter().any(|unit| unit.members == held.members));
}

async fn take(fixture: &Fixture, model: &mut Model, step: Step) {
    match step {
        Step::Accept { message, users } => accept(fixture, model, message, users).await,
        Step::Lease { max } => lease(fixture, model, max).await,
        Step::Settle { which, word } if !model.held.is_empty() => {
            let held = model.held.swap_remove(which.index(model.held.len()));
            settle(fixture, model, held, word).await;
        }
        Step::Release { which } if !model.held.is_empty() => {
            let held = model.held.swap_remove(which.index(model.held.len()));
            fixture.store.release(vec![held.lease]).await.unwrap();
            let held_by = |unit: &&mut Unit| unit.lease.is_some_and(|(_, claim)| claim == held.claim);
            if let Some(unit) = model.units.iter_mut().filter(held_by).find(|unit| unit.members == held.members) {
                unit.lease = None;
            }
        }
        Step::Settle { .. } | Step::Release { .. } => {}
        Step::Wait { millis } => model.now += millis,
        Step::Subscribe { user, first, second, enabled } => {
            let user = USERS[user.index(USERS.len())];
            let wished = addresses(user).into_iter().zip([first, second]).filter(|(_, wanted)| *wanted);
            subscribe(fixture, model, user, wished.map(|(address, _)| address).collect(), enabled).await;
        }
        Step::Unsubscribe { user } => {
            let user = USERS[user.index(USERS.len())];
            let there = matches!(model.subscriptions.get(user), Some(Wish::Addresses(_)));
            let deleted = fixture.store.delete_subscription(user, "email", at(model.now)).await.unwrap();
            assert_eq!(deleted, there);
            if there {
                model.cancel(user, &[]);
                model.subscriptions.insert(user, Wish::DeletedAt(model.now));
            }
        }
        Step::Retry => {
            let dead: Vec<&mut Unit> =
                model.units.iter_mut().filter(|unit| unit.state == DeliveryState::Dead).collect();
            let count: usize = dead.iter().map(|unit| unit.members.len()).sum();
            assert_eq!(fixture.store.retry_dead(None, None, at(model.now)).await.unwrap(), count as u64);
            for unit in dead {
                (unit.state, unit.not_before, unit.first_at) = (DeliveryState::Pending, model.now, model.now);
            }
        }
        Step::Prune => prune(fixture, model).await,
        Step::Restart => {
            fixture.store.release_all().await.unwrap();
            for unit in &mut model.units {
                unit.lease = None;
            }
        }
    }
}

async fn run(steps: Vec<Step>) {
    let fixture = fixture::store().await;
    let mut model = Model::new();
    for step in steps {
        let shown = format!("{step:?}");
        take(&fixture, &mut model, step).await;
        let books = fixture.store.books().await.unwrap().remove("email").unwrap_or_default();
        assert!(books.balance(), "after {shown}: {books:?}");
        assert_eq!(books, model.books(), "after {shown}");
        let next = model.units.iter().filter(|unit| unit.state == DeliveryState::Pending).map(Unit::due_at).min();
        let stored = fixture.store.next_due("email").await.unwrap().map(|next| next.as_millis());
        // Of moments that are past, any stands for now.
        assert_eq!(stored.map(|next| next.max(model.now)), next.map(|next| next.max(model.now)), "after {shown}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_queue_does_what_the_model_does(steps in prop::collection::vec(step(), 1..60)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(run(steps));
    }
}
