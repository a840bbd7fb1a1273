//! The daemon itself: run it, check its settings, migrate its database, replay messages into it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;
use clap::Args;
use serde_json::json;
use tidings_bus::ReplaySource;
use tidings_store::{Mode, Store};

use super::compile::compiler;
use super::output::Output;
use crate::api::message_counts;
use crate::app;
use crate::config::{Config, ConfigError};
use crate::static_data::StaticData;
use crate::telemetry::start_log;

#[derive(Debug, Args)]
pub(super) struct ReplayArgs {
    /// JSON Lines, one bus message each; `-` is standard input
    file: PathBuf,
}

pub(super) async fn serve(config: Config, file: PathBuf) -> anyhow::Result<()> {
    log(&config, &file)?;
    app::serve(config, file, compiler()).await
}

/// Checks everything that can be checked without starting a part of the daemon.
pub(super) fn check_config(config: &Config, file: &Path, out: &mut Output) -> anyhow::Result<()> {
    StaticData::read(&config.catalogue).map_err(|detail| ConfigError::Invalid { path: file.to_owned(), detail })?;
    if out.is_json() {
        return Ok(out.json(&json!({ "good": true }))?);
    }
    Ok(out.line(&format!("{} is valid", file.display()))?)
}

pub(super) async fn migrate(config: &Config, out: &mut Output) -> anyhow::Result<()> {
    let store = open_store(config).await?;
    store.close().await;
    let (database, version) = (config.data_dir.database(), tidings_store::schema_version());
    if out.is_json() {
        return Ok(out.json(&json!({ "database": database, "schema_version": version }))?);
    }
    Ok(out.line(&format!("{} has schema version {version}", database.display()))?)
}

pub(super) async fn replay(args: ReplayArgs, config: &Config, file: &Path, out: &mut Output) -> anyhow::Result<()> {
    log(config, file)?;
    let source =
        if args.file == Path::new("-") { ReplaySource::stdin() } else { ReplaySource::open(&args.file).await? };
    let replayed = app::replay(config, Box::new(source)).await?;
    let counts = message_counts(&replayed.metrics, &replayed.endpoints);
    if out.is_json() {
        return Ok(out.json(&counts)?);
    }
    Ok(out.table(["messages", "count"], &counts.rows())?)
}

/// The store, beside a daemon or without one.
pub(super) async fn open_store(config: &Config) -> anyhow::Result<Arc<dyn Store>> {
    let database = config.data_dir.database();
    let opened = tidings_store::open_with(&database, Mode::Tool, &config.key_file()).await;
    opened.with_context(|| format!("cannot open {}", database.display()))
}

fn log(config: &Config, file: &Path) -> Result<(), ConfigError> {
    start_log(&config.log).map_err(|detail| ConfigError::Invalid { path: file.to_owned(), detail })
}
