//! The languages of plugins, and how a project's language is found.

use std::path::Path;

use anyhow::bail;
use clap::ValueEnum;
use tidings_component::toolchain::{js, python, rust};

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Language {
    Rust,
    Python,
    Js,
}

impl Language {
    /// Finds the language by the file that every project in it has.
    pub(super) fn of(dir: &Path) -> anyhow::Result<Language> {
        let mut found = Language::value_variants().iter().filter(|language| dir.join(language.marker()).exists());
        match (found.next(), found.next()) {
            (Some(language), None) => Ok(*language),
            (None, _) => bail!("{} has neither Cargo.toml nor requirements.txt nor package.json", dir.display()),
            (Some(one), Some(other)) => {
                let (one, other) = (one.marker(), other.marker());
                bail!("{} has both {one} and {other}: name the language with --lang", dir.display())
            }
        }
    }

    const fn marker(self) -> &'static str {
        match self {
            Language::Rust => "Cargo.toml",
            Language::Python => "requirements.txt",
            Language::Js => "package.json",
        }
    }

    /// Builds the plugin in `project` into the component `out`, with the tools of the language.
    pub(super) fn build(self, project: &Path, out: &Path) -> anyhow::Result<()> {
        match self {
            Language::Rust => rust::build(project, out),
            Language::Python => python::build(project, out),
            Language::Js => js::build(project, out),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_language_is_found_by_its_file_or_must_be_named() {
        let dir = tempfile::tempdir().expect("a directory");
        let found = || Language::of(dir.path()).map_err(|error| error.to_string());
        assert!(found().is_err_and(|why| why.contains("has neither")));
        std::fs::write(dir.path().join("package.json"), "{}").expect("it is written");
        assert_eq!(found(), Ok(Language::Js));
        std::fs::write(dir.path().join("Cargo.toml"), "").expect("it is written");
        assert!(found().is_err_and(|why| why.contains("--lang")));
    }
}
