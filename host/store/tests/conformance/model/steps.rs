//! The steps, each applied to the store and to the model.

use std::collections::BTreeSet;

use tidings_domain::delivery::{Acceptance, DeliveryState, Recipient};
use tidings_domain::outcome::Settlement;
use tidings_store::{DeliveryStore, Maintenance, Outbox, SubscriptionStore};

use super::queue::{HeldLease, MessageAddress, Model, ModelDelivery, ModelSubscription, addresses};
use super::{COUNT, DIGEST_USER, INTERVAL, ModelBackend, ModelOutcome, Step, USERS};
use crate::backend::{Fixture, LIFETIME};
use crate::samples::{self, at, gone, in_digests, messages, subscription, to};

async fn accept<B: ModelBackend>(fixture: &Fixture<B>, model: &mut Model, message: u8, users: u8) {
    let name = format!("m{message}");
    let chosen = USERS.iter().enumerate().filter(|(n, _)| users & (1 << n) != 0).map(|(_, user)| *user);
    let mut recipients = Vec::new();
    let mut keys = Vec::new();
    for user in chosen {
        for address in addresses(user) {
            let to = if user == DIGEST_USER { in_digests(user, INTERVAL, Some(COUNT)) } else { to(user) };
            recipients.push(Recipient { address: address.clone(), ..to });
            if model.has_address(user, &address) {
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

async fn lease<B: ModelBackend>(fixture: &Fixture<B>, model: &mut Model, max: usize) {
    let now = model.now;
    let due = |delivery: &&mut ModelDelivery| delivery.state == DeliveryState::Pending && delivery.due_at() <= now;
    let expected = model.deliveries.iter_mut().filter(due).count();
    let leases = fixture.lease(now, max).await;
    assert_eq!(leases.len(), expected.min(max));
    model.claims += 1;
    for lease in leases {
        let address = lease.delivery().address.clone();
        let members: BTreeSet<MessageAddress> =
            messages(&lease).0.into_iter().map(|name| (name, address.clone())).collect();
        let delivery = model.deliveries.iter_mut().filter(due).find(|delivery| delivery.members == members);
        let delivery = delivery.unwrap_or_else(|| panic!("{members:?} was not due"));
        assert_eq!(lease.delivery().accepted_at, at(delivery.first_at));
        delivery.lease = Some((now + LIFETIME, model.claims));
        delivery.open = false;
        model.held.push(HeldLease { lease, members, claim: model.claims });
    }
}

async fn settle<B: ModelBackend>(fixture: &Fixture<B>, model: &mut Model, held: HeldLease, outcome: ModelOutcome) {
    let now = model.now;
    let settlement = match outcome {
        ModelOutcome::Delivered => samples::delivered(),
        ModelOutcome::Dead => samples::dead(),
        ModelOutcome::Again { after } => {
            Settlement::Again { not_before: at(now + after), reason: "later".into(), counts: after % 2 == 0 }
        }
        ModelOutcome::Gone => gone(None),
    };
    let counted = fixture.settle(held.lease, settlement, now).await;
    let Some(delivery) = model.deliveries.iter_mut().find(|delivery| delivery.members == held.members) else {
        assert!(!counted, "its rows were pruned");
        return;
    };
    let holds =
        delivery.state == DeliveryState::Pending && delivery.lease.is_some_and(|(_, claim)| claim == held.claim);
    let delivered_late = matches!(outcome, ModelOutcome::Delivered) && delivery.state != DeliveryState::Delivered;
    assert_eq!(counted, holds || delivered_late);
    if !counted {
        return;
    }
    match outcome {
        ModelOutcome::Delivered => delivery.end(DeliveryState::Delivered),
        ModelOutcome::Dead => delivery.end(DeliveryState::Dead),
        ModelOutcome::Again { after } => {
            delivery.lease = None;
            delivery.not_before = now + after;
        }
        ModelOutcome::Gone => {
            delivery.end(DeliveryState::Dead);
            let (user, gone) = (delivery.user, delivery.address().to_owned());
            let kept: Vec<String> = addresses(user).into_iter().filter(|address| *address != gone).collect();
            if let Some(ModelSubscription::Addresses(addresses)) = model.subscriptions.get_mut(user) {
                addresses.retain(|address| *address != gone);
            }
            model.cancel(user, &kept);
        }
    }
}

async fn subscribe<B: ModelBackend>(
    fixture: &Fixture<B>,
    model: &mut Model,
    user: &'static str,
    wanted: Vec<String>,
    enabled: bool,
) {
    let mut desired = subscription(user, &wanted.iter().map(String::as_str).collect::<Vec<_>>());
    desired.enabled = enabled;
    desired.digest = in_digests(user, INTERVAL, Some(COUNT)).digest.filter(|_| user == DIGEST_USER);
    fixture.store.put_subscription(&desired, at(model.now)).await.unwrap();
    let kept = if enabled { wanted } else { Vec::new() };
    model.cancel(user, &kept);
    model.subscriptions.insert(user, ModelSubscription::Addresses(kept));
    // The options are applied again: a full digest is due now, if it was not before.
    for delivery in model.deliveries.iter_mut().filter(|delivery| delivery.open && delivery.user == user) {
        let full = delivery.members.len() >= COUNT as usize;
        delivery.not_before = if full { model.now } else { delivery.first_at + INTERVAL * 1000 };
    }
}

async fn prune<B: ModelBackend>(fixture: &Fixture<B>, model: &mut Model) {
    let before = model.now.saturating_sub(50_000);
    let kept = |delivery: &ModelDelivery| matches!(delivery.state, DeliveryState::Pending | DeliveryState::Dead);
    let needed: BTreeSet<String> = model
        .deliveries
        .iter()
        .filter(|delivery| kept(delivery))
        .flat_map(|delivery| &delivery.members)
        .map(|(name, _)| name.clone())
        .collect();
    let pruned: BTreeSet<String> = model
        .seen
        .iter()
        .filter(|(name, at)| **at < before && !needed.contains(*name))
        .map(|(name, _)| name.clone())
        .collect();
    assert_eq!(fixture.store.prune(at(before)).await.unwrap(), pruned.len() as u64);
    model.seen.retain(|name, _| !pruned.contains(name));
    for delivery in &mut model.deliveries {
        let all = delivery.members.len();
        delivery.members.retain(|(name, _)| !pruned.contains(name));
        let gone = (all - delivery.members.len()) as u64;
        match delivery.state {
            DeliveryState::Delivered => model.pruned.delivered += gone,
            DeliveryState::Cancelled => model.pruned.cancelled += gone,
            DeliveryState::Pending | DeliveryState::Dead => assert_eq!(gone, 0),
        }
    }
    model.deliveries.retain(|delivery| !delivery.members.is_empty());
    model.subscriptions.retain(|_, desired| !matches!(desired, ModelSubscription::DeletedAt(at) if *at < before));
    // Leases whose rows were pruned are dropped here; other tests settle such leases.
    model.held.retain(|held| model.deliveries.iter().any(|delivery| delivery.members == held.members));
}

pub async fn take<B: ModelBackend>(fixture: &Fixture<B>, model: &mut Model, step: Step) {
    match step {
        Step::Accept { message, users } => accept(fixture, model, message, users).await,
        Step::Lease { max } => lease(fixture, model, max).await,
        Step::Settle { which, outcome } if !model.held.is_empty() => {
            let held = model.held.swap_remove(which.index(model.held.len()));
            settle(fixture, model, held, outcome).await;
        }
        Step::Release { which } if !model.held.is_empty() => {
            let held = model.held.swap_remove(which.index(model.held.len()));
            fixture.store.release(vec![held.lease]).await.unwrap();
            let held_by = |delivery: &&mut ModelDelivery| delivery.lease.is_some_and(|(_, claim)| claim == held.claim);
            if let Some(delivery) =
                model.deliveries.iter_mut().filter(held_by).find(|delivery| delivery.members == held.members)
            {
                delivery.lease = None;
            }
        }
        Step::Settle { .. } | Step::Release { .. } => {}
        Step::Wait { millis } => model.now += millis,
        Step::Subscribe { user, first, second, enabled } => {
            let user = USERS[user.index(USERS.len())];
            let wanted = addresses(user).into_iter().zip([first, second]).filter(|(_, wanted)| *wanted);
            subscribe(fixture, model, user, wanted.map(|(address, _)| address).collect(), enabled).await;
        }
        Step::Unsubscribe { user } => {
            let user = USERS[user.index(USERS.len())];
            let there = matches!(model.subscriptions.get(user), Some(ModelSubscription::Addresses(_)));
            let deleted = fixture.store.delete_subscription(user, "email", at(model.now)).await.unwrap();
            assert_eq!(deleted, there);
            if there {
                model.cancel(user, &[]);
                model.subscriptions.insert(user, ModelSubscription::DeletedAt(model.now));
            }
        }
        Step::Retry => {
            let dead: Vec<&mut ModelDelivery> =
                model.deliveries.iter_mut().filter(|delivery| delivery.state == DeliveryState::Dead).collect();
            let count: usize = dead.iter().map(|delivery| delivery.members.len()).sum();
            assert_eq!(fixture.store.retry_dead(None, None, at(model.now)).await.unwrap(), count as u64);
            for delivery in dead {
                (delivery.state, delivery.not_before, delivery.first_at) =
                    (DeliveryState::Pending, model.now, model.now);
            }
        }
        Step::Prune => prune(fixture, model).await,
        Step::Restart => {
            fixture.store.release_all().await.unwrap();
            for delivery in &mut model.deliveries {
                delivery.lease = None;
            }
        }
    }
}
