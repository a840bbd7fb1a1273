//! The key under which channels' secrets are sealed in the database.

use clap::{Args, Subcommand};
use serde_json::json;

use super::output::Output;
use crate::config::Config;

#[derive(Debug, Args)]
pub(super) struct SecretsArgs {
    #[command(subcommand)]
    command: SecretsCommand,
}

#[derive(Debug, Subcommand)]
enum SecretsCommand {
    /// Seal all secrets with a new key, for a daemon that is not running
    Rotate,
}

pub(super) async fn run(args: SecretsArgs, config: &Config, out: &mut Output) -> anyhow::Result<()> {
    let SecretsCommand::Rotate = args.command;
    tidings_store::rotate_key(&config.data_dir.database(), &config.key_file()).await?;
    if out.is_json() {
        return Ok(out.json(&json!({ "rotated": true }))?);
    }
    Ok(out.line("all secrets are sealed with a new key; back it up")?)
}
