//! A user's subscriptions as the ruleset keeps them: what a match needs to know of a filter, and where the filter is
//! indexed, so that it can be removed. The rules themselves are in the tables and the index.

use std::sync::Arc;

use super::atom::Atom;
use super::role_requirement::RoleRequirement;
use crate::delivery::Recipient;
use crate::subscription::{DigestOptions, Style};

/// The position of a filter: of the user, of the subscription among the user's, of the filter in the subscription. In
/// this order a subscription's first match comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct FilterPosition(u64);

impl FilterPosition {
    pub const fn new(user: u32, subscription: u16, filter: u16) -> FilterPosition {
        FilterPosition((user as u64) << 32 | (subscription as u64) << 16 | filter as u64)
    }

    pub const fn user(self) -> u32 {
        (self.0 >> 32) as u32
    }

    pub const fn subscription(self) -> usize {
        (self.0 >> 16) as usize & 0xffff
    }

    pub const fn filter(self) -> usize {
        self.0 as usize & 0xffff
    }

    /// The same for all filters of one subscription.
    pub const fn group(self) -> u64 {
        self.0 >> 16
    }
}

/// A user with the subscriptions that can match.
#[derive(Debug, Default)]
pub struct User {
    pub name: Arc<str>,
    pub subscriptions: Box<[CompiledSubscription]>,
}

/// A subscription that is enabled and has an address.
#[derive(Debug)]
pub struct CompiledSubscription {
    pub channel: Arc<str>,
    pub digest: Option<DigestOptions>,
    pub style: Style,
    pub addresses: Box<[Box<str>]>,
    /// In the user's order, inactive ones included.
    pub filters: Box<[IndexedFilter]>,
}

/// A filter.
#[derive(Debug)]
pub struct IndexedFilter {
    pub name: Arc<str>,
    pub oneshot: bool,
    pub test: u32,
    pub roles: RoleRequirement,
    pub keys: IndexKeys,
}

/// The atoms that lead to a filter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IndexKeys {
    /// It never matches.
    Empty,
    One(Atom),
    /// Any of them.
    Any(Box<[Atom]>),
}

impl IndexKeys {
    pub fn atoms(&self) -> &[Atom] {
        match self {
            IndexKeys::Empty => &[],
            IndexKeys::One(atom) => std::slice::from_ref(atom),
            IndexKeys::Any(atoms) => atoms,
        }
    }
}

/// A filter that matched a message.
#[derive(Clone, Copy, Debug)]
pub struct Match<'r> {
    pub(super) user: &'r User,
    pub(super) subscription: &'r CompiledSubscription,
    pub(super) filter: &'r IndexedFilter,
}

impl<'r> Match<'r> {
    pub fn user(&self) -> &'r str {
        &self.user.name
    }

    pub fn channel(&self) -> &'r str {
        &self.subscription.channel
    }

    pub fn filter(&self) -> &'r str {
        &self.filter.name
    }

    /// The recipients: one for each address.
    pub fn recipients(&self) -> impl Iterator<Item = Recipient> + use<'r> {
        let Match { user, subscription, filter } = *self;
        subscription.addresses.iter().map(|address| Recipient {
            user: user.name.as_ref().to_owned(),
            channel: subscription.channel.as_ref().to_owned(),
            address: address.as_ref().to_owned(),
            filter: filter.name.as_ref().to_owned(),
            oneshot: filter.oneshot,
            style: subscription.style,
            digest: subscription.digest,
        })
    }
}
