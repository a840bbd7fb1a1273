//! Errors in a catalogue file, for its author.

use std::fmt;

/// An error and its position.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct CatalogueError {
    pub file: String,
    /// Counted from 1.
    pub line: usize,
    /// What was found and what was expected.
    pub what: String,
}

impl fmt::Display for CatalogueError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.file, self.line, self.what)
    }
}

/// Collects the errors of one file.
pub struct CatalogueReport<'t> {
    file: &'t str,
    text: &'t str,
    pub errors: Vec<CatalogueError>,
}

impl<'t> CatalogueReport<'t> {
    pub const fn new(file: &'t str, text: &'t str) -> CatalogueReport<'t> {
        CatalogueReport { file, text, errors: Vec::new() }
    }

    /// The name of the file.
    pub const fn file(&self) -> &'t str {
        self.file
    }

    /// The line of a byte position, counted from 1.
    pub fn line(&self, at: usize) -> usize {
        1 + self.text.bytes().take(at).filter(|byte| *byte == b'\n').count()
    }

    /// Records an error at a byte position.
    pub fn add(&mut self, at: usize, what: String) {
        self.add_below(at, 0, what);
    }

    /// Records an error this many lines below a byte position.
    pub fn add_below(&mut self, at: usize, lines: usize, what: String) {
        let line = self.line(at) + lines;
        self.errors.push(CatalogueError { file: self.file.to_owned(), line, what });
    }
}
