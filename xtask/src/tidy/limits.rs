//! Rule `limits`: docs/limits.md is the index of all limits, generated from the constants and their documentation.
//!
//! A limit is a constant that is visible outside of its file, in `host/**/limits.rs` or below a folder `limits/`, or a
//! public field of a struct there that implements `Default`. Its documentation says first what it bounds. The line
//! `When hit:` says what happens then and is mandatory. The line `Unit:` is needed where neither the type nor the end of
//! the name tells the unit. A constant without documentation belongs to the one above it; their units are separated by `;`.

mod collect;
mod page;
mod value;

use super::source::{LintFinding, SourceFile};
use collect::LimitEntry;
use value::Constants;

/// The generated index.
pub const PAGE: &str = "docs/limits.md";

pub fn check(files: &[SourceFile]) -> Vec<LintFinding> {
    let sources: Vec<_> = files.iter().filter(|file| is_limits(&file.path)).collect();
    let mut found: Vec<_> = sources.iter().flat_map(|file| undocumented(file)).collect();
    let existing = files.iter().find(|file| file.path == PAGE).map_or("", |file| &file.text);
    let expected = page(files);
    if existing != expected {
        let same = existing.lines().zip(expected.lines()).take_while(|(old, new)| old == new).count();
        found.push(LintFinding::new(PAGE, same + 1, "the page is not up to date; run `cargo xtask limits`"));
    }
    found
}

/// The content of the index.
pub fn page(files: &[SourceFile]) -> String {
    let sources: Vec<_> = files.iter().filter(|file| is_limits(&file.path)).collect();
    let constants = Constants::collect(sources.iter().copied());
    let sections = sources.iter().map(|file| (&*file.path, collect::entries(file, &constants)));
    page::render(sections)
}

fn undocumented(file: &SourceFile) -> Vec<LintFinding> {
    let problem = |entry: &LimitEntry| match entry {
        entry if entry.text.is_empty() => Some("say in its documentation what it bounds"),
        entry if entry.when_hit.is_empty() => {
            Some("say in its documentation, in a line `When hit:`, what happens then")
        }
        entry if entry.units.is_empty() && entry.values.iter().any(|(_, value)| value.unit().is_none()) => {
            Some("name its unit in a line `Unit:` of its documentation")
        }
        _ => None,
    };
    let entries = collect::entries(file, &Constants::default());
    let finding = |entry: &LimitEntry| {
        let message = format!("`{}`: {}", entry.name(), problem(entry)?);
        Some(LintFinding::new(&file.path, entry.line, message))
    };
    entries.iter().filter_map(finding).collect()
}

fn is_limits(path: &str) -> bool {
    let inside = path.strip_prefix("host/").is_some_and(|path| path.contains("src/"));
    inside && (path.ends_with("/limits.rs") || (path.ends_with(".rs") && path.contains("/limits/")))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: &str = "\
/// The longest name.
///
/// When hit: the request is refused.
pub const NAME_BYTES: usize = 4 * 1024;
/// How long a call waits.
///
/// When hit: the call fails.
pub const WAIT: Duration = Duration::from_secs(90);
";

    fn files(limits: &str, page: &str) -> Vec<SourceFile> {
        let file = |path, text: &str| SourceFile::new(path, text.to_owned());
        vec![file("host/a/src/limits.rs", limits), file(PAGE, page)]
    }

    #[test]
    fn the_page_lists_name_default_unit_and_result() {
        let page = page(&files(LIMITS, ""));
        assert!(page.contains("`NAME_BYTES`: 4,096 bytes (4 KiB). The longest name."), "{page}");
        assert!(page.contains("`WAIT`: 1 min 30 s. How long a call waits."), "{page}");
        assert!(page.contains("*When hit:* the request is refused."), "{page}");
    }

    #[test]
    fn a_page_that_is_not_up_to_date_is_found() {
        let page = page(&files(LIMITS, ""));
        assert!(check(&files(LIMITS, &page)).is_empty());
        let found = check(&files(&LIMITS.replace("90", "91"), &page));
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].path, PAGE);
    }

    #[test]
    fn a_limit_without_result_or_unit_is_found() {
        let messages = |limits: &str| -> Vec<_> {
            check(&files(limits, "")).into_iter().filter(|finding| finding.path != PAGE).map(|it| it.message).collect()
        };
        assert!(messages(LIMITS).is_empty());
        let found = messages("/// The longest name.\npub const NAME_BYTES: usize = 1;");
        assert!(found[0].contains("`NAME_BYTES`") && found[0].contains("When hit"), "{found:?}");
        let found = messages("/// Tries.\n///\n/// When hit: it fails.\npub const BUFFER: usize = 1;");
        assert!(found[0].contains("Unit"), "{found:?}");
        assert!(
            messages("/// Tries.\n///\n/// Unit: frames\n///\n/// When hit: it fails.\npub const BUFFER: usize = 1;")
                .is_empty()
        );
    }
}
