//! The languages that plugins are written in, and how a project says which is its own.

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
    /// By the file that every project in that language has.
    pub(super) fn of(dir: &Path) -> anyhow::Result<Language> {
        let mut found = Language::value_variants().iter().filter(|language| dir.join(language.mark()).exists());
        match (found.next(), found.next()) {
            (Some(language), None) => Ok(*language),
            (None, _) => bail!("{} has neither Cargo.toml nor requirements.txt nor package.json", dir.display()),
            (Some(one), Some(other)) => {
                let (one, other) = (one.mark(), other.mark());
                bail!("{} has both {one} and {other}: say which by --lang", dir.display())
            }
        }
    }

    const fn mark(self) -> &'static str {
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
    fn a_project_is_known_by_its_file_or_must_be_told() {
        let place = tempfile::tempdir().expect("a directory");
        let said = || Language::of(place.path()).map_err(|error| error.to_string());
        assert!(said().is_err_and(|why| why.contains("has neither")));
        std::fs::write(place.path().join("package.json"), "{}").expect("written");
        assert_eq!(said(), Ok(Language::Js));
        std::fs::write(place.path().join("Cargo.toml"), "").expect("written");
        assert!(said().is_err_and(|why| why.contains("--lang")));
    }
}
