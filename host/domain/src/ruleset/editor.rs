//! Makes rulesets: replaces a user's subscriptions in time proportional to that user's filters. It owns what only a
//! writer needs (positions of users, use counts); readers get snapshots.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::Ruleset;
use super::atom::{Atom, AtomHasher};
use super::compile::Literal;
use super::index::{Index, IndexEntry};
use super::indexed_filter::{CompiledSubscription, FilterPosition, IndexedFilter, User};
use super::paged::Paged;
use super::tables::{Rules, Tests};
use super::texts::InternedTexts;
use super::triggers::Triggers;
use crate::catalogue::Catalogue;
use crate::limits;
use crate::rules::RuleProblem;
use crate::subscription::borrowed::SubscriptionRef;

/// The one writer of a ruleset.
#[derive(Debug)]
pub struct Editor {
    pub(super) catalogue: Arc<Catalogue>,
    pub(super) names: AtomHasher,
    pub(super) rules: Rules,
    pub(super) tests: Tests,
    pub(super) index: Index,
    pub(super) triggers: Arc<Triggers>,
    users: Paged<Option<Arc<User>>>,
    /// The position of each user in `users`.
    slots: HashMap<Arc<str>, u32>,
    free: Vec<u32>,
    /// The number of filters indexed under each tested rule.
    pub(super) index_uses: HashMap<u32, u32>,
    /// Uses of each group.
    pub(super) groups: HashMap<Atom, (Arc<str>, u32)>,
    pub(super) filters: usize,
    pub(super) texts: InternedTexts,
    problems: BTreeMap<Arc<str>, Vec<RuleProblem>>,
    /// Entries of a load that is not finished.
    pub(super) loading: Option<Loading>,
}

#[derive(Debug, Default)]
pub(super) struct Loading {
    entries: Vec<IndexEntry>,
    pub(super) runs: HashMap<Atom, usize>,
}

/// Sizes of a ruleset.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sizes {
    pub users: usize,
    pub filters: usize,
    /// Of the index; a filter under several words has several.
    pub entries: usize,
    /// Filters that every message is tested against, since none of their rules is selective.
    pub residue: usize,
    /// Rules that are tested for messages of any topic.
    pub anywhere: usize,
    /// Memory of index, tests and rules, without names and addresses.
    pub bytes: usize,
}

impl Editor {
    /// An editor without users.
    pub fn new(catalogue: Arc<Catalogue>) -> Editor {
        Editor {
            catalogue,
            names: AtomHasher::default(),
            rules: Rules::default(),
            tests: Tests::default(),
            index: Index::default(),
            triggers: Arc::default(),
            users: Paged::default(),
            slots: HashMap::new(),
            free: Vec::new(),
            index_uses: HashMap::new(),
            groups: HashMap::new(),
            filters: 0,
            texts: InternedTexts::default(),
            problems: BTreeMap::new(),
            loading: None,
        }
    }

    /// An editor without users, for loading many at once. Call `loaded` before `ruleset`.
    pub fn loading(catalogue: Arc<Catalogue>) -> Editor {
        Editor { loading: Some(Loading::default()), ..Editor::new(catalogue) }
    }

    /// Ends the load: builds the index.
    pub fn loaded(&mut self) {
        if let Some(loading) = self.loading.take() {
            self.index = Index::new(loading.entries);
            self.compile_patterns();
        }
    }

    /// A snapshot: cheap and immutable.
    pub fn ruleset(&self) -> Ruleset {
        Ruleset {
            catalogue: Arc::clone(&self.catalogue),
            names: self.names.clone(),
            index: self.index.clone(),
            rules: self.rules.table.clone(),
            tests: self.tests.table.clone(),
            triggers: Arc::clone(&self.triggers),
            users: self.users.clone(),
            count: self.slots.len(),
        }
    }

    /// Invalid rules, by user; each disables its filter.
    pub fn problems(&self) -> impl Iterator<Item = &RuleProblem> {
        self.problems.values().flatten()
    }

    pub fn sizes(&self) -> Sizes {
        Sizes {
            users: self.slots.len(),
            filters: self.filters,
            entries: self.index.len(),
            residue: self.index.get(Atom::ANY).len(),
            anywhere: self.triggers.anywhere(),
            bytes: self.index.bytes()
                + self.tests.bytes()
                + self.rules.bytes()
                + self.filters * size_of::<IndexedFilter>(),
        }
    }

