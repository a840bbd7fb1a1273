//! `plugin new`: creates a small complete plugin in the author's language, with the contract and the SDK, so that building
//! it needs nothing else of this project.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail, ensure};
use clap::Args;
use include_dir::{Dir, DirEntry, include_dir};
use serde_json::json;

use super::super::output::Output;
use super::language::Language;

static CONTRACT: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/../wit/v1");
static RUST: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/../plugins/templates/rust");
static PYTHON: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/../plugins/templates/python");
static JS: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/../plugins/templates/js");
static SDK: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/../plugins/sdk/src");

/// The name in the templates.
const TEMPLATE: &str = "pager";
/// Files that builds leave in a template. They are not part of it.
const BUILD_FILES: [&str; 6] = [".venv", "__pycache__", "Cargo.lock", "dist", "node_modules", "target"];
/// Names that a crate cannot have: those of Rust's own crates, of a plugin's dependencies, and keywords.
const RESERVED_NAMES: [&str; 47] = [
    "alloc",
    "core",
    "proc-macro",
    "std",
    "test",
    "tidings-plugin",
    "abstract",
    "as",
    "async",
    "await",
    "become",
    "box",
    "break",
    "const",
    "continue",
    "crate",
    "do",
    "dyn",
    "else",
    "enum",
    "extern",
    "false",
    "final",
    "fn",
    "for",
    "gen",
    "if",
    "impl",
    "in",
    "let",
    "loop",
    "macro",
    "match",
    "mod",
    "move",
    "mut",
    "override",
    "priv",
    "pub",
    "ref",
    "return",
    "self",
    "static",
    "struct",
    "super",
    "trait",
    "true",
];

#[derive(Debug, Args)]
pub(super) struct NewArgs {
    /// Lower-case letters, digits and `-`
    name: String,
    #[arg(long, value_enum, default_value = "rust")]
    lang: Language,
    /// The directory to create; by default ./NAME
    dir: Option<PathBuf>,
}

pub(super) fn run(args: &NewArgs, out: &mut Output) -> anyhow::Result<()> {
    ensure!(
        is_name(&args.name),
        "the name `{}` is invalid: use lower-case letters, digits and `-`, beginning with a letter",
        args.name
    );
    ensure!(
        args.lang != Language::Rust || !RESERVED_NAMES.contains(&args.name.as_str()),
        "`{}` cannot be the name of a crate: Rust or a dependency of plugins uses it; choose another name",
        args.name
    );
    let dir = args.dir.clone().unwrap_or_else(|| PathBuf::from(&args.name));
    ensure!(
        !dir.exists() || is_empty(&dir)?,
        "the directory {} exists and is not empty; choose another one",
        dir.display()
    );
    let template = match args.lang {
        Language::Rust => &RUST,
        Language::Python => &PYTHON,
        Language::Js => &JS,
    };
    write(template, &dir, &args.name)?;
    if args.lang == Language::Rust {
        write(&SDK, &dir.join("vendor/tidings-plugin/src"), TEMPLATE)?;
        write(&CONTRACT, &dir.join("wit/v1"), TEMPLATE)?;
    } else {
        write(&CONTRACT, &dir.join("wit"), TEMPLATE)?;
    }
    if out.is_json() {
        return Ok(out.json(&json!({"directory": dir}))?);
    }
    out.line(&format!("Created the plugin in {}. Next:", dir.display()))?;
    out.line(&format!("  cd {}", shell_quoted(&dir.display().to_string())))?;
    out.line("  tidings plugin build && tidings plugin test")?;
    Ok(())
}

fn is_name(name: &str) -> bool {
    let valid = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (1..=50).contains(&name.len()) && name.starts_with(|c: char| c.is_ascii_lowercase()) && name.bytes().all(valid)
}

/// The text as one word of a shell command.
fn shell_quoted(text: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || matches!(c, '/' | '.' | '_' | '-');
    if text.chars().all(plain) { text.to_owned() } else { format!("'{}'", text.replace('\'', r"'\''")) }
}

fn is_empty(dir: &Path) -> anyhow::Result<bool> {
    match fs::read_dir(dir) {
        Ok(mut entries) => Ok(entries.next().is_none()),
        Err(error) => bail!("cannot read {}: {error}", dir.display()),
    }
}

/// Writes a directory's files, with the author's name in place of the template's.
fn write(from: &Dir<'_>, to: &Path, name: &str) -> anyhow::Result<()> {
    for entry in from.entries() {
        let leaf = entry.path().file_name().context("an entry without a name")?;
        if BUILD_FILES.iter().any(|made| leaf == *made) {
            continue;
        }
        match entry {
            DirEntry::Dir(dir) => write(dir, &to.join(leaf), name)?,
            DirEntry::File(file) => {
                fs::create_dir_all(to).with_context(|| format!("creating {}", to.display()))?;
                let path = to.join(leaf);
                let content = match file.contents_utf8() {
                    Some(text) => renamed(text, name).into_bytes(),
                    None => file.contents().to_vec(),
                };
                fs::write(&path, content).with_context(|| format!("writing {}", path.display()))?;
            }
        }
    }
    Ok(())
}

fn renamed(text: &str, name: &str) -> String {
    text.replace(&format!("\"{TEMPLATE}\""), &format!("\"{name}\""))
        .replace(&format!("# {TEMPLATE}\n"), &format!("# {name}\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_plugins_own_name_is_changed() {
        let text = "# pager\nname: \"pager\" import './pager.js' # pagers\n";
        assert_eq!(renamed(text, "bell"), "# bell\nname: \"bell\" import './pager.js' # pagers\n");
    }

    #[test]
    fn names_are_those_of_manifests() {
        for (name, valid) in
            [("bell", true), ("my-bell2", true), ("", false), ("2bell", false), ("Bell", false), ("a/b", false)]
        {
            assert_eq!(is_name(name), valid, "{name}");
        }
    }

    #[test]
    fn every_template_has_the_contract_as_it_is() {
        let contract = CONTRACT.get_file("channel.wit").expect("the contract").contents();
        for (language, template) in [("python", &PYTHON), ("js", &JS)] {
            let copies: Vec<_> = template.get_dir("wit").into_iter().flat_map(Dir::files).collect();
            assert!(!copies.is_empty(), "{language} has no contract");
            for copy in copies {
                assert!(copy.contents() == contract, "{language}: {} differs", copy.path().display());
            }
        }
    }

    #[test]
    fn a_directory_is_one_word_in_the_printed_command() {
        for (text, word) in
            [("bell", "bell"), ("../a/b-2.c", "../a/b-2.c"), ("my bell", "'my bell'"), ("a'b", r"'a'\''b'")]
        {
            assert_eq!(shell_quoted(text), word);
        }
    }
}
