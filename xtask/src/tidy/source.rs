//! The files that the rules read: everything that git tracks or would track, as text and, for Rust, parsed.

use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, ensure};

/// Files of other types are not read.
const EXTENSIONS: [&str; 4] = ["rs", "md", "toml", "sql"];

/// One file of the repository.
pub struct SourceFile {
    /// The path from the root of the repository, with `/`.
    pub path: String,
    pub text: String,
    /// The syntax tree of a Rust file; `None` for other files and for a Rust file that does not parse, which the compiler
    /// reports.
    pub syntax: Option<syn::File>,
}

impl SourceFile {
    /// A file with this content; parses it if it is Rust.
    pub fn new(path: &str, text: String) -> SourceFile {
        let syntax = if path.ends_with(".rs") { syn::parse_file(&text).ok() } else { None };
        SourceFile { path: path.to_owned(), text, syntax }
    }

    pub fn has_extension(&self, extension: &str) -> bool {
        self.path.rsplit_once('.').is_some_and(|(_, found)| found == extension)
    }

    /// Whether the file holds only tests: an integration test, or a file that is named as a module of tests.
    pub fn is_test(&self) -> bool {
        let inner = self.path.strip_prefix("tests/src/").unwrap_or(&self.path);
        inner.ends_with("/tests.rs") || inner.split('/').rev().skip(1).any(|folder| folder == "tests")
    }

    /// Whether the file is in `plugins/`, the second workspace.
    pub fn in_plugins(&self) -> bool {
        self.path.starts_with("plugins/")
    }
}

/// What a rule reports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LintFinding {
    pub path: String,
    /// The first line of a file is 1.
    pub line: usize,
    /// What the allow list may name to permit this finding in a file, e.g. a word; empty where the rule has no details.
    pub detail: String,
    pub message: String,
}

impl LintFinding {
    pub fn new(path: &str, line: usize, message: impl Into<String>) -> LintFinding {
        LintFinding { path: path.to_owned(), line, detail: String::new(), message: message.into() }
    }

    /// `path:line: rule: message`.
    pub fn display(&self, rule: &str) -> String {
        format!("{}:{}: {rule}: {}", self.path, self.line, self.message)
    }
}

/// Reads all files that git tracks, and new ones that it does not ignore.
pub fn read(root: &Path) -> Result<Vec<SourceFile>> {
    let mut git = Command::new("git");
    git.args(["ls-files", "-z", "--cached", "--others", "--exclude-standard", "--deduplicate"]).current_dir(root);
    let output = git.output().context("starting git")?;
    ensure!(output.status.success(), "git ls-files: {}", String::from_utf8_lossy(&output.stderr).trim());
    let list = String::from_utf8(output.stdout).context("git ls-files printed a path that is not UTF-8")?;
    let wanted = |path: &&str| path.rsplit_once('.').is_some_and(|(_, extension)| EXTENSIONS.contains(&extension));
    let mut files = Vec::new();
    for path in list.split('\0').filter(wanted) {
        match std::fs::read_to_string(root.join(path)) {
            Ok(text) => files.push(SourceFile::new(path, text)),
            // Deleted, but not yet in the index.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(error).with_context(|| format!("reading {path}")),
        }
    }
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tests_are_known_by_their_place() {
        let is_test = |path: &str| SourceFile::new(path, String::new()).is_test();
        assert!(is_test("host/acl/tests/cache/main.rs"));
        assert!(is_test("host/src/api/tests/mod.rs"));
        assert!(is_test("host/src/api/tests.rs"));
        assert!(is_test("tests/tests/tools.rs"));
        assert!(!is_test("tests/src/web/mod.rs"));
        assert!(!is_test("host/src/api/mod.rs"));
    }
}
