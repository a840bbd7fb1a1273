//! The paths of programs, plugins, samples and the corpus. It builds nothing.

use std::env;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

/// The root of the repository.
pub fn root() -> PathBuf {
    let crate_dir = Path::new(env!("CARGO_MANIFEST_DIR"));
    crate_dir.parent().unwrap_or(crate_dir).to_owned()
}

/// The path of a sample file, e.g. `messages.jsonl`.
pub fn sample(name: &str) -> PathBuf {
    root().join("tests/samples").join(name)
}

/// The path of a program of this workspace: the value of an environment variable (for `tidings`: `TIDINGS_BIN`), otherwise
/// beside the running executable. Fails if the program is not built.
pub fn program(name: &str) -> Result<PathBuf> {
    let variable = format!("{}_BIN", name.replace('-', "_").to_uppercase());
    let path = match env::var_os(&variable) {
        Some(path) => PathBuf::from(path),
        None => sibling_program(name)?,
    };
    ensure!(path.is_file(), "{} is missing: cargo build -p tidings -p tidings-tests --bins", path.display());
    Ok(path)
}

fn sibling_program(name: &str) -> Result<PathBuf> {
    let this = env::current_exe().context("the path of this program")?;
    let dir = this.parent().context("the path of this program has no directory")?;
    // Tests run in `deps`, below the directory of the programs.
    let dir = if dir.ends_with("deps") { dir.parent().unwrap_or(dir) } else { dir };
    Ok(dir.join(name))
}

/// The path of the component of a plugin, e.g. `email`. Fails if it is not built.
pub fn plugin(name: &str) -> Result<PathBuf> {
    let path = root().join("target/plugins").join(format!("{name}.wasm"));
    let command = if name.ends_with("-sample") { "build-samples" } else { "build-plugins" };
    ensure!(path.is_file(), "{} is missing: cargo xtask {command}", path.display());
    Ok(path)
}

/// The path of a file of the corpus of real messages; `None` if this checkout has no corpus beside it.
pub fn corpus(name: &str) -> Option<PathBuf> {
    let path = root().join("../shared/corpus").join(name);
    path.is_file().then_some(path)
}
