//! A rule that needs a test beyond names: the test, the topics where it can hold, and how selective it is.

use super::atom::{Atom, AtomHasher};
use crate::catalogue::condition::list_items;
use crate::catalogue::requirements::{RequiredWords, TopicKey};
use crate::rules::{CompiledRule, RuleTest};

/// A filter with more words than this in one argument is not indexed under each of them.
const WORDS: usize = 32;

/// How rarely messages lead to a filter that is indexed under a rule. The catalogue knows no frequencies, so the kind
/// of rule decides. The rarest comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rarity {
    Package,
    User,
    /// Packages of a user.
    Holder,
    /// A word in a field.
    Word,
    Group,
    /// Some topics.
    Topic,
    /// All topics of an application.
    Category,
    /// Messages with packages.
    PackagePattern,
    /// Any message; quick to test.
    Condition,
    /// Any message; the whole text is searched.
    Text,
}

/// The messages for which a rule can hold.
#[derive(Clone, Copy, Debug)]
pub enum RuleScope<'t> {
    Topics(&'t [TopicKey]),
    Packages(&'t str),
    Payload(&'t str),
    AnyMessage,
}

/// What a topic must have for a rule to hold, as a number to compare. It excludes most rules without a test.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TopicRequirement {
    #[default]
    Any,
    LastWord(u32),
    Category(u32),
}

/// The numbers of a topic, to compare with requirements.
#[derive(Clone, Copy, Debug, Default)]
pub struct TopicNumbers {
    last_word: u32,
    /// None without a category: a rule that needs one then fails with an error instead of being false.
    category: Option<u32>,
}

impl TopicNumbers {
    pub fn new(names: &AtomHasher, topic: &str, category: Option<&str>) -> TopicNumbers {
        let last_word = topic.rsplit('.').next().unwrap_or(topic);
        TopicNumbers { last_word: names.number(last_word), category: category.map(|category| names.number(category)) }
    }

    /// Returns true if a rule with this requirement cannot hold.
    pub fn excludes(self, requirement: TopicRequirement) -> bool {
        match requirement {
            TopicRequirement::Any => false,
            TopicRequirement::LastWord(number) => number != self.last_word && self.category.is_some(),
            TopicRequirement::Category(number) => self.category.is_some_and(|category| category != number),
        }
    }
}

#[derive(Debug)]
pub struct Tested {
    pub name: String,
    pub compiled: CompiledRule,
    pub rarity: Rarity,
    pub required_topic: TopicRequirement,
    topics: Option<Vec<TopicKey>>,
    /// Words of its arguments of which a message must have one; none if it can hold without, or if there are too many.
    pub words: Option<Box<[Atom]>>,
}

impl Tested {
    pub fn new(names: &AtomHasher, name: &str, compiled: CompiledRule) -> Tested {
        let topics = match &compiled.test {
            RuleTest::Named(condition, _) => condition.topics(),
            _ => None,
        };
        let words = words(names, name, &compiled);
        let rarity = match (&compiled.test, &topics) {
            _ if words.is_some() => Rarity::Word,
            (RuleTest::PackageMatches(_), _) => Rarity::PackagePattern,
            (RuleTest::PayloadMatches(_) | RuleTest::LinkContains(_), _) => Rarity::Text,
            (_, Some(keys)) if keys.iter().all(|key| matches!(key, TopicKey::LastWord(_))) => Rarity::Topic,
            (_, Some(_)) => Rarity::Category,
            _ => Rarity::Condition,
        };
        let required_topic = match topics.as_deref() {
            Some([TopicKey::LastWord(word)]) => TopicRequirement::LastWord(names.number(word)),
            Some([TopicKey::Category(category)]) => TopicRequirement::Category(names.number(category)),
            _ => TopicRequirement::Any,
        };
        Tested { name: name.to_owned(), compiled, rarity, required_topic, topics, words }
    }

    pub fn scope(&self) -> RuleScope<'_> {
        match (&self.compiled.test, &self.topics) {
            (RuleTest::PackageMatches(pattern), _) => RuleScope::Packages(pattern.as_str()),
            (RuleTest::PayloadMatches(pattern), _) => RuleScope::Payload(pattern.as_str()),
            (_, Some(keys)) => RuleScope::Topics(keys),
            (_, None) => RuleScope::AnyMessage,
        }
    }

    /// The fields that the words are searched in.
    pub fn fields(&self) -> Vec<RequiredWords> {
        match &self.compiled.test {
            RuleTest::Named(condition, _) => condition.words().unwrap_or_default(),
            _ => Vec::new(),
        }
    }
}

fn words(names: &AtomHasher, rule: &str, compiled: &CompiledRule) -> Option<Box<[Atom]>> {
    let RuleTest::Named(condition, arguments) = &compiled.test else { return None };
    let mut atoms = Vec::new();
    for RequiredWords { argument, fold, .. } in condition.words()? {
        let list = arguments.get(&argument).map_or("", String::as_str);
        atoms.extend(list_items(list).map(|word| word_atom(names, rule, &argument, word, fold)));
    }
    atoms.sort_unstable();
    atoms.dedup();
    (1..=WORDS).contains(&atoms.len()).then(|| atoms.into())
}

/// The atom of a word that a rule and a message can have in common.
pub fn word_atom(names: &AtomHasher, rule: &str, argument: &str, word: &str, fold: bool) -> Atom {
    if fold { names.word(rule, argument, &word.to_lowercase()) } else { names.word(rule, argument, word) }
}
