//! `run`: builds the programs and plugins, then becomes the demonstration: a publisher, a daemon and a mail server on
//! this machine, and a page that shows the mail arriving.

use std::os::unix::process::CommandExt;
use std::process::Command;

use anyhow::{Context, Result};

use crate::{plugins, process};

/// How to run the demonstration.
#[derive(clap::Args, Debug)]
pub struct DemoArgs {
    /// Publish the samples once, wait for every expected mail, print a summary and stop; fails if anything is missing.
    #[arg(long)]
    once: bool,
    /// The address of the page, as address:port; a free port of the loopback interface by default.
    #[arg(long, value_name = "ADDRESS")]
    page: Option<String>,
}

/// The programs and the plugin that the demonstration uses.
const PROGRAMS: [&str; 3] = ["tidings", "tidings-demo", "tidings-publish"];
const PLUGIN: &str = "email";

/// Builds what the demonstration uses, and runs it. Returns only when that cannot be started.
pub fn run(args: &DemoArgs) -> Result<()> {
    build(&PROGRAMS.map(|name| ["--bin", name]).concat())?;
    let plugin = plugins::PluginBuildArgs { plugins: vec![PLUGIN.to_owned()], ..Default::default() };
    plugins::build(&plugin).context("building the plugin")?;
    let demo = process::sibling("tidings-demo")?;
    let mut command = Command::new(&demo);
    if args.once {
        command.arg("--once");
    }
    if let Some(page) = &args.page {
        command.arg("--page").arg(page);
    }
    Err(command.exec()).with_context(|| format!("starting {}", demo.display()))
}

/// Builds the daemon and the programs of the tests.
pub fn build_programs() -> Result<()> {
    build(&["--bins"])
}

fn build(programs: &[&str]) -> Result<()> {
    // The whole workspace, as the tests build it: another selection has other features, and compiles them twice.
    process::run(process::cargo().args(["build", "--workspace"]).args(programs))
}
