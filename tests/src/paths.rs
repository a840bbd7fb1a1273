//! Where the programs, plugins, samples and the corpus are.

use std::env;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

/// The root of the repository.
pub fn root() -> PathBuf {
    let crate_dir = Path::new(env!("CARGO_MANIFEST_DIR"));
    crate_dir.parent().unwrap_or(crate_dir).to_owned()
}

/// The sample file of that name, e.g. `messages.jsonl`.
pub fn sample(name: &str) -> PathBuf {
    root().join("tests/samples").join(name)
}

/// A program of this workspace: where the environment variable says (`tidings`: `TIDINGS_BIN`), else beside the running
/// executable. Fails where it was not built.
pub fn program(name: &str) -> Result<PathBuf> {
    let variable = format!("{}_BIN", name.replace('-', "_").to_uppercase());
    let path = match env::var_os(&variable) {
        Some(path) => PathBuf::from(path),
        None => beside(name)?,
    };
    ensure!(path.is_file(), "{} is missing: cargo build -p tidings -p tidings-tests --bins", path.display());
    Ok(path)
}

fn beside(name: &str) -> Result<PathBuf> {
    let this = env::current_exe().context("the path of this program")?;
    let dir = this.parent().context("this program is in no directory")?;
    // Tests run from `deps` below the directory of the programs.
    let dir = if dir.ends_with("deps") { dir.parent().unwrap_or(dir) } else { dir };
    Ok(dir.join(name))
}

/// The component of a plugin of this repository, e.g. `email`.
pub fn plugin(name: &str) -> Result<PathBuf> {
    let path = root().join("target/plugins").join(format!("{name}.wasm"));
    let command = if name.ends_with("-sample") { "build-samples" } else { "build-plugins" };
    ensure!(path.is_file(), "{} is missing: cargo xtask {command}", path.display());
    Ok(path)
}

/// A file of the corpus of real messages; none where this checkout has no corpus beside it.
pub fn corpus(name: &str) -> Option<PathBuf> {
    let path = root().join("../shared/corpus").join(name);
    path.is_file().then_some(path)
}
