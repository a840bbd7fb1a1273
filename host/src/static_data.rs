//! The data from files: the catalogue and the aliases. Read at start and on reload; an invalid file is an error, and what was
//! in force stays.

use std::collections::HashSet;
use std::ffi::OsStr;
use std::path::Path;
use std::sync::Arc;

use tidings_domain::aliases::Aliases;
use tidings_domain::catalogue::{Catalogue, EMBEDDED};

use crate::config::CatalogueConfig;

/// What the facts of messages are computed with.
#[derive(Debug)]
pub struct StaticData {
    pub catalogue: Arc<Catalogue>,
    pub aliases: Aliases,
}

impl StaticData {
    /// Reads the files that the configuration names; without them, the catalogue in the program and no aliases.
    ///
    /// # Errors
    /// Names each file that cannot be read or is invalid.
    pub fn read(config: &CatalogueConfig) -> Result<StaticData, String> {
        let catalogue = match &config.dir {
            None => Catalogue::embedded(),
            Some(dir) => Catalogue::load(&beside_shipped(read_catalogue(dir)?)),
        };
        let catalogue = catalogue.map_err(|mistakes| {
            let lines: Vec<String> = mistakes.iter().map(ToString::to_string).collect();
            format!("the catalogue is invalid:\n{}", lines.join("\n"))
        })?;
        let aliases = match &config.aliases {
            None => Aliases::default(),
            Some(file) => parse(file, Aliases::from_json)?,
        };
        Ok(StaticData { catalogue: Arc::new(catalogue), aliases })
    }
}

/// A deployer's files, and those in the program that none of them replaces by having the same name.
fn beside_shipped(own: Vec<(String, String)>) -> Vec<(String, String)> {
    let replaced: HashSet<&OsStr> = own.iter().filter_map(|(path, _)| Path::new(path).file_name()).collect();
    let shipped = EMBEDDED.iter().filter(|(name, _)| !replaced.contains(OsStr::new(name)));
    let shipped: Vec<_> = shipped.map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect();
    shipped.into_iter().chain(own).collect()
}

/// The application files of a directory, by name, sorted.
pub fn read_catalogue(dir: &Path) -> Result<Vec<(String, String)>, String> {
    let unreadable = |path: &Path, error: std::io::Error| format!("cannot read {}: {error}", path.display());
    let mut files = Vec::new();
    for entry in std::fs::read_dir(dir).map_err(|error| unreadable(dir, error))? {
        let path = entry.map_err(|error| unreadable(dir, error))?.path();
        if path.extension().is_some_and(|extension| extension == "toml") {
            let text = std::fs::read_to_string(&path).map_err(|error| unreadable(&path, error))?;
            files.push((path.display().to_string(), text));
        }
    }
    files.sort();
    if files.is_empty() { Err(format!("{} holds no .toml file", dir.display())) } else { Ok(files) }
}

/// Reads a file with a parser.
pub fn parse<T, E: std::fmt::Display>(file: &Path, parse: impl Fn(&str) -> Result<T, E>) -> Result<T, String> {
    let text = std::fs::read_to_string(file).map_err(|error| format!("cannot read {}: {error}", file.display()))?;
    parse(&text).map_err(|error| format!("{}: {error}", file.display()))
}
