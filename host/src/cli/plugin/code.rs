//! Compiled code, kept between commands: compiling the component of an interpreter takes most of a minute.

use std::path::{Path, PathBuf};
use std::time::SystemTime;
use std::{env, fs};

use anyhow::Context as _;

/// Components whose code is kept, this one not counted; every build makes a new one.
const KEPT: usize = 7;

/// A directory for compiled code, and what removes it where it is for one command only.
pub(super) struct Code {
    pub(super) directory: PathBuf,
    _temporary: Option<tempfile::TempDir>,
}

impl Code {
    /// Below the user's cache directory; where there is none, one that goes with this.
    pub(super) fn open() -> anyhow::Result<Code> {
        let user = directory(|name| env::var_os(name).map(PathBuf::from));
        if let Some(directory) = user.filter(|directory| fs::create_dir_all(directory).is_ok()) {
            forget(&directory);
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

/// Removes the oldest beyond what is kept. What cannot be removed stays: nothing depends on it.
fn forget(directory: &Path) {
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
    fn the_users_cache_is_found_as_the_desktop_says() {
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
    fn old_code_is_forgotten() {
        let place = tempfile::tempdir().expect("a directory");
        for number in 0..10_u64 {
            let path = place.path().join(format!("{number}.code"));
            let file = fs::File::create(path).expect("made");
            let then = SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(number);
            file.set_modified(then).expect("aged");
        }
        forget(place.path());
        assert!(!place.path().join("2.code").exists() && place.path().join("3.code").exists());
        assert_eq!(fs::read_dir(place.path()).expect("there").count(), KEPT);
    }
}
