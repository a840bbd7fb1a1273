//! Building plugins in other languages than Rust: the tools are installed into the project, pinned by it, and run there.

pub mod js;
pub mod python;

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

/// The world of the contract that a plugin is.
const WORLD: &str = "channel";

/// Runs a program in the project's directory. Its output is shown to nobody unless it fails.
fn run(program: impl AsRef<OsStr>, arguments: &[&OsStr], project: &Path, missing: &str) -> Result<()> {
    let program = program.as_ref();
    let mut command = Command::new(program);
    command.args(arguments).current_dir(project).stdin(Stdio::null());
    let ended = command.output().with_context(|| format!("{} does not start; {missing}", program.display()))?;
    if ended.status.success() {
        return Ok(());
    }
    let said = [ended.stdout, ended.stderr].concat();
    bail!("{command:?} ended with {}:\n{}", ended.status, String::from_utf8_lossy(&said).trim())
}

/// The file of the project that this language cannot do without.
fn need(project: &Path, file: &str, why: &str) -> Result<()> {
    if project.join(file).exists() { Ok(()) } else { bail!("{} has no {file}: {why}", project.display()) }
}

/// The absolute path of a project and of what is to be built.
fn places(project: &Path, out: &Path) -> Result<(PathBuf, PathBuf)> {
    let project = project.canonicalize().with_context(|| format!("there is no {}", project.display()))?;
    let out = std::path::absolute(out)?;
    if let Some(directory) = out.parent() {
        fs::create_dir_all(directory).with_context(|| format!("creating {}", directory.display()))?;
    }
    Ok((project, out))
}

/// Whether `stamp` was written for what is in `pins` now: then the tools are installed.
fn installed(stamp: &Path, pins: &Path) -> bool {
    matches!((fs::read(stamp), fs::read(pins)), (Ok(then), Ok(now)) if then == now)
}
