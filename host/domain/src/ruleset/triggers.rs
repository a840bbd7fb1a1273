//! Which rules have to be tested for a message although no name in it leads to them: those that filters are filed under.
//! Named rules are found by the topic, patterns are tested many at once. It has the rules, the matcher tests them.

use std::collections::HashMap;
use std::sync::Arc;

use super::patterns::Patterns;
use super::tested::{Tested, Where};
use crate::catalogue::necessary::{RequiredWords, TopicKey};

/// What messages are looked at for; changed only where a rule is the first or last of its kind.
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
    /// Groups that rules ask about.
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

    /// The first filter is filed under this rule.
    pub fn add(&mut self, number: u32, tested: &Tested) {
        match tested.whereabouts() {
            Where::Topics(keys) => keys.iter().for_each(|key| self.under(key).push(number)),
            Where::Packages(pattern) => self.packages.add(number, pattern),
            Where::Payload(pattern) => self.payload.add(number, pattern),
            Where::Anywhere => self.loose.push(number),
        }
    }

    /// The last filter under this rule is gone.
    pub fn remove(&mut self, number: u32, tested: &Tested) {
        match tested.whereabouts() {
            Where::Topics(keys) => keys.iter().for_each(|key| self.under(key).retain(|other| *other != number)),
            Where::Packages(_) => self.packages.remove(number),
            Where::Payload(_) => self.payload.remove(number),
            Where::Anywhere => self.loose.retain(|other| *other != number),
        }
    }

    /// Filters are filed under words of this rule. There are no more such rules than the catalogue has, so none is taken
    /// out again.
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

    /// Whether every pattern is ready to be looked for.
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
