//! The cache of compiled code between commands: compiling the component of an interpreter takes most of a minute.

use std::path::{Path, PathBuf};
use std::time::SystemTime;
use std::{env, fs};

use anyhow::Context as _;

/// The number of earlier components whose code is kept; every build makes a new component.
const KEPT: usize = 7;

/// The directory for compiled code. A temporary one is removed at the end of the command.
pub(super) struct Code {
    pub(super) directory: PathBuf,
    _temporary: Option<tempfile::TempDir>,
}

impl Code {
    /// Opens a directory below the user's cache directory, or a temporary one if there is none.
    pub(super) fn open() -> anyhow::Result<Code> {
        let user = directory(|name| env::var_os(name).map(PathBuf::from));
        if let Some(directory) = user.filter(|directory| fs::create_dir_all(directory).is_ok()) {
            remove_old(&directory);
            return Ok(Code { directory, _temporary: None });
        }
        let temporary = tempfile::tempdir().context("a directory for compiled code")?;
        Ok(Code { directory: temporary.path().join("code"), _temporary: Some(temporary) })
    }
}

fn directory(variable: impl Fn(&str) -> Option<PathBuf>) -> Option<PathBuf> {
    let absolute = |path: &PathBuf| path.is_absolute();
    let cache = variable("XDG_CACHE_HOME").filter(absolute);
    let home = || Some(variable("HOME").filter(absolute)?.join(".cache"));
    Some(cache.or_else(home)?.join("tidings/plugin-code"))
}

/// Removes all but the newest files. A file that cannot be removed stays: nothing depends on its removal.
fn remove_old(directory: &Path) {
    let Ok(entries) = fs::read_dir(directory) else { return };
    let age = |entry: fs::DirEntry| Some((entry.metadata().ok()?.modified().ok()?, entry.path()));
    let mut files: Vec<(SystemTime, PathBuf)> = entries.filter_map(|entry| age(entry.ok()?)).collect();
    files.sort();
    for (_, file) in files.iter().rev().skip(KEPT) {
        let _ = fs::remove_file(file);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_users_cache_is_found_by_the_xdg_variables() {
        let with = |cache: Option<&str>, home: Option<&str>| {
            directory(|name| if name == "HOME" { home } else { cache }.map(PathBuf::from))
        };
        for (cache, home, expected) in [
            (Some("/c"), Some("/h"), Some("/c/tidings/plugin-code")),
            (None, Some("/h"), Some("/h/.cache/tidings/plugin-code")),
            (Some("relative"), Some("/h"), Some("/h/.cache/tidings/plugin-code")),
            (None, None, None),
        ] {
            assert_eq!(with(cache, home), expected.map(PathBuf::from), "{cache:?} {home:?}");
        }
    }

    #[test]
    fn old_code_is_removed() {
        let dir = tempfile::tempdir().expect("a directory");
        for number in 0..10_u64 {
            let path = dir.path().join(format!("{number}.code"));
            let file = fs::File::create(path).expect("it is created");
            let then = SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(number);
            file.set_modified(then).expect("it has a time");
        }
        remove_old(dir.path());
        assert!(!dir.path().join("2.code").exists() && dir.path().join("3.code").exists());
        assert_eq!(fs::read_dir(dir.path()).expect("it exists").count(), KEPT);
    }
}
