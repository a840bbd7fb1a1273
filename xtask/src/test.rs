//! `test`: everything that must hold before a change lands, in the order in which a failure is cheapest. It installs what
//! the tests use and is what continuous integration calls.

use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::{corpus, plugins, run, setup};

/// Runs it all; stops at the first failure.
pub fn all() -> Result<()> {
    let root = plugins::repository();
    let in_plugins = root.join("plugins");
    step("formatting", cargo(["fmt", "--all", "--check"]).current_dir(root))?;
    step("formatting of the plugins", cargo(["fmt", "--all", "--check"]).current_dir(&in_plugins))?;
    eprintln!("==> plugins");
    plugins::run(&plugins::Args::default())?;
    eprintln!("==> what the tests use");
    setup::run()?;
    let mut samples = Command::new(std::env::current_exe().context("this program's own path")?);
    step("sample plugins in other languages", samples.arg("build-samples"))?;
    // The programs first: end-to-end tests start them.
    eprintln!("==> programs");
    run::build_programs()?;
    step("tests", cargo(["test", "--workspace", "--no-fail-fast"]).current_dir(root))?;
    eprintln!("==> catalogue");
    corpus::run()?;
    step("tests of the plugins", cargo(["test", "--workspace"]).current_dir(&in_plugins))?;
    let lints = ["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"];
    step("lints", cargo(lints).current_dir(root))?;
    step("lints of the plugins", cargo(lints).current_dir(&in_plugins))
}

fn cargo<const N: usize>(arguments: [&str; N]) -> Command {
    let mut command = plugins::cargo();
    command.args(arguments);
    command
}

fn step(name: &str, command: &mut Command) -> Result<()> {
    eprintln!("==> {name}");
    let status = command.status().with_context(|| format!("starting {command:?}"))?;
    if status.success() { Ok(()) } else { bail!("{name}: {command:?} ended with {status}") }
}
