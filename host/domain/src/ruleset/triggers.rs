//! The rules to test for a message although none of its names leads to them: those that filters are indexed under.
//! Named rules
//! are found by the topic, patterns are tested many at once. The matcher tests the rules.

use std::collections::HashMap;
use std::sync::Arc;

use super::patterns::Patterns;
use super::tested::{Tested, Where};
use crate::catalogue::requirements::{RequiredWords, TopicKey};

/// What to look for in messages; changes only with the first or last rule of a kind.
#[derive(Clone, Debug, Default)]
pub struct Triggers {
    by_last_word: HashMap<String, Vec<u32>>,
    by_category: HashMap<String, Vec<u32>>,
    /// Tested for every message.
    pub loose: Vec<u32>,
    pub packages: Patterns,
    pub payload: Patterns,
    /// Fields whose words lead to filters.
    pub worded: Vec<Arc<Worded>>,
    /// Groups that rules refer to.
    pub groups: Vec<Arc<str>>,
}

/// A named rule, the words of whose arguments lead to filters.
#[derive(Debug)]
pub struct Worded {
    pub rule: String,
    pub words: Vec<RequiredWords>,
    topics: Option<Vec<TopicKey>>,
}

impl Worded {
    pub fn new(tested: &Tested) -> Worded {
        let topics = match tested.whereabouts() {
            Where::Topics(keys) => Some(keys.to_vec()),
            _ => None,
        };
        Worded { rule: tested.name.clone(), words: tested.fields(), topics }
    }

    /// Whether a message with this topic may have such words.
    pub fn concerns(&self, topic: &str, category: Option<&str>) -> bool {
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
        match tested.whereabouts() {
            Where::Topics(keys) => keys.iter().for_each(|key| self.under(key).push(number)),
            Where::Packages(pattern) => self.packages.add(number, pattern),
            Where::Payload(pattern) => self.payload.add(number, pattern),
            Where::Anywhere => self.loose.push(number),
        }
    }

    /// Removes a rule: its last filter is gone.
    pub fn remove(&mut self, number: u32, tested: &Tested) {
        match tested.whereabouts() {
            Where::Topics(keys) => keys.iter().for_each(|key| self.under(key).retain(|other| *other != number)),
            Where::Packages(_) => self.packages.remove(number),
            Where::Payload(_) => self.payload.remove(number),
            Where::Anywhere => self.loose.retain(|other| *other != number),
        }
    }

    /// Adds a rule whose words filters are indexed under. There are no more such rules than the catalogue has, so none
    /// is
    /// removed.
    pub fn add_words(&mut self, tested: &Tested) {
        if self.worded.iter().all(|known| known.rule != tested.name) {
            self.worded.push(Arc::new(Worded::new(tested)));
        }
    }

    fn under(&mut self, key: &TopicKey) -> &mut Vec<u32> {
        match key {
            TopicKey::LastWord(word) => self.by_last_word.entry(word.clone()).or_default(),
            TopicKey::Category(category) => self.by_category.entry(category.clone()).or_default(),
        }
    }

    /// Whether every pattern is compiled.
    pub fn is_settled(&self) -> bool {
        self.packages.is_settled() && self.payload.is_settled()
    }

    /// Compiles the sets of patterns that changed.
    pub fn settle(&mut self) {
        self.packages.settle();
        self.payload.settle();
    }

    /// How many rules are tested for messages of any topic, patterns included.
    pub fn anywhere(&self) -> usize {
        self.loose.len() + self.packages.len() + self.payload.len()
    }
}
