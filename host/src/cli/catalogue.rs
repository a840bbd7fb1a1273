//! `tidings catalogue test`: checks a directory of application files on its own.

use std::path::{Path, PathBuf};

use anyhow::bail;
use clap::{Args, Subcommand};
use serde_json::json;
use tidings_domain::catalogue::{Catalogue, CatalogueError};

use super::output::Output;
use crate::static_data::read_catalogue;

#[derive(Debug, Args)]
pub(super) struct CatalogueArgs {
    #[command(subcommand)]
    command: CatalogueCommand,
}

#[derive(Debug, Subcommand)]
enum CatalogueCommand {
    /// Load the files of a directory and check every example in them
    Test { dir: PathBuf },
}

pub(super) fn run(args: &CatalogueArgs, out: &mut Output) -> anyhow::Result<()> {
    let CatalogueCommand::Test { dir } = &args.command;
    test(dir, out)
}

/// Prints every error with its file and line.
fn test(dir: &Path, out: &mut Output) -> anyhow::Result<()> {
    let files = read_catalogue(dir).map_err(anyhow::Error::msg)?;
    let (rules, mistakes) = match Catalogue::load(&files) {
        Ok(catalogue) => (catalogue.rules().len(), tidings_domain::examples::check_examples(&catalogue)),
        Err(mistakes) => (0, mistakes),
    };
    let lines: Vec<String> = mistakes.iter().map(CatalogueError::to_string).collect();
    if out.is_json() {
        out.json(&json!({ "files": files.len(), "rules": rules, "mistakes": lines }))?;
    } else {
        for line in &lines {
            out.line(line)?;
        }
    }
    match lines.len() {
        0 if out.is_json() => Ok(()),
        0 => Ok(out.line(&format!("{} files, {rules} rules, every example holds", files.len()))?),
        1 => bail!("1 mistake"),
        n => bail!("{n} mistakes"),
    }
}
