//! The model: a queue as plain values.

use std::collections::{BTreeMap, BTreeSet};

use tidings_domain::delivery::DeliveryState;
use tidings_store::{Books, Lease};

use super::{COUNT, DIGEST_USER, INTERVAL};

/// A message's name and an address.
pub type MessageAddress = (String, String);

/// Deliveries that are sent together.
#[derive(Clone, Debug)]
pub struct ModelDelivery {
    pub user: &'static str,
    pub members: BTreeSet<MessageAddress>,
    pub state: DeliveryState,
    pub not_before: u64,
    /// When its lease ends, and the number of the claim that holds it.
    pub lease: Option<(u64, u64)>,
    pub open: bool,
    pub first_at: u64,
}

impl ModelDelivery {
    pub fn due_at(&self) -> u64 {
        self.lease.map_or(self.not_before, |(until, _)| until)
    }

    pub fn address(&self) -> &str {
        self.members.first().map_or("", |(_, address)| address)
    }

    pub fn end(&mut self, state: DeliveryState) {
        self.state = state;
        self.lease = None;
        self.open = false;
    }
}

pub enum ModelSubscription {
    Addresses(Vec<String>),
    DeletedAt(u64),
}

pub struct HeldLease {
    pub lease: Lease,
    pub members: BTreeSet<MessageAddress>,
    pub claim: u64,
}

pub fn addresses(user: &str) -> [String; 2] {
    [format!("{user}@example.org"), format!("{user}@example.com")]
}

pub struct Model {
    pub now: u64,
    pub claims: u64,
    pub seen: BTreeMap<String, u64>,
    pub deliveries: Vec<ModelDelivery>,
    pub pruned: Books,
    pub accepted: u64,
    /// A user without an entry never had a subscription, or it was pruned.
    pub subscriptions: BTreeMap<&'static str, ModelSubscription>,
    pub held: Vec<HeldLease>,
}

impl Model {
    pub fn new() -> Model {
        Model {
            now: 1000,
            claims: 0,
            seen: BTreeMap::new(),
            deliveries: Vec::new(),
            pruned: Books::default(),
            accepted: 0,
            subscriptions: BTreeMap::new(),
            held: Vec::new(),
        }
    }

    pub fn has_address(&self, user: &str, address: &String) -> bool {
        match self.subscriptions.get(user) {
            Some(ModelSubscription::Addresses(addresses)) => addresses.contains(address),
            Some(ModelSubscription::DeletedAt(_)) => false,
            None => true,
        }
    }

    pub fn books(&self) -> Books {
        let mut books = Books { accepted: self.accepted, ..self.pruned.clone() };
        for delivery in &self.deliveries {
            let total = match delivery.state {
                DeliveryState::Pending => &mut books.pending,
                DeliveryState::Delivered => &mut books.delivered,
                DeliveryState::Dead => &mut books.dead,
                DeliveryState::Cancelled => &mut books.cancelled,
            };
            *total += delivery.members.len() as u64;
        }
        books
    }

    pub fn join(&mut self, user: &'static str, key: MessageAddress) {
        let now = self.now;
        let in_digest = user == DIGEST_USER;
        let open = self.deliveries.iter_mut().find(|delivery| delivery.open && delivery.address() == key.1);
        let delivery = match open {
            Some(delivery) if in_digest => delivery,
            _ => {
                let not_before = if in_digest { now + INTERVAL * 1000 } else { now };
                let members = BTreeSet::new();
                let (state, first_at) = (DeliveryState::Pending, now);
                self.deliveries.push(ModelDelivery {
                    user,
                    members,
                    state,
                    not_before,
                    lease: None,
                    open: in_digest,
                    first_at,
                });
                self.deliveries.last_mut().unwrap()
            }
        };
        delivery.members.insert(key);
        if delivery.open && delivery.members.len() >= COUNT as usize {
            delivery.not_before = delivery.not_before.min(now);
        }
    }

    pub fn cancel(&mut self, user: &str, kept: &[String]) {
        let unwanted = |delivery: &&mut ModelDelivery| {
            delivery.user == user && !kept.iter().any(|address| address == delivery.address())
        };
        for delivery in
            self.deliveries.iter_mut().filter(|delivery| delivery.state == DeliveryState::Pending).filter(unwanted)
        {
            delivery.end(DeliveryState::Cancelled);
        }
    }
}
