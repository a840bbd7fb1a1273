//! `audit`: cargo-deny over both workspaces: banned and doubled crates, licences, sources, and published advisories where
//! their database can be had. A part of the release checklist, not of continuous integration.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context as _, Result};

use crate::process::{cargo, output, repository, run, step, succeeds};

/// The version that deny.toml is written for.
const VERSION: &str = "0.20.2";

/// The manifests of both workspaces.
const MANIFESTS: [&str; 2] = ["Cargo.toml", "plugins/Cargo.toml"];

/// Installs cargo-deny where it is missing, then runs every check of both workspaces.
pub fn audit() -> Result<()> {
    let program = install().context("installing cargo-deny; it needs a C compiler and crates.io")?;
    for manifest in MANIFESTS {
        let mut check = deny(&program, manifest);
        step(
            &format!("bans, licences and sources of {manifest}"),
            check.args(["check", "bans", "licenses", "sources"]),
        )?;
    }
    if let Err(error) = output(deny(&program, "Cargo.toml").args(["fetch", "db"])) {
        eprintln!("warning: the advisory database cannot be fetched, so advisories are not checked: {error:#}");
        return Ok(());
    }
    for manifest in MANIFESTS {
        let mut check = deny(&program, manifest);
        step(&format!("advisories of {manifest}"), check.args(["check", "--disable-fetch", "advisories"]))?;
    }
    Ok(())
}

fn deny(program: &PathBuf, manifest: &str) -> Command {
    let mut command = Command::new(program);
    command.args(["--locked", "--manifest-path", manifest, "--config", "deny.toml"]).current_dir(repository());
    command
}

/// The program: on the `PATH`, or in target/tools, where it is compiled to.
fn install() -> Result<PathBuf> {
    let on_path = PathBuf::from("cargo-deny");
    if succeeds(Command::new(&on_path).arg("--version")) {
        return Ok(on_path);
    }
    let tools = repository().join("target/tools");
    let program = tools.join("bin/cargo-deny");
    if !program.is_file() {
        eprintln!("==> cargo-deny {VERSION} is compiled into target/tools; this takes some minutes, once");
        run(cargo().args(["install", "--locked", "--version", VERSION, "--root"]).arg(&tools).arg("cargo-deny"))?;
    }
    Ok(program)
}
