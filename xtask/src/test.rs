//! `test`: everything that must hold before a change is merged, in the order in which a failure is cheapest. It installs
//! what the tests use and is what continuous integration calls.

use std::process::Command;

use anyhow::{Context as _, Result};

use crate::check::{self, in_plugins, in_root};
use crate::process::{step, succeeds};
use crate::{corpus, plugins, run, setup};

/// Runs it all; stops at the first step that fails.
pub fn run() -> Result<()> {
    check::run()?;
    eprintln!("==> plugins");
    plugins::run(&plugins::PluginBuildArgs::default())?;
    eprintln!("==> programs and packages that the tests use");
    setup::run()?;
    let mut samples = Command::new(std::env::current_exe().context("the path of this program")?);
    step("sample plugins in other languages", samples.arg("build-samples"))?;
    // The programs first: end-to-end tests start them.
    eprintln!("==> programs");
    run::build_programs()?;
    let nextest = succeeds(&mut in_root(&["nextest", "--version"]));
    tests("tests", in_root, nextest)?;
    eprintln!("==> catalogue");
    corpus::run()?;
    tests("tests of the plugins", in_plugins, nextest)
}

/// All tests of a workspace: with nextest where it is installed, which does not run those in documentation. They come
/// first, so that the summary of all others is the last that is printed.
fn tests(title: &str, workspace: fn(&[&str]) -> Command, nextest: bool) -> Result<()> {
    if nextest {
        step(&format!("{title} in documentation"), &mut workspace(&["test", "--quiet", "--workspace", "--doc"]))?;
        step(title, &mut workspace(&["nextest", "run", "--workspace", "--no-fail-fast"]))
    } else {
        step(title, &mut workspace(&["test", "--workspace", "--no-fail-fast"]))
    }
}
