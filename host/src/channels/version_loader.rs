//! From a stored channel to versions that can be called: components from memory or from the store, checked against trust,
//! configuration and credentials. It starts and stops nothing.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tidings_domain::limits::WATCH_TIME;
use tidings_domain::plugin_life::{ChannelEvent, EventKind};
use tidings_sandbox::{Admitted, ChannelSettings, Plugin};
use tidings_store::{Channel, StoreError};
use tokio::sync::RwLock;
use tokio_util::sync::CancellationToken;

use super::component_cache::ComponentCache;
use super::{ChannelError, Environment, NotReady, config_compat};
use crate::clock;
use crate::dispatch::{
    CallableVersion, PluginRunner, Rollout, RolloutReport, RolloutReports, RolloutVerdict, VersionSet, Worker,
};
use crate::telemetry::VersionLabel;

/// Loads the versions of all channels.
pub(super) struct VersionLoader {
    environment: Environment,
    pub(super) cache: ComponentCache,
    /// Version sets that were made.
    version_sets: AtomicU64,
    /// Read while a channel takes a component into use, written while a component is removed.
    pub(super) component_use: RwLock<()>,
}

/// The versions of a channel, and what is to be reported about them at once.
pub(super) struct LoadedVersions {
    pub(super) versions: VersionSet,
    /// The candidate cannot start.
    pub(super) report: Option<RolloutReport>,
}

/// A version that may run in a channel, and the configuration it would run with, which is complete.
pub(super) struct RunnableVersion {
    admitted: Admitted,
    config: BTreeMap<String, String>,
}

impl VersionLoader {
    pub(super) fn new(environment: Environment) -> VersionLoader {
        VersionLoader {
            environment,
            cache: ComponentCache::default(),
            version_sets: AtomicU64::new(0),
            component_use: RwLock::default(),
        }
    }

    pub(super) fn environment(&self) -> &Environment {
        &self.environment
    }

    /// A worker for the channel that is not started yet.
    pub(super) fn worker(&self, channel: &str, reports: &RolloutReports) -> Worker {
        let environment = &self.environment;
        Worker {
            channel: channel.to_owned(),
            outbox: environment.store.clone(),
            settings: environment.dispatch,
            waker: environment.wakers.register(channel),
            metrics: Arc::clone(&environment.metrics),
            reports: reports.clone(),
            stop: CancellationToken::new(),
        }
    }

    /// The versions that the channel's worker is to call. A candidate that cannot run has failed its trial; one that cannot
    /// run at the moment is left out, and `reconcile` takes it into use later.
    pub(super) async fn version_set(&self, channel: &Channel) -> Result<LoadedVersions, ChannelError> {
        let number = self.version_sets.fetch_add(1, Ordering::Relaxed);
        let active = self.version(channel, &channel.component).await?;
        let mut report = None;
        if let Some(candidate) = &channel.life.candidate {
            match self.version(channel, &candidate.component).await {
                Ok(version) => {
                    let trial = Rollout::Canary { candidate: version, plan: candidate.plan };
                    return Ok(LoadedVersions { versions: VersionSet { number, active, trial }, report: None });
                }
                Err(error) if error.is_passing() => {
                    tracing::warn!(
                        channel = channel.name,
                        %error,
                        "the version on trial cannot start yet; it is tried again"
                    );
                }
                Err(error) => {
                    report = Some(RolloutReport {
                        version_set: number,
                        component: candidate.component.as_str().into(),
                        verdict: RolloutVerdict::Failed,
                        reason: format!("it cannot start: {error}"),
                    });
                }
            }
        }
        let watched = channel.life.watched_until(WATCH_TIME).filter(|until| clock::now() < *until);
        let trial = watched.map_or(Rollout::None, |until| Rollout::Watch { until });
        Ok(LoadedVersions { versions: VersionSet { number, active, trial }, report })
    }

    /// Whether a version may run in a channel: its component, configuration and credentials.
    pub(super) async fn checked(&self, channel: &Channel, component: &str) -> Result<RunnableVersion, ChannelError> {
        let admitted = self.admitted(component).await?;
        let config = config_compat::complete(admitted.manifest(), &channel.config)?;
        admitted.manifest().check_credentials(&config, &channel.grants).map_err(NotReady::Credential)?;
        Ok(RunnableVersion { admitted, config })
    }

    /// One version of the channel's plugin, ready to be called.
    pub(super) async fn version(&self, channel: &Channel, component: &str) -> Result<CallableVersion, ChannelError> {
        let RunnableVersion { admitted, config } = self.checked(channel, component).await?;
        let label = VersionLabel::new(&channel.name, admitted.manifest(), component);
        let plugin = self.plugin(channel, &admitted, config);
        let deadline = Duration::from_millis(channel.limits.deadline_ms);
        let (links, matching) = (Arc::clone(&self.environment.links), Arc::clone(&self.environment.matching));
        let runner = Arc::new(PluginRunner::new(channel.name.clone(), plugin, links, matching, deadline));
        Ok(CallableVersion { component: component.into(), runner, label })
    }

    /// A component with the channel's settings.
    pub(super) fn plugin(&self, channel: &Channel, admitted: &Admitted, config: BTreeMap<String, String>) -> Plugin {
        let settings = ChannelSettings {
            channel: channel.name.clone(),
            config,
            grants: channel.grants.clone(),
            limits: channel.limits,
        };
        let host = self.environment.host.for_version(&admitted.manifest().version);
        self.environment.sandbox.plugin(admitted, settings, host)
    }

    /// Stores a channel with an event of its history. A component that the channel takes into use must still be installed.
    pub(super) async fn store_channel(&self, channel: &Channel, event: ChannelEvent) -> Result<(), StoreError> {
        let _in_use = self.component_use.read().await;
        if matches!(event.event, EventKind::Created | EventKind::Switched | EventKind::CanaryStarted) {
            self.environment.store.component(&event.component).await?;
        }
        self.environment.store.change_channel(channel, Some(event), clock::now()).await
    }
}
