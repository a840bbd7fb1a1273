//! `bench`: builds the programs as they are released and prints what they do, one JSON object a line.

use std::os::unix::process::CommandExt as _;
use std::process::Command;

use anyhow::{Context as _, Result, bail};

use crate::plugins;

/// Builds, and becomes the benchmark.
pub fn run() -> Result<()> {
    let root = plugins::repository();
    let build = ["build", "--release", "--workspace", "--bins"];
    let status = plugins::cargo().args(build).current_dir(root).status();
    if !status.context("starting cargo")?.success() {
        bail!("the programs do not build");
    }
    let facts = plugins::cargo().args(["bench", "--quiet", "--package", "tidings-domain", "--bench", "facts"]).status();
    if !facts.context("starting cargo")?.success() {
        bail!("the benchmark of facts failed");
    }
    plugins::build(&plugins::Args::default()).context("building the plugins")?;
    let bench = root.join("target/release/tidings-bench");
    Err(Command::new(&bench).exec()).with_context(|| format!("starting {}", bench.display()))
}
