//! Tests many regular expressions at once. Sets have a bounded size, so that one more or less pattern compiles one set
//! again; the engine is linear in the text for any pattern.

use std::sync::Arc;

use regex::{RegexSet, RegexSetBuilder};

use crate::limits;

/// Patterns in one set. Larger sets are faster to test and slower to change.
const SET: usize = 64;

#[derive(Clone, Debug, Default)]
pub struct Patterns {
    sets: Vec<Arc<Set>>,
}

#[derive(Clone, Debug, Default)]
struct Set {
    /// The rule of each pattern.
    rules: Vec<u32>,
    patterns: Vec<String>,
    /// None if the engine refuses to combine them.
    compiled: Option<RegexSet>,
    changed: bool,
}

/// The patterns of one set that are found in a text.
pub enum PatternMatches<'p> {
    /// These rules.
    Rules(Vec<u32>),
    /// Test these one by one.
    Unknown(&'p [u32]),
}

impl Patterns {
    pub fn is_empty(&self) -> bool {
        self.sets.is_empty()
    }

    pub fn len(&self) -> usize {
        self.sets.iter().map(|set| set.rules.len()).sum()
    }

    pub fn add(&mut self, rule: u32, pattern: &str) {
        let free = self.sets.iter().position(|set| set.rules.len() < SET);
        let free = free.unwrap_or_else(|| {
            self.sets.push(Arc::default());
            self.sets.len() - 1
        });
        let set = Arc::make_mut(&mut self.sets[free]);
        set.rules.push(rule);
        set.patterns.push(pattern.to_owned());
        set.changed = true;
    }

    pub fn remove(&mut self, rule: u32) {
        let found =
            self.sets.iter().enumerate().find_map(|(n, set)| Some((n, set.rules.iter().position(|r| *r == rule)?)));
        let Some((number, position)) = found else { return };
        let set = Arc::make_mut(&mut self.sets[number]);
        set.rules.swap_remove(position);
        set.patterns.swap_remove(position);
        set.changed = true;
        if set.rules.is_empty() {
            self.sets.swap_remove(number);
        }
    }

    /// Whether no set changed since it was compiled.
    pub fn is_compiled(&self) -> bool {
        self.sets.iter().all(|set| !set.changed)
    }

    /// Compiles the sets that changed. Call it before a text is tested.
    pub fn compile_patterns(&mut self) {
        for set in &mut self.sets {
            if set.changed {
                let set = Arc::make_mut(set);
                set.changed = false;
                let bytes = SET * limits::REGEX_BYTES;
                let mut builder = RegexSetBuilder::new(&set.patterns);
                set.compiled = builder.size_limit(bytes).dfa_size_limit(limits::REGEX_SET_CACHE_BYTES).build().ok();
            }
        }
    }

    /// The matches in the text, set by set.
    pub fn find<'p>(&'p self, text: &str) -> impl Iterator<Item = PatternMatches<'p>> {
        self.sets.iter().map(move |set| match &set.compiled {
            Some(compiled) => {
                PatternMatches::Rules(compiled.matches(text).into_iter().map(|position| set.rules[position]).collect())
            }
            None => PatternMatches::Unknown(&set.rules),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(patterns: &Patterns, text: &str) -> Vec<u32> {
        let rules = patterns.find(text).flat_map(|found| match found {
            PatternMatches::Rules(rules) => rules,
            PatternMatches::Unknown(_) => panic!("the set is compiled"),
        });
        let mut rules: Vec<u32> = rules.collect();
        rules.sort_unstable();
        rules
    }

    #[test]
    fn each_pattern_is_found_until_it_is_removed() {
        let mut patterns = Patterns::default();
        (0..200).for_each(|number| patterns.add(number, &format!("^n{number}$")));
        patterns.add(500, "n1.$");
        patterns.compile_patterns();
        assert_eq!(patterns.len(), 201);
        assert_eq!(found(&patterns, "n17"), [17, 500]);
        patterns.remove(17);
        patterns.remove(4711);
        patterns.compile_patterns();
        assert_eq!((found(&patterns, "n17"), found(&patterns, "n150")), (vec![500], vec![150]));
        (0..200).chain([500]).for_each(|number| patterns.remove(number));
        assert!(patterns.is_empty());
    }
}
