//! Indexes a filter under its most selective rule, and keeps the others as its test. Removal releases everything that
//! the filter used.

use std::sync::Arc;

use super::atom::Atom;
use super::compile::{self, Literal};
use super::editor::Editor;
use super::index::IndexEntry;
use super::indexed_filter::{FilterPosition, IndexKeys, IndexedFilter, User};
use super::role_requirement::RoleRequirement;
use super::tables::{Term, TermKind};
use crate::limits;
use crate::subscription::borrowed::FilterRef;

impl Editor {
    /// What the rules of a filter require; none if one is invalid, or there are too many.
    pub(super) fn literals(
        &mut self,
        filter: &FilterRef<'_>,
        record: &mut dyn FnMut(&str, &str, String),
    ) -> Option<Vec<Literal>> {
        let FilterRef { name, rules, .. } = filter;
        if rules.len() > limits::RULES_PER_FILTER {
            record(name, "", format!("it has {} rules, over {}", rules.len(), limits::RULES_PER_FILTER));
            return None;
        }
        let mut literals = Vec::with_capacity(rules.len());
        let mut valid = !rules.is_empty();
        for rule in rules {
            match compile::rule(&self.catalogue, &self.names, &mut self.rules, rule, &mut literals) {
                Ok(missing) if missing.is_empty() => {}
                Ok(missing) => record(name, &rule.rule, format!("without {} it never holds", missing.join(", "))),
                Err(reason) => {
                    record(name, &rule.rule, reason);
                    valid = false;
                }
            }
        }
        if valid {
            return Some(literals);
        }
        literals.into_iter().for_each(|literal| self.drop_literal(&literal));
        None
    }

    fn drop_literal(&mut self, literal: &Literal) {
        if let Literal::Rule { number, .. } = literal {
            self.release_rule(*number);
        }
    }

    /// Indexes a filter.
    pub(super) fn filter(
        &mut self,
        filter: &FilterRef<'_>,
        literals: Vec<Literal>,
        position: FilterPosition,
        entries: &mut Vec<IndexEntry>,
    ) -> IndexedFilter {
        let best = literals.iter().enumerate().filter_map(|(position, literal)| {
            let atom = literal.atom(&self.rules)?;
            Some((literal.rarity(&self.rules)?, self.run(atom), position))
        });
        let best = best.min().map(|(.., position)| position);
        let (keys, roles, mut terms) = self.index_keys(best.map(|position| &literals[position]));
        let (mut roles, index_account) = (roles, best.and_then(|position| account_of(&literals[position])));
        for (position, literal) in literals.iter().enumerate() {
            match literal {
                Literal::Always | Literal::Never => {}
                // The rule that the filter is indexed under holds when the filter is reached.
                _ if Some(position) == best => {}
                Literal::Account { role, account, negated } if index_account == Some(*account) => {
                    roles = roles.and(*role, *negated);
                }
                Literal::Rule { number, negated } => terms.push(Term::new(*number, *negated)),
                Literal::Account { negated, .. }
                | Literal::Package { negated, .. }
                | Literal::Group { negated, .. } => {
                    terms.extend(self.atom_rule(literal).map(|number| Term::new(number, *negated)));
                }
            }
        }
        let test = self.tests.retain(&self.names, terms, &mut self.rules);
        let entry = |atom: &Atom| IndexEntry { atom: *atom, position, test, roles };
        entries.extend(keys.atoms().iter().map(entry));
        self.filters += 1;
        IndexedFilter { name: self.texts.get(&filter.name), oneshot: filter.oneshot, test, roles, keys }
    }

    /// A filter that never matches, kept so that the positions of the others stay the same.
    pub(super) fn inactive_filter(&mut self, filter: &FilterRef<'_>, literals: Option<Vec<Literal>>) -> IndexedFilter {
        literals.into_iter().flatten().for_each(|literal| self.drop_literal(&literal));
        let test = self.tests.retain(&self.names, Vec::new(), &mut self.rules);
        self.filters += 1;
        IndexedFilter {
            name: self.texts.get(&filter.name),
            oneshot: filter.oneshot,
            test,
            roles: RoleRequirement::default(),
            keys: IndexKeys::Empty,
        }
    }

