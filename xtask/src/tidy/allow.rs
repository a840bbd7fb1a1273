//! The allow list: the exceptions to the rules `words`, `file-length` and `markdown`, each with its reason. The other
//! rules have no exceptions.

use std::path::Path;

use anyhow::{Context as _, Result, ensure};

use super::source::LintFinding;

/// Where the list is.
pub const PATH: &str = "xtask/tidy-allow.txt";

const RULES: [&str; 3] = ["file-length", "markdown", "words"];

/// The exceptions, and which of them were of use.
#[derive(Debug)]
pub struct AllowList {
    entries: Vec<Allowance>,
}

/// One line of the list: `rule | path | detail | reason`.
#[derive(Debug)]
struct Allowance {
    rule: String,
    /// A file, or a folder and all below it if it ends in `/`.
    path: String,
    /// A word for the rule `words`, or `*` for every detail.
    detail: String,
    line: usize,
    used: bool,
}

impl AllowList {
    pub fn read(root: &Path) -> Result<AllowList> {
        let text = std::fs::read_to_string(root.join(PATH)).with_context(|| format!("reading {PATH}"))?;
        AllowList::parse(&text)
    }

    /// Fails where a line is incomplete or names a rule without exceptions.
    pub fn parse(text: &str) -> Result<AllowList> {
        let mut entries = Vec::new();
        for (index, line) in text.lines().enumerate().filter(|(_, line)| !line.is_empty() && !line.starts_with('#')) {
            let fields: Vec<&str> = line.split('|').map(str::trim).collect();
            let complete = fields.len() == 4 && fields.iter().all(|field| !field.is_empty());
            ensure!(complete, "{PATH}:{}: expected `rule | path | detail | reason`", index + 1);
            ensure!(RULES.contains(&fields[0]), "{PATH}:{}: `{}` has no exceptions", index + 1, fields[0]);
            let [rule, path, detail] = [fields[0], fields[1], fields[2]].map(str::to_owned);
            entries.push(Allowance { rule, path, detail, line: index + 1, used: false });
        }
        Ok(AllowList { entries })
    }

    /// Removes the findings that are allowed.
    pub fn filter(&mut self, rule: &str, mut findings: Vec<LintFinding>) -> Vec<LintFinding> {
        findings.retain(|finding| !self.allows(rule, finding));
        findings
    }

    fn allows(&mut self, rule: &str, finding: &LintFinding) -> bool {
        let matching = self.entries.iter_mut().filter(|entry| entry.matches(rule, finding));
        // Every matching entry was of use, not only the first.
        matching.map(|entry| entry.used = true).count() > 0
    }

    /// A finding for each exception that permitted nothing: it would hide a later mistake.
    pub fn unused(&self) -> Vec<LintFinding> {
        let unused = self.entries.iter().filter(|entry| !entry.used);
        unused.map(|entry| LintFinding::new(PATH, entry.line, "this exception is not needed; remove it")).collect()
    }
}

impl Allowance {
    fn matches(&self, rule: &str, finding: &LintFinding) -> bool {
        let inside = self.path.ends_with('/') && finding.path.starts_with(&self.path);
        self.rule == rule
            && (inside || self.path == finding.path)
            && (self.detail == "*" || self.detail == finding.detail)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finding(path: &str, detail: &str) -> LintFinding {
        LintFinding { detail: detail.to_owned(), ..LintFinding::new(path, 1, "found") }
    }

    #[test]
    fn an_exception_permits_its_word_in_its_folder_only() {
        let mut list = AllowList::parse("# why\n\nwords | a/ | alpha | a Greek letter\n").unwrap();
        let findings = vec![finding("a/b.rs", "alpha"), finding("a/b.rs", "beta"), finding("b.rs", "alpha")];
        assert_eq!(list.filter("words", findings.clone()), findings[1..]);
        assert_eq!(list.filter("markdown", findings.clone()), findings);
        assert!(list.unused().is_empty());
    }

    #[test]
    fn an_exception_that_permits_nothing_is_found() {
        let list = AllowList::parse("file-length | a.rs | * | one table\n").unwrap();
        assert_eq!(list.unused()[0].line, 1);
    }

    #[test]
    fn an_incomplete_exception_and_one_of_another_rule_are_refused() {
        assert!(AllowList::parse("words | a.rs | alpha |\n").is_err());
        assert!(AllowList::parse("cycles | a.rs | * | because\n").is_err());
    }
}
