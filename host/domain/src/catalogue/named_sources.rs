//! The sources that an entry, a group or a rule of the catalogue names in `let`.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use toml::Spanned;

use super::parse;
use super::source::ValueSource;

/// The sources named in `let`, compiled when they are first used.
pub struct NamedSources<'r> {
    pub(super) raw: BTreeMap<&'r str, &'r Spanned<String>>,
    done: HashMap<String, Result<Arc<ValueSource>, String>>,
    open: Vec<String>,
}

impl<'r> NamedSources<'r> {
    /// Later maps override earlier ones.
    pub fn new(maps: impl IntoIterator<Item = &'r BTreeMap<String, Spanned<String>>>) -> NamedSources<'r> {
        let raw = maps.into_iter().flatten().map(|(name, source)| (name.as_str(), source)).collect();
        NamedSources { raw, done: HashMap::new(), open: Vec::new() }
    }

    /// The source with this name, if there is one.
    pub fn get(&mut self, name: &str) -> Result<Option<Arc<ValueSource>>, String> {
        if let Some(done) = self.done.get(name) {
            return done.clone().map(Some);
        }
        let Some(text) = self.raw.get(name) else { return Ok(None) };
        if self.open.iter().any(|open| open == name) {
            return Err(format!("`{name}` is defined by itself"));
        }
        self.open.push(name.to_owned());
        let compiled = self.source(text.get_ref()).map(Arc::new);
        self.open.pop();
        self.done.insert(name.to_owned(), compiled.clone());
        compiled.map(Some)
    }

    /// Compiles a source that may use the names.
    pub fn source(&mut self, text: &str) -> Result<ValueSource, String> {
        parse::source(text, &mut |name| self.get(name))
    }
}
