//! `plugin new`: a small complete plugin in the author's language, with the contract and all that it needs beside it, so
//! that building it asks for nothing of this project.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail, ensure};
use clap::{Args, ValueEnum};
use include_dir::{Dir, DirEntry, include_dir};

use super::super::output::Output;

static CONTRACT: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/../wit/v1");
static RUST: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/../plugins/templates/rust");
static PYTHON: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/../plugins/templates/python");
static JS: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/../plugins/templates/js");
static SDK: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/../plugins/sdk/src");

/// The name in the templates.
const TEMPLATE: &str = "pager";

#[derive(Debug, Args)]
pub(super) struct NewArgs {
    /// Lower-case letters, digits and `-`
    name: String,
    #[arg(long, value_enum, default_value = "rust")]
    lang: Language,
    /// Where; ./NAME unless told
    dir: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Language {
    Rust,
    Python,
    Js,
}

pub(super) fn run(args: &NewArgs, out: &mut Output) -> anyhow::Result<()> {
    ensure!(is_name(&args.name), "`{}` is no name: lower-case letters, digits and `-`, a letter first", args.name);
    let dir = args.dir.clone().unwrap_or_else(|| PathBuf::from(&args.name));
    ensure!(!dir.exists() || is_empty(&dir)?, "{} is there already, and not empty", dir.display());
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
    out.line(&format!("{} is a plugin now. Next:", dir.display()))?;
    out.line(&format!("  cd {}", dir.display()))?;
    out.line("  tidings plugin build && tidings plugin test")?;
    Ok(())
}

fn is_name(name: &str) -> bool {
    let good = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (1..=50).contains(&name.len()) && name.starts_with(|c: char| c.is_ascii_lowercase()) && name.bytes().all(good)
}

fn is_empty(dir: &Path) -> anyhow::Result<bool> {
    match fs::read_dir(dir) {
        Ok(mut entries) => Ok(entries.next().is_none()),
        Err(error) => bail!("cannot read {}: {error}", dir.display()),
    }
}

/// Writes a directory's files. Where a text names the template's plugin, it gets the author's name.
fn write(from: &Dir<'_>, to: &Path, name: &str) -> anyhow::Result<()> {
    for entry in from.entries() {
        let leaf = entry.path().file_name().context("an entry without a name")?;
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
        .replace(&format!("{TEMPLATE}.wasm"), &format!("dist/{name}.wasm"))
        .replace(&format!("# {TEMPLATE}\n"), &format!("# {name}\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_plugins_own_name_is_changed() {
        let text = "# pager\nname: \"pager\" import './pager.js' -o pager.wasm # pagers\n";
        assert_eq!(renamed(text, "bell"), "# bell\nname: \"bell\" import './pager.js' -o dist/bell.wasm # pagers\n");
    }

    #[test]
    fn names_are_those_of_manifests() {
        for (name, good) in
            [("bell", true), ("my-bell2", true), ("", false), ("2bell", false), ("Bell", false), ("a/b", false)]
        {
            assert_eq!(is_name(name), good, "{name}");
        }
    }

    #[test]
    fn every_template_has_the_contract_as_it_is() {
        let contract = CONTRACT.get_file("channel.wit").expect("the contract").contents();
        for (language, template) in [("python", &PYTHON), ("js", &JS)] {
            for file in template.get_dir("wit").into_iter().flat_map(Dir::files) {
                assert!(file.contents() == contract, "{language}: {} is another one", file.path().display());
            }
        }
    }
}
