//! `bench`: builds the programs with the release profile and prints the figures of the components and of the whole, one
//! JSON object a line. It stops at the first benchmark that fails.

use std::process::Command;

use anyhow::{Context as _, Result};

use crate::plugins;
use crate::process::{self, repository};

/// The benchmarks of the packages.
const BENCHMARKS: [&str; 7] = ["facts", "matching", "editing", "sandbox", "accept", "load", "acl"];

/// Builds everything first, so that no compiler runs during a measurement.
pub fn run() -> Result<()> {
    cargo(&["build", "--release", "--workspace", "--bins"])?;
    plugins::build(&plugins::PluginBuildArgs::default()).context("building the plugins")?;
    // The whole workspace: another selection has other features, and compiles the dependencies once more.
    let selected = BENCHMARKS.iter().flat_map(|bench| ["--bench", bench]);
    cargo(&["bench", "--no-run", "--quiet", "--workspace"].into_iter().chain(selected).collect::<Vec<_>>())?;
    for bench in BENCHMARKS {
        cargo(&["bench", "--quiet", "--workspace", "--bench", bench])?;
    }
    process::run(&mut Command::new(repository().join("target/release/tidings-bench")))
}

fn cargo(arguments: &[&str]) -> Result<()> {
    process::run(process::cargo().args(arguments))
}
