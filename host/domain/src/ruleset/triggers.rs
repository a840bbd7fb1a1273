//! The rules to test for a message although none of its names leads to them: those that filters are indexed under.
//! Named rules are found by the topic, patterns are tested many at once. The matcher tests the rules.

use std::collections::HashMap;
use std::sync::Arc;

use super::patterns::Patterns;
use super::tested::{RuleScope, Tested};
use crate::catalogue::requirements::{RequiredWords, TopicKey};

/// What to test messages for. It changes only with the first or last rule of a kind.
#[derive(Clone, Debug, Default)]
pub struct Triggers {
    by_last_word: HashMap<String, Vec<u32>>,
    by_category: HashMap<String, Vec<u32>>,
    /// Tested for every message.
    pub any_topic: Vec<u32>,
    pub packages: Patterns,
    pub payload: Patterns,
    /// Rules whose filters are indexed under words of a field.
    pub word_rules: Vec<Arc<WordRule>>,
    /// Groups that rules refer to.
    pub groups: Vec<Arc<str>>,
}

/// A named rule whose filters are indexed under the words of its arguments.
#[derive(Debug)]
pub struct WordRule {
    pub rule: String,
    pub words: Vec<RequiredWords>,
    topics: Option<Vec<TopicKey>>,
}

impl WordRule {
    pub fn new(tested: &Tested) -> WordRule {
        let topics = match tested.scope() {
            RuleScope::Topics(keys) => Some(keys.to_vec()),
            _ => None,
        };
        WordRule { rule: tested.name.clone(), words: tested.fields(), topics }
    }

    /// Whether a message with this topic may have such words.
    pub fn applies_to(&self, topic: &str, category: Option<&str>) -> bool {
        let has = |key: &TopicKey| match key {
            TopicKey::LastWord(word) => topic.rsplit('.').next() == Some(word),
            TopicKey::Category(wanted) => category == Some(wanted),
        };
        self.topics.as_ref().is_none_or(|keys| keys.iter().any(has))
    }
}

impl Triggers {
    /// The rules that may hold for a message with this topic.
    pub fn by_topic(&self, topic: &str, category: Option<&str>) -> impl Iterator<Item = u32> {
        let last = topic.rsplit('.').next().and_then(|word| self.by_last_word.get(word));
        let category = category.and_then(|category| self.by_category.get(category));
        last.into_iter().chain(category).flatten().copied()
    }

    /// Adds a rule: its first filter was indexed under it.
    pub fn add(&mut self, number: u32, tested: &Tested) {
        match tested.scope() {
            RuleScope::Topics(keys) => keys.iter().for_each(|key| self.rules_of(key).push(number)),
            RuleScope::Packages(pattern) => self.packages.add(number, pattern),
            RuleScope::Payload(pattern) => self.payload.add(number, pattern),
            RuleScope::AnyMessage => self.any_topic.push(number),
        }
    }

    /// Removes a rule: its last filter was removed.
    pub fn remove(&mut self, number: u32, tested: &Tested) {
        match tested.scope() {
            RuleScope::Topics(keys) => keys.iter().for_each(|key| self.rules_of(key).retain(|other| *other != number)),
            RuleScope::Packages(_) => self.packages.remove(number),
            RuleScope::Payload(_) => self.payload.remove(number),
            RuleScope::AnyMessage => self.any_topic.retain(|other| *other != number),
        }
    }

    /// Adds a rule whose words filters are indexed under. There are no more such rules than the catalogue has, so none
    /// is removed.
    pub fn add_words(&mut self, tested: &Tested) {
        if self.word_rules.iter().all(|known| known.rule != tested.name) {
            self.word_rules.push(Arc::new(WordRule::new(tested)));
        }
    }

    fn rules_of(&mut self, key: &TopicKey) -> &mut Vec<u32> {
        match key {
            TopicKey::LastWord(word) => self.by_last_word.entry(word.clone()).or_default(),
            TopicKey::Category(category) => self.by_category.entry(category.clone()).or_default(),
        }
    }

    /// Whether every pattern is compiled.
    pub fn is_compiled(&self) -> bool {
        self.packages.is_compiled() && self.payload.is_compiled()
    }

    /// Compiles the sets of patterns that changed.
    pub fn compile_patterns(&mut self) {
        self.packages.compile_patterns();
        self.payload.compile_patterns();
    }

    /// The number of rules that are tested for messages of any topic, patterns included.
    pub fn anywhere(&self) -> usize {
        self.any_topic.len() + self.packages.len() + self.payload.len()
    }
}
