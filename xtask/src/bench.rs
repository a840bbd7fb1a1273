//! `bench`: builds the programs with the release profile and prints the figures of the components and of the whole, one
//! JSON object a line. It stops at the first benchmark that fails.

use std::process::Command;

use anyhow::{Context as _, Result};

use crate::plugins;
use crate::process::{self, repository};

/// The benchmarks of components: package and name.
const BENCHMARKS: [(&str, &str); 7] = [
    ("tidings-domain", "facts"),
    ("tidings-domain", "matching"),
    ("tidings-domain", "editing"),
    ("tidings-sandbox", "sandbox"),
    ("tidings-store", "accept"),
    ("tidings-store", "load"),
    ("tidings-acl", "acl"),
];

/// Builds everything first, so that no compiler runs during a measurement.
pub fn run() -> Result<()> {
    cargo(&["build", "--release", "--workspace", "--bins"])?;
    plugins::build(&plugins::PluginBuildArgs::default()).context("building the plugins")?;
    for (package, bench) in BENCHMARKS {
        cargo(&["bench", "--no-run", "--quiet", "--package", package, "--bench", bench])?;
    }
    for (package, bench) in BENCHMARKS {
        cargo(&["bench", "--quiet", "--package", package, "--bench", bench])?;
    }
    process::run(&mut Command::new(repository().join("target/release/tidings-bench")))
}

fn cargo(arguments: &[&str]) -> Result<()> {
    process::run(process::cargo().args(arguments))
}
