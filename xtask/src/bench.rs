//! `bench`: builds the programs as they are released and prints what the parts and the whole do, one JSON object a line.
//! It ends at the first benchmark that fails.

use std::process::Command;

use anyhow::{Context as _, Result, ensure};

use crate::plugins;

/// The parts, by package and benchmark.
const PARTS: [(&str, &str); 7] = [
    ("tidings-domain", "facts"),
    ("tidings-domain", "matching"),
    ("tidings-domain", "editing"),
    ("tidings-sandbox", "sandbox"),
    ("tidings-store", "accept"),
    ("tidings-store", "load"),
    ("tidings-acl", "acl"),
];

/// Builds everything first, so that a figure is not spoiled by a compiler at work.
pub fn run() -> Result<()> {
    let root = plugins::repository();
    cargo(&["build", "--release", "--workspace", "--bins"])?;
    plugins::build(&plugins::Args::default()).context("building the plugins")?;
    for (package, bench) in PARTS {
        cargo(&["bench", "--no-run", "--quiet", "--package", package, "--bench", bench])?;
    }
    for (package, bench) in PARTS {
        cargo(&["bench", "--quiet", "--package", package, "--bench", bench])?;
    }
    succeed(&mut Command::new(root.join("target/release/tidings-bench")))
}

fn cargo(arguments: &[&str]) -> Result<()> {
    succeed(plugins::cargo().args(arguments).current_dir(plugins::repository()))
}

fn succeed(command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| format!("starting {:?}", command.get_program()))?;
    ensure!(status.success(), "{command:?} ended with {status}");
    Ok(())
}
