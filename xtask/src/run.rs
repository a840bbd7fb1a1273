//! `run`: builds the programs and plugins, then becomes the demonstration: a publisher, a daemon and a mail server on
//! this machine, and a page that shows the mail arriving.

use std::env;
use std::os::unix::process::CommandExt;
use std::process::Command;

use anyhow::{Context, Result, bail};

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

/// Builds everything and runs the demonstration. Returns only when that cannot be started.
pub fn run(args: &DemoArgs) -> Result<()> {
    build_programs()?;
    plugins::build(&plugins::PluginBuildArgs::default()).context("building the plugins")?;
    // Cargo puts the programs of one profile into one directory, and this is one of them.
    let demo = env::current_exe().context("the path of this program")?.with_file_name("tidings-demo");
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
    // The whole workspace, as the tests build it: another selection has other features, and compiles them twice.
    let arguments = ["build", "--workspace", "--bins"];
    let status = process::cargo().args(arguments).status();
    let status = status.context("starting cargo")?;
    if !status.success() {
        bail!("cargo build: {status}");
    }
    Ok(())
}
