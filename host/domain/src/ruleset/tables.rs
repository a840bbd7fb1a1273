//! Rules and lists of rules, each kept once for all filters that have it, so that it is tested once per message. Unused
//! ones
//! are removed and their numbers reused; snapshots keep their pages, so that a number keeps its meaning for as long as
//! a
//! snapshot is read.

use std::collections::HashMap;
use std::sync::Arc;

use super::atom::{Atom, AtomHasher};
use super::paged::Paged;
use super::tested::{Gate, Tested};

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
    Nothing,
    /// The message has its atom.
    Atom,
    Tested(Arc<Tested>),
}

/// A rule with the atom that stands for it.
#[derive(Clone, Debug)]
pub struct Known {
    pub atom: Atom,
    pub gate: Gate,
    pub what: TermKind,
}

impl Default for Known {
    fn default() -> Self {
        Known { atom: Atom::ANY, gate: Gate::Open, what: TermKind::Nothing }
    }
}

/// Numbers with use counts.
#[derive(Debug, Default)]
struct Numbers {
    uses: Vec<u32>,
    free: Vec<u32>,
}

impl Numbers {
    fn take(&mut self) -> u32 {
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

/// All rules that filters share, or need a number for.
#[derive(Debug, Default)]
pub struct Rules {
    pub known: Paged<Known>,
    by_atom: HashMap<Atom, u32>,
    numbers: Numbers,
}

impl Rules {
    pub fn find(&self, atom: Atom) -> Option<u32> {
        self.by_atom.get(&atom).copied()
    }

    /// The rule's number, with one more use. `release` gives it back.
    pub fn retain(&mut self, atom: Atom, what: impl FnOnce() -> TermKind) -> u32 {
        let number = self.find(atom).unwrap_or_else(|| {
            let number = self.numbers.take();
            let what = what();
            let gate = if let TermKind::Tested(tested) = &what { tested.gate } else { Gate::Open };
            self.known.set(number, Known { atom, gate, what });
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
    pub fn release(&mut self, number: u32) -> Option<Known> {
        if !self.numbers.release(number) {
            return None;
        }
        let known = self.known.get(number).cloned().unwrap_or_default();
        self.by_atom.remove(&known.atom);
        self.known.set(number, Known::default());
        Some(known)
    }

    pub fn bytes(&self) -> usize {
        self.known.capacity() * size_of::<Known>()
            + self.by_atom.capacity() * size_of::<(Atom, u32)>()
            + self.numbers.bytes()
    }
}

/// Lists of terms joined by AND.
#[derive(Debug, Default)]
pub struct Tests {
    pub known: Paged<Arc<[Term]>>,
    by_content: HashMap<u64, u32>,
    numbers: Numbers,
    /// In all lists together.
    terms: usize,
}

impl Tests {
    /// The number of this list with one more use; `terms` hold one use each of their rules, which are given back where
    /// the list was known.
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
            && self.known.get(number).is_some_and(|known| **known == *kept)
        {
            kept.iter().for_each(|term| _ = rules.release(term.rule()));
            self.numbers.retain(number);
            return number;
        }
        let number = self.numbers.take();
        self.terms += kept.len();
        self.known.set(number, kept.into());
        self.by_content.insert(content, number);
        self.numbers.retain(number);
        number
    }

    /// The terms if that was the last use; the caller gives their rules back.
    pub fn release(&mut self, names: &AtomHasher, number: u32) -> Option<Arc<[Term]>> {
        if !self.numbers.release(number) {
            return None;
        }
        let terms = self.known.get(number).cloned().unwrap_or_default();
        let content = content(names, &terms);
        // If two lists have the same hash, the entry may be the other one's.
        if self.by_content.get(&content) == Some(&number) {
            self.by_content.remove(&content);
        }
        self.known.set(number, Arc::default());
        self.terms -= terms.len();
        Some(terms)
    }

    /// The bytes it takes, with the counters before each list.
    pub fn bytes(&self) -> usize {
        const LIST: usize = size_of::<Arc<[Term]>>() + 2 * size_of::<usize>();
        self.known.capacity() * LIST
            + self.terms * size_of::<Term>()
            + self.by_content.capacity() * size_of::<(u64, u32)>()
            + self.numbers.bytes()
    }
}

fn content(names: &AtomHasher, terms: &[Term]) -> u64 {
    names.content(terms.iter().map(|term| term.0))
}
