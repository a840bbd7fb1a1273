//! Rules and lists of rules, each kept once for all filters that have it, so that it is tested once per message. Unused
//! ones are removed and their numbers reused; snapshots keep their pages, so that a number keeps its meaning for as
//! long as a snapshot is read.

use std::collections::HashMap;
use std::sync::Arc;

use super::atom::{Atom, AtomHasher};
use super::paged::Paged;
use super::tested::{Tested, TopicRequirement};

/// A rule of a test, by its number; negated or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Term(u32);

impl Term {
    pub const fn new(rule: u32, negated: bool) -> Term {
        Term(rule << 1 | negated as u32)
    }

    pub const fn rule(self) -> u32 {
        self.0 >> 1
    }

    pub const fn negated(self) -> bool {
        self.0 & 1 == 1
    }
}

/// The kind of a rule.
#[derive(Clone, Debug, Default)]
pub enum TermKind {
    #[default]
    Empty,
    /// The message has its atom.
    Atom,
    Tested(Arc<Tested>),
}

/// A rule with the atom that represents it.
#[derive(Clone, Debug)]
pub struct SharedRule {
    pub atom: Atom,
    pub required_topic: TopicRequirement,
    pub kind: TermKind,
}

impl Default for SharedRule {
    fn default() -> Self {
        SharedRule { atom: Atom::ANY, required_topic: TopicRequirement::Any, kind: TermKind::Empty }
    }
}

/// Numbers with their use counts. Unused numbers are allocated again.
#[derive(Debug, Default)]
struct UseCounts {
    uses: Vec<u32>,
    free: Vec<u32>,
}

impl UseCounts {
    fn allocate(&mut self) -> u32 {
        self.free.pop().unwrap_or_else(|| {
            self.uses.push(0);
            (self.uses.len() - 1) as u32
        })
    }

    fn retain(&mut self, number: u32) {
        self.uses[number as usize] += 1;
    }

    /// Returns true if that was the last use; the number is free then.
    fn release(&mut self, number: u32) -> bool {
        let uses = &mut self.uses[number as usize];
        *uses -= 1;
        let last = *uses == 0;
        if last {
            self.free.push(number);
        }
        last
    }

    fn bytes(&self) -> usize {
        (self.uses.capacity() + self.free.capacity()) * size_of::<u32>()
    }
}

/// All rules that filters share or refer to by number.
#[derive(Debug, Default)]
pub struct Rules {
    pub table: Paged<SharedRule>,
    by_atom: HashMap<Atom, u32>,
    numbers: UseCounts,
}

impl Rules {
    pub fn find(&self, atom: Atom) -> Option<u32> {
        self.by_atom.get(&atom).copied()
    }

    /// The rule's number, with one more use. `release` undoes it.
    pub fn retain(&mut self, atom: Atom, kind: impl FnOnce() -> TermKind) -> u32 {
        let number = self.find(atom).unwrap_or_else(|| {
            let number = self.numbers.allocate();
            let kind = kind();
            let required_topic =
                if let TermKind::Tested(tested) = &kind { tested.required_topic } else { TopicRequirement::Any };
            self.table.set(number, SharedRule { atom, required_topic, kind });
            self.by_atom.insert(atom, number);
            number
        });
        self.numbers.retain(number);
        number
    }

    pub fn retain_again(&mut self, number: u32) {
        self.numbers.retain(number);
    }

    /// The rule if that was its last use.
    pub fn release(&mut self, number: u32) -> Option<SharedRule> {
        if !self.numbers.release(number) {
            return None;
        }
        let known = self.table.get(number).cloned().unwrap_or_default();
        self.by_atom.remove(&known.atom);
        self.table.set(number, SharedRule::default());
        Some(known)
    }

    pub fn bytes(&self) -> usize {
        self.table.capacity() * size_of::<SharedRule>()
            + self.by_atom.capacity() * size_of::<(Atom, u32)>()
            + self.numbers.bytes()
    }
}

/// Lists of terms joined by AND.
#[derive(Debug, Default)]
pub struct Tests {
    pub table: Paged<Arc<[Term]>>,
    by_content: HashMap<u64, u32>,
    numbers: UseCounts,
    /// The number of terms in all lists together.
    terms: usize,
}

impl Tests {
    /// The number of this list, with one more use. Each of `terms` holds a use of its rule; these uses are released if
    /// the list exists already.
    pub fn retain(&mut self, names: &AtomHasher, mut terms: Vec<Term>, rules: &mut Rules) -> u32 {
        terms.sort_unstable();
        let mut kept: Vec<Term> = Vec::with_capacity(terms.len());
        for term in terms {
            if kept.last() == Some(&term) {
                rules.release(term.rule());
            } else {
                kept.push(term);
            }
        }
        let content = content(names, &kept);
        if let Some(number) = self.by_content.get(&content).copied()
            && self.table.get(number).is_some_and(|known| **known == *kept)
        {
            kept.iter().for_each(|term| _ = rules.release(term.rule()));
            self.numbers.retain(number);
            return number;
        }
        let number = self.numbers.allocate();
        self.terms += kept.len();
        self.table.set(number, kept.into());
        self.by_content.insert(content, number);
        self.numbers.retain(number);
        number
    }

    /// The terms if that was the last use; the caller then releases their rules.
    pub fn release(&mut self, names: &AtomHasher, number: u32) -> Option<Arc<[Term]>> {
        if !self.numbers.release(number) {
            return None;
        }
        let terms = self.table.get(number).cloned().unwrap_or_default();
        let content = content(names, &terms);
        // If two lists have the same hash, the entry may belong to the other list.
        if self.by_content.get(&content) == Some(&number) {
            self.by_content.remove(&content);
        }
        self.table.set(number, Arc::default());
        self.terms -= terms.len();
        Some(terms)
    }

    /// The memory that it uses, with the counters before each list, in bytes.
    pub fn bytes(&self) -> usize {
        const LIST: usize = size_of::<Arc<[Term]>>() + 2 * size_of::<usize>();
        self.table.capacity() * LIST
            + self.terms * size_of::<Term>()
            + self.by_content.capacity() * size_of::<(u64, u32)>()
            + self.numbers.bytes()
    }
}

fn content(names: &AtomHasher, terms: &[Term]) -> u64 {
    names.content(terms.iter().map(|term| term.0))
}
