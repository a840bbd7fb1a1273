//! Rule `module-docs`: every Rust file opens with `//!`, which says what it is for. No file is exempt.

use super::source::{LintFinding, SourceFile};

pub fn check(files: &[SourceFile]) -> Vec<LintFinding> {
    files
        .iter()
        .filter(|file| file.has_extension("rs") && !file.text.starts_with("//!"))
        .map(|file| LintFinding::new(&file.path, 1, "the file must open with `//!` and say what it is for"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rust_file_without_a_comment_of_its_own_is_found() {
        let with = SourceFile::new("a.rs", "//! For a.\n".to_owned());
        let without = SourceFile::new("b.rs", "// For b.\n".to_owned());
        let other = SourceFile::new("c.md", "text\n".to_owned());
        let found = check(&[with, without, other]);
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].path.as_str(), found[0].line), ("b.rs", 1));
    }
}