    /// The keys to index under, what to require of the account there, and the terms of that rule that are still tested.
    fn index_keys(&mut self, best: Option<&Literal>) -> (IndexKeys, RoleRequirement, Vec<Term>) {
        match best {
            None => (IndexKeys::One(Atom::ANY), RoleRequirement::default(), Vec::new()),
            Some(Literal::Account { role, account, .. }) => {
                (IndexKeys::One(account.in_role(*role)), RoleRequirement::indexed_under(*role), Vec::new())
            }
            Some(Literal::Package { atom, .. }) => (IndexKeys::One(*atom), RoleRequirement::default(), Vec::new()),
            Some(Literal::Group { name, atom, .. }) => {
                self.retain_group(name, *atom);
                (IndexKeys::One(*atom), RoleRequirement::default(), Vec::new())
            }
            Some(Literal::Rule { number, .. }) => self.keys_of_rule(*number),
            Some(Literal::Always | Literal::Never) => (IndexKeys::Empty, RoleRequirement::default(), Vec::new()),
        }
    }

    fn keys_of_rule(&mut self, number: u32) -> (IndexKeys, RoleRequirement, Vec<Term>) {
        let known = self.rules.table.get(number).cloned().unwrap_or_default();
        let TermKind::Tested(tested) = known.kind else {
            return (IndexKeys::Empty, RoleRequirement::default(), Vec::new());
        };
        if let Some(words) = &tested.words {
            Arc::make_mut(&mut self.triggers).add_words(&tested);
            let keys = match &**words {
                [one] => IndexKeys::One(*one),
                several => IndexKeys::Any(several.into()),
            };
            // A word is necessary, not sufficient.
            return (keys, RoleRequirement::default(), vec![Term::new(number, false)]);
        }
        let index_uses = self.index_uses.entry(number).or_insert(0);
        *index_uses += 1;
        if *index_uses == 1 {
            Arc::make_mut(&mut self.triggers).add(number, &tested);
        }
        (IndexKeys::One(known.atom), RoleRequirement::default(), Vec::new())
    }

    /// The number of a rule that is an atom of the message.
    fn atom_rule(&mut self, literal: &Literal) -> Option<u32> {
        let atom = literal.atom(&self.rules)?;
        if let (Literal::Group { name, .. }, None) = (literal, self.rules.find(atom)) {
            self.retain_group(name, atom);
        }
        Some(self.rules.retain(atom, || TermKind::Atom))
    }

    /// Releases what the user's filters use. Returns their index entries, for the caller to remove.
    pub(super) fn release_user(&mut self, slot: u32, user: &User) -> Vec<IndexEntry> {
        let mut entries = Vec::new();
        for (number, subscription) in user.subscriptions.iter().enumerate() {
            for (position, filter) in subscription.filters.iter().enumerate() {
                let position = FilterPosition::new(slot, number as u16, position as u16);
                let entry = |atom: &Atom| IndexEntry { atom: *atom, position, test: filter.test, roles: filter.roles };
                entries.extend(filter.keys.atoms().iter().map(entry));
                filter.keys.atoms().iter().for_each(|atom| self.release_index_use(*atom));
                if let Some(terms) = self.tests.release(&self.names, filter.test) {
                    terms.iter().for_each(|term| self.release_rule(term.rule()));
                }
                self.filters -= 1;
            }
        }
        entries
    }

    /// Counts one filter less under this atom.
    fn release_index_use(&mut self, atom: Atom) {
        self.release_group(atom);
        let Some(number) = self.rules.find(atom) else { return };
        let Some(index_uses) = self.index_uses.get_mut(&number) else { return };
        *index_uses -= 1;
        if *index_uses == 0 {
            self.index_uses.remove(&number);
            if let Some(TermKind::Tested(tested)) = self.rules.table.get(number).map(|known| &known.kind) {
                Arc::make_mut(&mut self.triggers).remove(number, tested);
            }
        }
        self.release_rule(number);
    }

    fn release_rule(&mut self, number: u32) {
        if let Some(known) = self.rules.release(number)
            && matches!(known.kind, TermKind::Atom)
        {
            self.release_group(known.atom);
        }
    }

    fn retain_group(&mut self, name: &Arc<str>, atom: Atom) {
        let (name, uses) = self.groups.entry(atom).or_insert_with(|| (Arc::clone(name), 0));
        *uses += 1;
        if *uses == 1 {
            Arc::make_mut(&mut self.triggers).groups.push(Arc::clone(name));
        }
    }

    fn release_group(&mut self, atom: Atom) {
        let Some((name, uses)) = self.groups.get_mut(&atom) else { return };
        *uses -= 1;
        if *uses == 0 {
            Arc::make_mut(&mut self.triggers).groups.retain(|other| other != name);
            self.groups.remove(&atom);
        }
    }

    /// The number of filters under an atom.
    fn run(&self, atom: Atom) -> usize {
        match &self.loading {
            None => self.index.get(atom).len(),
            Some(loading) => loading.runs.get(&atom).copied().unwrap_or(0),
        }
    }
}

fn account_of(literal: &Literal) -> Option<super::atom::Account> {
    match literal {
        Literal::Account { account, .. } => Some(*account),
        _ => None,
    }
}
