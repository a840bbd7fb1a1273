//! `check`: what can be known without running a test: format, tidy, lints of both workspaces and the links of the code's
//! documentation, the cheapest first. It installs nothing and, where the dependencies are there, uses no network.

use std::process::Command;

use anyhow::Result;

use crate::process::{cargo, repository, step};
use crate::tidy;

/// Runs every check; stops at the first that fails.
pub fn run() -> Result<()> {
    step("format", &mut in_root(&["fmt", "--all", "--check"]))?;
    step("format of the plugins", &mut in_plugins(&["fmt", "--all", "--check"]))?;
    eprintln!("==> tidy");
    tidy::run()?;
    let lints = ["clippy", "--locked", "--workspace", "--all-targets", "--", "-D", "warnings"];
    step("lints", &mut in_root(&lints))?;
    step("lints of the plugins", &mut in_plugins(&lints))?;
    let documentation = ["doc", "--locked", "--workspace", "--no-deps", "--document-private-items"];
    step("documentation of the code", in_root(&documentation).env("RUSTDOCFLAGS", "-D warnings"))
}

/// Cargo in the main workspace.
pub fn in_root(arguments: &[&str]) -> Command {
    let mut command = cargo();
    command.args(arguments);
    command
}

/// Cargo in the workspace of the plugins.
pub fn in_plugins(arguments: &[&str]) -> Command {
    let mut command = in_root(arguments);
    command.current_dir(repository().join("plugins"));
    command
}
