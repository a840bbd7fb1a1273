//! `tidy`: checks the rules of this repository that neither the compiler nor clippy knows. Each rule is a pure function
//! over the sources and stands in a file of its own; this file only runs them and prints what they find.

mod allow;
mod cycles;
mod file_length;
mod function_length;
mod limits;
mod markdown;
mod module_docs;
mod source;
mod syntax;
mod type_names;
mod words;

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Result, bail};

use crate::process::repository;
use allow::AllowList;
use source::{LintFinding, SourceFile};

/// A rule: its name in findings, and its check.
type Rule = (&'static str, fn(&[SourceFile]) -> Vec<LintFinding>);

/// The names are used in the findings and, where exceptions are possible, in the allow list.
const RULES: [Rule; 8] = [
    ("module-docs", module_docs::check),
    ("file-length", file_length::check),
    ("function-length", function_length::check),
    ("type-names", type_names::check),
    ("cycles", cycles::check),
    ("words", words::check),
    ("markdown", markdown::check),
    ("limits", limits::check),
];

/// Runs every rule. Prints `path:line: rule: message` for each finding and a count for each rule; fails where there are
/// findings.
pub fn run() -> Result<()> {
    let root = repository();
    let counts = findings(root)?;
    let mut total = 0;
    for (rule, count) in &counts {
        println!("tidy: {rule}: {count} findings");
        total += count;
    }
    if total > 0 {
        bail!("tidy: {total} findings; the rules are in xtask/src/tidy/, exceptions belong in {}", allow::PATH)
    }
    Ok(())
}

/// Writes docs/limits.md from the constants and their documentation.
pub fn write_limits() -> Result<()> {
    let root = repository();
    let files = source::read(root)?;
    std::fs::write(root.join(limits::PAGE), limits::page(&files))?;
    println!("{} (written)", limits::PAGE);
    Ok(())
}

/// Prints the findings and returns the count of each rule, rules without findings included.
fn findings(root: &Path) -> Result<BTreeMap<&'static str, usize>> {
    let files = source::read(root)?;
    let mut allowed = AllowList::read(root)?;
    let mut counts = BTreeMap::new();
    for (rule, check) in RULES {
        let found = allowed.filter(rule, check(&files));
        counts.insert(rule, found.len());
        found.iter().for_each(|finding| println!("{}", finding.display(rule)));
    }
    let unused = allowed.unused();
    unused.iter().for_each(|finding| println!("{}", finding.display("allow-list")));
    counts.insert("allow-list", unused.len());
    Ok(counts)
}
