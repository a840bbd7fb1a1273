//! A rule that no name alone decides: how it is tested, where in the topics it can hold, and how rare that is.

use super::atom::{Atom, Names};
use crate::catalogue::condition::list_items;
use crate::catalogue::necessary::{TopicKey, Words};
use crate::rules::{Compiled, Test};

/// A filter with more words than this in one argument is not filed under each of them.
const WORDS: usize = 32;

/// How seldom messages lead to a filter that is filed so: what the catalogue cannot tell is judged by the kind of rule.
/// The rarest comes first.
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
    /// Any message, and quick to test.
    Condition,
    /// Any message, and its whole text has to be looked at.
    Text,
}

/// Where a rule can hold.
#[derive(Clone, Copy, Debug)]
pub enum Where<'t> {
    Topics(&'t [TopicKey]),
    Packages(&'t str),
    Payload(&'t str),
    Anywhere,
}

#[derive(Debug)]
pub struct Tested {
    pub name: String,
    pub compiled: Compiled,
    pub rarity: Rarity,
    topics: Option<Vec<TopicKey>>,
    /// Words of its arguments of which a message must have one; none where it can hold without, or they are too many.
    pub words: Option<Box<[Atom]>>,
}

impl Tested {
    pub fn new(names: &Names, name: &str, compiled: Compiled) -> Tested {
        let topics = match &compiled.test {
            Test::Named(condition, _) => condition.topics(),
            _ => None,
        };
        let words = words(names, name, &compiled);
        let rarity = match (&compiled.test, &topics) {
            _ if words.is_some() => Rarity::Word,
            (Test::PackageMatches(_), _) => Rarity::PackagePattern,
            (Test::PayloadMatches(_) | Test::LinkContains(_), _) => Rarity::Text,
            (_, Some(keys)) if keys.iter().all(|key| matches!(key, TopicKey::LastWord(_))) => Rarity::Topic,
            (_, Some(_)) => Rarity::Category,
            _ => Rarity::Condition,
        };
        Tested { name: name.to_owned(), compiled, rarity, topics, words }
    }

    pub fn whereabouts(&self) -> Where<'_> {
        match (&self.compiled.test, &self.topics) {
            (Test::PackageMatches(pattern), _) => Where::Packages(pattern.as_str()),
            (Test::PayloadMatches(pattern), _) => Where::Payload(pattern.as_str()),
            (_, Some(keys)) => Where::Topics(keys),
            (_, None) => Where::Anywhere,
        }
    }

    /// The fields that the words are looked for in.
    pub fn fields(&self) -> Vec<Words> {
        match &self.compiled.test {
            Test::Named(condition, _) => condition.words().unwrap_or_default(),
            _ => Vec::new(),
        }
    }
}

fn words(names: &Names, rule: &str, compiled: &Compiled) -> Option<Box<[Atom]>> {
    let Test::Named(condition, arguments) = &compiled.test else { return None };
    let mut atoms = Vec::new();
    for Words { argument, fold, .. } in condition.words()? {
        let list = arguments.get(&argument).map_or("", String::as_str);
        atoms.extend(list_items(list).map(|word| word_atom(names, rule, &argument, word, fold)));
    }
    atoms.sort_unstable();
    atoms.dedup();
    (1..=WORDS).contains(&atoms.len()).then(|| atoms.into())
}

/// The atom of a word as rule and message have it in common.
pub fn word_atom(names: &Names, rule: &str, argument: &str, word: &str, fold: bool) -> Atom {
    if fold { names.word(rule, argument, &word.to_lowercase()) } else { names.word(rule, argument, word) }
}
