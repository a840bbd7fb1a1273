//! One compiled application: which of its entries a message belongs to.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::condition::Condition;
use super::entry::CatalogueEntry;
use super::group::DigestGroup;
use super::source::MessageView;
use super::topic::Pattern;
use crate::rule_info::RuleInfo;

/// All that the catalogue has for one application.
#[derive(Debug, Default)]
pub struct Application {
    pub name: String,
    pub file: String,
    pub categories: Vec<String>,
    pub entries: Vec<CatalogueEntry>,
    /// Where each entry begins in the file.
    pub lines: Vec<usize>,
    /// Entries by the one topic that they name, without the category.
    pub literal: HashMap<String, Vec<usize>>,
    /// Entries by the schemas that they name.
    pub schemas: HashMap<String, Vec<usize>>,
    /// Entries by patterns.
    pub patterns: Vec<(Pattern, usize)>,
    /// For messages without an entry.
    pub defaults: CatalogueEntry,
    pub rules: Vec<NamedRule>,
    pub examples: Vec<CatalogueExample>,
    pub groups: Vec<DigestGroup>,
}

/// A named rule, compiled.
#[derive(Debug)]
pub struct NamedRule {
    pub info: RuleInfo,
    pub condition: Arc<Condition>,
    pub line: usize,
}

/// An example, to be checked.
#[derive(Debug)]
pub struct CatalogueExample {
    pub line: usize,
    pub message: String,
    /// By the name of a fact or text: its line and value.
    pub expect: BTreeMap<String, (usize, toml::Value)>,
}

impl Application {
    pub fn new(name: &str, file: &str) -> Application {
        Application { name: name.to_owned(), file: file.to_owned(), ..Application::default() }
    }

    /// The position of the first entry, in the order of the file, that is about messages of this schema; none for the
    /// defaults.
    pub fn find_schema(&self, schema: &str, message: &MessageView<'_>) -> Option<usize> {
        let entries = self.schemas.get(schema).into_iter().flatten().copied();
        entries.filter(|entry| self.entries[*entry].applies(message)).min()
    }

    /// The position of the first entry, in the order of the file, that is about this message; none for the defaults.
    pub fn find(&self, message: &MessageView<'_>) -> Option<usize> {
        let rest = message.rest?;
        let tail = rest.split_once('.').map_or("", |(_, tail)| tail);
        let literal = self.literal.get(tail).into_iter().flatten().copied();
        let patterns = self.patterns.iter().filter(|(pattern, _)| pattern.matches(tail)).map(|(_, entry)| *entry);
        literal.chain(patterns).filter(|entry| self.entries[*entry].applies(message)).min()
    }

    /// The entry at a position that `find` gave.
    pub fn entry(&self, position: Option<usize>) -> &CatalogueEntry {
        position.and_then(|position| self.entries.get(position)).unwrap_or(&self.defaults)
    }
}
