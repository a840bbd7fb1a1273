//! Indexes a filter under its most selective rule, and keeps the others as its test. Removal releases everything that
//! the
//! filter used.

use std::sync::Arc;

use super::atom::Atom;
use super::compile::{self, Literal};
use super::editor::Editor;
use super::index::IndexEntry;
use super::indexed_filter::{FilterPosition, IndexedFilter, Under, User};
use super::own::Own;
use super::tables::{Term, TermKind};
use crate::limits;
use crate::subscription::borrowed::FilterRef;

impl Editor {
    /// What the rules of a filter require; none if one is invalid, or there are too many.
    pub(super) fn literals(
        &mut self,
        filter: &FilterRef<'_>,
        note: &mut dyn FnMut(&str, &str, String),
    ) -> Option<Vec<Literal>> {
        let FilterRef { name, rules, .. } = filter;
        if rules.len() > limits::RULES_PER_FILTER {
            note(name, "", format!("it has {} rules, over {}", rules.len(), limits::RULES_PER_FILTER));
            return None;
        }
        let mut literals = Vec::with_capacity(rules.len());
        let mut good = !rules.is_empty();
        for rule in rules {
            match compile::rule(&self.catalogue, &self.names, &mut self.rules, rule, &mut literals) {
                Ok(missing) if missing.is_empty() => {}
                Ok(missing) => note(name, &rule.rule, format!("without {} it never holds", missing.join(", "))),
                Err(reason) => {
                    note(name, &rule.rule, reason);
                    good = false;
                }
            }
        }
        if good {
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

    /// Indexes a filter; one that is not `live` only keeps its position.
    pub(super) fn filter(
        &mut self,
        filter: &FilterRef<'_>,
        literals: Vec<Literal>,
        place: FilterPosition,
        entries: &mut Vec<IndexEntry>,
    ) -> IndexedFilter {
        let best = literals.iter().enumerate().filter_map(|(position, literal)| {
            let atom = literal.atom(&self.rules)?;
            Some((literal.rarity(&self.rules)?, self.run(atom), position))
        });
        let best = best.min().map(|(.., position)| position);
        let (under, own, mut terms) = self.under(best.map(|position| &literals[position]));
        let (mut own, filed_for) = (own, best.and_then(|position| account_of(&literals[position])));
        for (position, literal) in literals.iter().enumerate() {
            match literal {
                Literal::Always | Literal::Never => {}
                // The rule that the filter is indexed under holds when the filter is reached.
                _ if Some(position) == best => {}
                Literal::Account { role, account, negated } if filed_for == Some(*account) => {
                    own = own.and(*role, *negated);
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
        let entry = |atom: &Atom| IndexEntry { atom: *atom, place, test, own };
        entries.extend(under.atoms().iter().map(entry));
        self.filters += 1;
        IndexedFilter { name: self.texts.get(&filter.name), oneshot: filter.oneshot, test, own, under }
    }

    /// A filter that never matches, kept so that the positions of the others stay the same.
    pub(super) fn silent(&mut self, filter: &FilterRef<'_>, literals: Option<Vec<Literal>>) -> IndexedFilter {
        literals.into_iter().flatten().for_each(|literal| self.drop_literal(&literal));
        let test = self.tests.retain(&self.names, Vec::new(), &mut self.rules);
        self.filters += 1;
        IndexedFilter {
            name: self.texts.get(&filter.name),
            oneshot: filter.oneshot,
            test,
            own: Own::default(),
            under: Under::Nothing,
        }
    }

    /// Where to index, what to require of the account there, and what is left to test of that rule.
    fn under(&mut self, best: Option<&Literal>) -> (Under, Own, Vec<Term>) {
        match best {
            None => (Under::One(Atom::ANY), Own::default(), Vec::new()),
            Some(Literal::Account { role, account, .. }) => {
                (Under::One(account.as_(*role)), Own::under(*role), Vec::new())
            }
            Some(Literal::Package { atom, .. }) => (Under::One(*atom), Own::default(), Vec::new()),
            Some(Literal::Group { name, atom, .. }) => {
                self.use_group(name, *atom);
                (Under::One(*atom), Own::default(), Vec::new())
            }
            Some(Literal::Rule { number, .. }) => self.under_rule(*number),
            Some(Literal::Always | Literal::Never) => (Under::Nothing, Own::default(), Vec::new()),
        }
    }

    fn under_rule(&mut self, number: u32) -> (Under, Own, Vec<Term>) {
        let known = self.rules.known.get(number).cloned().unwrap_or_default();
        let TermKind::Tested(tested) = known.what else { return (Under::Nothing, Own::default(), Vec::new()) };
        if let Some(words) = &tested.words {
            Arc::make_mut(&mut self.triggers).add_words(&tested);
            let under = match &**words {
                [one] => Under::One(*one),
                several => Under::Any(several.into()),
            };
            // A word is necessary, not sufficient.
            return (under, Own::default(), vec![Term::new(number, false)]);
        }
        let filings = self.filings.entry(number).or_insert(0);
        *filings += 1;
        if *filings == 1 {
            Arc::make_mut(&mut self.triggers).add(number, &tested);
        }
        (Under::One(known.atom), Own::default(), Vec::new())
    }

    /// The number of a rule that is an atom of the message.
    fn atom_rule(&mut self, literal: &Literal) -> Option<u32> {
        let atom = literal.atom(&self.rules)?;
        if let (Literal::Group { name, .. }, None) = (literal, self.rules.find(atom)) {
            self.use_group(name, atom);
        }
        Some(self.rules.retain(atom, || TermKind::Atom))
    }

    /// Releases what a user's filters used; returns their entries, to remove from the index.
    pub(super) fn give_back(&mut self, place: u32, user: &User) -> Vec<IndexEntry> {
        let mut entries = Vec::new();
        for (position, subscribed) in user.subscriptions.iter().enumerate() {
            for (number, filed) in subscribed.filters.iter().enumerate() {
                let place = FilterPosition::new(place, position as u16, number as u16);
                let entry = |atom: &Atom| IndexEntry { atom: *atom, place, test: filed.test, own: filed.own };
                entries.extend(filed.under.atoms().iter().map(entry));
                filed.under.atoms().iter().for_each(|atom| self.leave(*atom));
                if let Some(terms) = self.tests.release(&self.names, filed.test) {
                    terms.iter().for_each(|term| self.release_rule(term.rule()));
                }
                self.filters -= 1;
            }
        }
        entries
    }

    /// Counts one filter less under this atom.
    fn leave(&mut self, atom: Atom) {
        self.leave_group(atom);
        let Some(number) = self.rules.find(atom) else { return };
        let Some(filings) = self.filings.get_mut(&number) else { return };
        *filings -= 1;
        if *filings == 0 {
            self.filings.remove(&number);
            if let Some(TermKind::Tested(tested)) = self.rules.known.get(number).map(|known| &known.what) {
                Arc::make_mut(&mut self.triggers).remove(number, tested);
            }
        }
        self.release_rule(number);
    }

    fn release_rule(&mut self, number: u32) {
        if let Some(known) = self.rules.release(number)
            && matches!(known.what, TermKind::Atom)
        {
            self.leave_group(known.atom);
        }
    }

    fn use_group(&mut self, name: &Arc<str>, atom: Atom) {
        let (name, uses) = self.groups.entry(atom).or_insert_with(|| (Arc::clone(name), 0));
        *uses += 1;
        if *uses == 1 {
            Arc::make_mut(&mut self.triggers).groups.push(Arc::clone(name));
        }
    }

    fn leave_group(&mut self, atom: Atom) {
        let Some((name, uses)) = self.groups.get_mut(&atom) else { return };
        *uses -= 1;
        if *uses == 0 {
            Arc::make_mut(&mut self.triggers).groups.retain(|other| other != name);
            self.groups.remove(&atom);
        }
    }

    /// How many known filters are under an atom.
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
