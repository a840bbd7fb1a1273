//! Rust: Cargo compiles to a core module, which is wrapped here. No other tool is needed.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};

use super::{need, places};

const TARGET: &str = "wasm32-unknown-unknown";
const NO_TARGET: &str = "where Cargo misses `core` or `std`: `rustup target add wasm32-unknown-unknown`";

/// Builds the project's only `cdylib` into the component `out`.
pub fn build(project: &Path, out: &Path) -> Result<()> {
    let (project, out) = places(project, out)?;
    need(&project, "Cargo.toml", "it names the crate")?;
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args(["build", "--release", "--target", TARGET, "--message-format", "json-render-diagnostics"]);
    let ended = cargo.current_dir(&project).stdin(Stdio::null()).stderr(Stdio::inherit()).output();
    let ended = ended.context("Cargo does not start; install Rust from https://rustup.rs")?;
    if !ended.status.success() {
        bail!("the plugin does not compile; Cargo said why above ({NO_TARGET})");
    }
    let module = module(&ended.stdout)?;
    let bytes = fs::read(&module).with_context(|| format!("reading {}", module.display()))?;
    let component = crate::encode(&bytes).with_context(|| format!("wrapping {}", module.display()))?;
    fs::write(&out, component).with_context(|| format!("writing {}", out.display()))
}

fn module(messages: &[u8]) -> Result<PathBuf> {
    let mut modules = crate::modules(messages)?;
    match (modules.pop(), modules.is_empty()) {
        (Some(module), true) => Ok(module),
        (None, _) => bail!("no crate here is a plugin: its Cargo.toml needs `crate-type = [\"cdylib\"]` in [lib]"),
        (Some(_), false) => bail!("there are several plugins here; build each in its own directory"),
    }
}
