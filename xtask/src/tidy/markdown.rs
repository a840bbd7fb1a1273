//! Rule `markdown`: prose is wrapped at [`PROSE`] columns, a row of a table has at most [`ROW`]; a longer one becomes a
//! list. Code and lines that cannot be broken are exempt, and so are files that a command writes.

use super::source::{LintFinding, SourceFile};

const PROSE: usize = 120;
const ROW: usize = 160;

/// Written by `cargo xtask story`, whose values have no fixed width.
const GENERATED: [&str; 1] = ["docs/story.md"];

pub fn check(files: &[SourceFile]) -> Vec<LintFinding> {
    let read = files.iter().filter(|file| file.has_extension("md") && !GENERATED.contains(&&*file.path));
    read.flat_map(|file| check_text(&file.path, &file.text)).collect()
}

fn check_text(path: &str, text: &str) -> Vec<LintFinding> {
    let mut found = Vec::new();
    let mut fence = None;
    for (index, line) in text.lines().enumerate() {
        let start = line.trim_start();
        let mark = ["```", "~~~"].into_iter().find(|mark| start.starts_with(mark));
        if fence.is_some() || mark.is_some() {
            fence = if fence.is_none() { mark } else { fence.filter(|open| Some(*open) != mark) };
            continue;
        }
        let columns = line.chars().count();
        if start.starts_with('|') {
            if columns > ROW {
                let message = format!("a table row of {columns} columns, at most {ROW} are allowed; make it a list");
                found.push(LintFinding::new(path, index + 1, message));
            }
        } else if columns > PROSE && !line.starts_with("    ") && !is_unbreakable(start) {
            let message = format!("{columns} columns, prose is wrapped at {PROSE}");
            found.push(LintFinding::new(path, index + 1, message));
        }
    }
    found
}

/// A line of one link, image or word, possibly behind the mark of a list or quotation or as the target of a reference.
fn is_unbreakable(line: &str) -> bool {
    let is_reference = |word: &str| word.starts_with('[') && word.ends_with("]:");
    let is_text = |word: &&str| !["-", "*", ">"].contains(word) && !is_reference(word);
    let is_link =
        (line.starts_with('[') || line.starts_with("![")) && line.ends_with(')') && line.matches("](").count() == 1;
    is_link || line.split_whitespace().filter(is_text).count() <= 1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str) -> Vec<usize> {
        check_text("a.md", text).into_iter().map(|finding| finding.line).collect()
    }

    #[test]
    fn prose_that_is_too_wide_is_found() {
        let (fits, wide) = ("ab ".repeat(40), format!("{}c", "ab ".repeat(40)));
        assert_eq!(lines(&format!("{fits}\n{wide}\n")), [2]);
        // Columns, not bytes.
        assert!(lines(&"äb ".repeat(40)).is_empty());
    }

    #[test]
    fn a_row_of_a_table_may_be_wider() {
        let row = |columns: usize| format!("|{}|", "a ".repeat(columns / 2 - 1));
        assert!(lines(&row(ROW)).is_empty());
        assert_eq!(lines(&row(ROW + 2)), [1]);
    }

    #[test]
    fn code_and_links_are_exempt() {
        let wide = "ab ".repeat(60);
        assert!(lines(&format!("```text\n{wide}\n```\n    {wide}\n")).is_empty());
        assert_eq!(lines(&format!("```text\n~~~\n```\n{wide}\n")), [4]);
        let url = format!("https://example.org/{}", "a".repeat(120));
        assert!(lines(&format!("- {url}\n[a]: {url}\n![some text]({url})\n")).is_empty());
        assert_eq!(lines(&format!("see {url}\n")), [1]);
    }
}
