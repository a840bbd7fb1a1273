//! The same rule is the same object in all filters of all users, so that it is tested once per message. Negation is not
//! part of it: a rule and its negation share the result.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use crate::catalogue::Catalogue;
use crate::catalogue::condition::Broken;
use crate::rules::{Compiled, Subject};
use crate::subscription::Rule;

/// A compiled rule with its place in the memo.
#[derive(Debug)]
pub struct Interned {
    place: usize,
    name: String,
    compiled: Compiled,
}

impl Interned {
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Arguments that are missing.
    pub fn missing(&self) -> &[String] {
        &self.compiled.missing
    }
}

/// All rules that any snapshot of a set holds.
#[derive(Debug, Default)]
pub struct Interner {
    table: Mutex<Table>,
    /// No place is as high as this.
    places: AtomicUsize,
}

#[derive(Debug, Default)]
struct Table {
    /// With its place, which stays known when nobody holds the rule any more.
    rules: HashMap<Key, (usize, Weak<Interned>)>,
    free: Vec<usize>,
    /// When the table has so many rules, those that nobody holds are cleared away.
    clear_at: usize,
}

/// A rule's name and arguments.
type Key = (String, BTreeMap<String, String>);

/// The table is not cleared below this size.
const CLEAR_AT_LEAST: usize = 1024;

impl Interner {
    /// The one compiled form of a rule, whoever uses it. An error says why it can never be tested.
    pub fn intern(&self, catalogue: &Catalogue, rule: &Rule) -> Result<Arc<Interned>, String> {
        // The table is changed in one step, so it is whole even after a panic elsewhere.
        let mut table = self.table.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (rule.rule.clone(), rule.arguments.clone());
        let known = table.rules.get(&key).map(|(place, interned)| (*place, interned.upgrade()));
        if let Some((_, Some(interned))) = known {
            return Ok(interned);
        }
        let compiled = Compiled::new(catalogue, rule)?;
        table.clear();
        let place = known.map(|(place, _)| place).filter(|_| table.rules.contains_key(&key));
        let place = place.or_else(|| table.free.pop());
        let place = place.unwrap_or_else(|| self.places.fetch_add(1, Ordering::Relaxed));
        let interned = Arc::new(Interned { place, name: rule.rule.clone(), compiled });
        table.rules.insert(key, (place, Arc::downgrade(&interned)));
        Ok(interned)
    }
}

impl Table {
    /// Forgets rules that nobody holds, once there may be many of them.
    fn clear(&mut self) {
        if self.rules.len() < self.clear_at.max(CLEAR_AT_LEAST) {
            return;
        }
        let free = &mut self.free;
        self.rules.retain(|_, (place, interned)| {
            let held = interned.strong_count() > 0;
            if !held {
                free.push(*place);
            }
            held
        });
        self.clear_at = self.rules.len() * 2;
    }
}

/// The results of one message's rules.
pub struct Memo(Vec<Option<Result<bool, Broken>>>);

impl Memo {
    pub fn new(interner: &Interner) -> Memo {
        Memo(vec![None; interner.places.load(Ordering::Relaxed)])
    }

    /// Whether a rule holds, negation aside; tested by the first who asks.
    pub fn holds(&mut self, rule: &Interned, subject: &Subject<'_>) -> Result<bool, Broken> {
        match self.0.get_mut(rule.place) {
            Some(known) => *known.get_or_insert_with(|| rule.compiled.holds(subject)),
            // A rule younger than this memo, reached by a newer snapshot.
            None => rule.compiled.holds(subject),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn package(name: usize) -> Rule {
        let arguments = [("package".to_owned(), name.to_string())].into();
        Rule { rule: "package_filter".to_owned(), arguments, negated: false }
    }

    #[test]
    fn the_same_rule_is_the_same_object_whatever_its_negation() {
        let (catalogue, interner) = (Catalogue::load(&[]).unwrap(), Interner::default());
        let plain = interner.intern(&catalogue, &package(1)).unwrap();
        let negated = interner.intern(&catalogue, &Rule { negated: true, ..package(1) }).unwrap();
        assert!(Arc::ptr_eq(&plain, &negated));
        assert!(!Arc::ptr_eq(&plain, &interner.intern(&catalogue, &package(2)).unwrap()));
    }

    #[test]
    fn places_of_forgotten_rules_are_used_again() {
        let (catalogue, interner) = (Catalogue::load(&[]).unwrap(), Interner::default());
        let kept = interner.intern(&catalogue, &package(0)).unwrap();
        for name in 1..10 * CLEAR_AT_LEAST {
            let rule = interner.intern(&catalogue, &package(name)).unwrap();
            assert_ne!(rule.place, kept.place);
        }
        assert!(interner.places.load(Ordering::Relaxed) <= CLEAR_AT_LEAST + 1);
        assert!(Arc::ptr_eq(&kept, &interner.intern(&catalogue, &package(0)).unwrap()));
    }
}
