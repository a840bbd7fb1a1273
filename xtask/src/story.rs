//! `story`: builds the replay of FMN's story as it is released, runs it, and leaves its page and pictures in `docs`.

use anyhow::{Context as _, Result, bail};

use crate::plugins;

/// Builds and runs it; the table goes to the standard output.
pub fn run() -> Result<()> {
    let story =
        ["run", "--release", "--quiet", "--package", "tidings-acl", "--example", "story", "--", "--out", "docs"];
    let status = plugins::cargo().args(story).current_dir(plugins::repository()).status().context("starting cargo")?;
    if !status.success() {
        bail!("the story does not run: {status}");
    }
    Ok(())
}
