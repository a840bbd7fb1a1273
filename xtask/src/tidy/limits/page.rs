//! Renders docs/limits.md.

use super::collect::LimitEntry;

const WIDTH: usize = 120;

const HEAD: &str = "\
# Limits

Every bound of the program: its default, its unit, what it bounds, and what happens when it is hit. A limit whose text
names a setting can be changed there; the others are constants. Each section names the file that declares its limits.

`cargo xtask limits` writes this page from the sources; `cargo xtask tidy` fails where it is not up to date.
";

/// The page with one section for each file that has limits.
pub fn render<'a>(sections: impl IntoIterator<Item = (&'a str, Vec<LimitEntry>)>) -> String {
    let mut page = HEAD.to_owned();
    for (path, entries) in sections.into_iter().filter(|(_, entries)| !entries.is_empty()) {
        page.push_str(&format!("\n## {}\n\n`{path}`\n\n", title(path)));
        entries.iter().for_each(|entry| page.push_str(&item(entry)));
    }
    page
}

/// The crate and module: `host/store/src/sqlite/limits.rs` is `store: sqlite`.
fn title(path: &str) -> String {
    let (owner, module) = path.strip_prefix("host/").unwrap_or(path).split_once("src/").unwrap_or((path, ""));
    let owner = if owner.is_empty() { "daemon" } else { owner.trim_end_matches('/') };
    let parts = module.trim_end_matches(".rs").split('/').filter(|part| *part != "limits");
    let module = parts.collect::<Vec<_>>().join("::");
    if module.is_empty() { owner.to_owned() } else { format!("{owner}: {module}") }
}

fn item(entry: &LimitEntry) -> String {
    let values = entry.values.iter().enumerate();
    let values = values.map(|(index, (name, value))| format!("`{name}`: {}", value.display(entry.unit(index))));
    let values = values.collect::<Vec<_>>().join("; ");
    let when_hit = if entry.when_hit.is_empty() { "not documented" } else { &entry.when_hit };
    wrap("- ", &format!("{values}. {}", entry.text)) + &wrap("  ", &format!("*When hit:* {when_hit}"))
}

/// Breaks the text into the lines of an item of a list: `start` is before the first, two spaces are before the others.
fn wrap(start: &str, text: &str) -> String {
    let (mut page, mut column) = (start.to_owned(), start.len());
    for (index, word) in text.split_whitespace().enumerate() {
        let length = word.chars().count();
        if index > 0 && column + 1 + length > WIDTH {
            page.push_str("\n  ");
            column = 2;
        } else if index > 0 {
            page.push(' ');
            column += 1;
        }
        page.push_str(word);
        column += length;
    }
    page.push('\n');
    page
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sections_are_named_after_crate_and_module() {
        assert_eq!(title("host/domain/src/limits.rs"), "domain");
        assert_eq!(title("host/domain/src/limits/plugin.rs"), "domain: plugin");
        assert_eq!(title("host/src/api/limits.rs"), "daemon: api");
    }

    #[test]
    fn items_are_wrapped_and_indented() {
        let wrapped = wrap("- ", &"word ".repeat(40));
        assert!(wrapped.lines().all(|line| line.chars().count() <= WIDTH), "{wrapped}");
        assert!(wrapped.lines().nth(1).is_some_and(|line| line.starts_with("  word")), "{wrapped}");
    }
}
