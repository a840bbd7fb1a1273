//! Rule `file-length`: a Rust file has at most [`LINES`] lines. Longer files are split by meaning; those that gain nothing
//! by it are in the allow list, with the reason.

use super::source::{LintFinding, SourceFile};

/// The aim is 150 to 250 lines; this leaves a margin.
const LINES: usize = 350;

pub fn check(files: &[SourceFile]) -> Vec<LintFinding> {
    let length = |file: &SourceFile| file.text.lines().count();
    files
        .iter()
        .filter(|file| file.has_extension("rs") && length(file) > LINES)
        .map(|file| {
            LintFinding::new(&file.path, LINES + 1, format!("{} lines, at most {LINES} are allowed", length(file)))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_may_have_all_its_lines_and_not_one_more() {
        let file = |lines| SourceFile::new("a.rs", "//!\n".repeat(lines));
        assert!(check(&[file(LINES)]).is_empty());
        assert_eq!(check(&[file(LINES + 1)]).len(), 1);
    }
}