    /// Replaces all subscriptions of the user, and returns the problems of the new ones. Without subscriptions the user
    /// is removed.
    pub fn replace<'s>(
        &mut self,
        user: &str,
        subscriptions: impl IntoIterator<Item = SubscriptionRef<'s>>,
    ) -> &[RuleProblem] {
        let known = self.slots.get(user).copied();
        let slot = known.unwrap_or_else(|| self.free.pop().unwrap_or(self.slots.len() as u32));
        let (mut entries, mut problems, mut compiled, mut any) = (Vec::new(), Vec::new(), Vec::new(), false);
        for subscription in subscriptions.into_iter().take(limits::SUBSCRIPTIONS_PER_USER) {
            any = true;
            let number = compiled.len() as u16;
            let position_of = |filter| FilterPosition::new(slot, number, filter);
            compiled.push(self.subscription(user, &subscription, position_of, &mut entries, &mut problems));
        }
        // The old ones are released last, so that what both have in common is not compiled again.
        let old = known.and_then(|slot| self.users.get(slot).cloned().flatten());
        let old = old.map(|old| self.release_user(slot, &old)).unwrap_or_default();
        match &mut self.loading {
            None => self.index.change(old, entries),
            Some(loading) => {
                if !old.is_empty() {
                    loading.entries.retain(|entry| entry.position.user() != slot);
                }
                entries.iter().for_each(|entry| *loading.runs.entry(entry.atom).or_default() += 1);
                loading.entries.append(&mut entries);
            }
        }
        if any {
            let name: Arc<str> = user.into();
            let user = User { name: Arc::clone(&name), subscriptions: compiled.into() };
            self.users.set(slot, Some(Arc::new(user)));
            self.slots.insert(name, slot);
        } else {
            self.users.set(slot, None);
            self.slots.remove(user);
            self.free.push(slot);
        }
        self.compile_patterns();
        self.report(user, problems)
    }

    fn report(&mut self, user: &str, problems: Vec<RuleProblem>) -> &[RuleProblem] {
        self.problems.remove(user);
        if problems.is_empty() {
            return &[];
        }
        self.problems.entry(user.into()).or_insert(problems)
    }

    /// Compiles the sets of patterns that changed.
    fn compile_patterns(&mut self) {
        if self.loading.is_none() && !self.triggers.is_compiled() {
            Arc::make_mut(&mut self.triggers).compile_patterns();
        }
    }

    fn subscription(
        &mut self,
        user: &str,
        subscription: &SubscriptionRef<'_>,
        position_of: impl Fn(u16) -> FilterPosition,
        entries: &mut Vec<IndexEntry>,
        problems: &mut Vec<RuleProblem>,
    ) -> CompiledSubscription {
        let SubscriptionRef { channel, enabled, addresses, digest, style, filters } = subscription;
        let mut record = |filter: &str, rule: &str, reason: String| {
            let (user, channel) = (user.to_owned(), (*channel).to_owned());
            problems.push(RuleProblem { user, channel, filter: filter.to_owned(), rule: rule.to_owned(), reason });
        };
        for (what, count, limit) in [
            ("filters", filters.len(), limits::FILTERS_PER_SUBSCRIPTION),
            ("addresses", addresses.len(), limits::ADDRESSES_PER_SUBSCRIPTION),
        ] {
            if count > limit {
                record("", "", format!("it has {count} {what}; those beyond {limit} are ignored"));
            }
        }
        let deliverable = *enabled && !addresses.is_empty();
        let mut indexed = Vec::with_capacity(filters.len());
        for (number, filter) in filters.iter().take(limits::FILTERS_PER_SUBSCRIPTION).enumerate() {
            let literals = self.literals(filter, &mut record);
            let active =
                |literals: &Vec<Literal>| deliverable && filter.active && !literals.iter().any(Literal::is_never);
            indexed.push(match literals {
                Some(literals) if active(&literals) => {
                    self.filter(filter, literals, position_of(number as u16), entries)
                }
                literals => self.inactive_filter(filter, literals),
            });
        }
        CompiledSubscription {
            channel: self.texts.get(channel),
            digest: *digest,
            style: *style,
            addresses: addresses.iter().take(limits::ADDRESSES_PER_SUBSCRIPTION).map(|a| a.as_str().into()).collect(),
            filters: indexed.into(),
        }
    }
}
