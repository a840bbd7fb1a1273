//! The parts that `serve` and `replay` have in common: all that intake needs.

use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;
use tidings_store::{Change, Mode, Store};

use crate::access_lists::AccessLists;
use crate::config::Config;
use crate::dispatch::Wakers;
use crate::intake::Intake;
use crate::matching_state::MatchingState;
use crate::telemetry::Metrics;
use crate::verify::AdmissionPolicy;

/// The store, and what messages are matched with.
pub(super) struct IntakeParts {
    pub(super) store: Arc<dyn Store>,
    pub(super) lists: Arc<AccessLists>,
    pub(super) matching: Arc<MatchingState>,
    pub(super) wakers: Arc<Wakers>,
    pub(super) metrics: Arc<Metrics>,
}

impl IntakeParts {
    /// Opens the store for this process alone, and reads all rules.
    pub(super) async fn open(config: &Config) -> anyhow::Result<IntakeParts> {
        make_data_dir(&config.data_dir.0)?;
        let metrics = Arc::new(Metrics::default());
        let store = tidings_store::open_with(&config.data_dir.database(), Mode::Daemon, &config.key_file()).await?;
        // No other process has this store: what a killed daemon had leased is free.
        let freed = store.release_all().await?;
        if freed > 0 {
            tracing::info!(freed, "leases of an earlier run are given back");
        }
        let lists = Arc::new(AccessLists::open(&config.acl, store.clone()).context("acl")?);
        let changed = Arc::clone(&lists);
        let changed = move |change: &Change| changed.apply(change);
        let matching = MatchingState::load(config, store.clone(), store.clone(), Arc::clone(&metrics), changed).await?;
        Ok(IntakeParts { store, lists, matching: Arc::new(matching), wakers: Arc::default(), metrics })
    }

    pub(super) fn intake(&self, config: &Config) -> Intake {
        Intake {
            matching: Arc::clone(&self.matching),
            lists: Arc::clone(&self.lists),
            store: self.store.clone(),
            policy: AdmissionPolicy { max_age: config.bus.max_message_age },
            wakers: Arc::clone(&self.wakers),
            metrics: Arc::clone(&self.metrics),
        }
    }

    /// Reads the files of the configuration again. Where one is invalid, what was in force stays.
    pub(super) async fn reload(&self, config_file: &Path) {
        let reloaded = async {
            let config = Config::load(config_file, std::env::vars())?;
            self.lists.reload()?;
            self.matching.reload(&config).await
        };
        match reloaded.await {
            Ok(()) => tracing::info!("catalogue, aliases, access lists and rules are read again"),
            Err(error) => {
                let (file, error) = (config_file.display(), format!("{error:#}"));
                tracing::error!(%file, error, "the reload failed; what was in force stays");
            }
        }
    }
}

fn make_data_dir(path: &Path) -> anyhow::Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .with_context(|| format!("data_dir {} cannot be made", path.display()))
}
