//! Rust: Cargo compiles the project to a core module, which becomes a component. No other tool is needed.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};

use super::{absolute_paths, require_file};
use crate::artifacts::modules;
use crate::encode::encode;

const TARGET: &str = "wasm32-unknown-unknown";
const NO_TARGET: &str = "if Cargo cannot find `core` or `std`, run `rustup target add wasm32-unknown-unknown`";

/// Builds the project's only `cdylib` into the component `out`.
pub fn build(project: &Path, out: &Path) -> Result<()> {
    let (project, out) = absolute_paths(project, out)?;
    require_file(&project, "Cargo.toml", "it names the crate")?;
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args(["build", "--release", "--target", TARGET, "--message-format", "json-render-diagnostics"]);
    let output = cargo.current_dir(&project).stdin(Stdio::null()).stderr(Stdio::inherit()).output();
    let output = output.context("Cargo does not start; install Rust from https://rustup.rs")?;
    if !output.status.success() {
        bail!("the plugin does not compile; see Cargo's messages above ({NO_TARGET})");
    }
    let module = find_module(&output.stdout)?;
    let bytes = fs::read(&module).with_context(|| format!("reading {}", module.display()))?;
    let component = encode(&bytes).with_context(|| format!("wrapping {}", module.display()))?;
    fs::write(&out, component).with_context(|| format!("writing {}", out.display()))
}

fn find_module(messages: &[u8]) -> Result<PathBuf> {
    let mut modules = modules(messages)?;
    match (modules.pop(), modules.is_empty()) {
        (Some(module), true) => Ok(module),
        (None, _) => bail!("no crate here is a plugin: its Cargo.toml needs `crate-type = [\"cdylib\"]` in [lib]"),
        (Some(_), false) => bail!("there are several plugins here; build each in its own directory"),
    }
}
