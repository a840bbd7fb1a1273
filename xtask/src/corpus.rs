//! `corpus`: compares the catalogue with real messages and prints a table for each application. Fails where the catalogue
//! covers less than required.

use std::process::Command;

use anyhow::{Context as _, Result, bail};

use crate::run;

/// Builds the programs and runs the comparison.
pub fn run() -> Result<()> {
    run::build_programs()?;
    let program = std::env::current_exe().context("the path of this program")?.with_file_name("tidings-corpus");
    let status = Command::new(&program).status().with_context(|| format!("starting {}", program.display()))?;
    if status.success() {
        Ok(())
    } else {
        bail!("the catalogue covers less than required; the tables above show where")
    }
}
