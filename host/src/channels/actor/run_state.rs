//! What runs for a channel, and how it gets from one state to the next: start, restart, exchange of versions, and the next
//! attempt after a failure.

use std::sync::Arc;
use std::time::Duration;

use tidings_domain::plugin_life::EventKind;
use tidings_domain::time::Timestamp;
use tidings_store::Channel;

use super::ChannelActor;
use crate::channels::status::ChannelStatus;
use crate::channels::{ChannelError, limits};
use crate::clock;
use crate::dispatch::{PluginRunner, RolloutReport, VersionSet, WorkerHandle};
use crate::telemetry::ChannelLabel;

/// What runs for a channel.
pub(super) enum RunState {
    /// The channel is disabled, quarantined, or not started yet.
    Stopped,
    Running(WorkerHandle),
    /// The channel is enabled and could not be started.
    Failed(StartFailure),
}

/// Why an enabled channel does not run, and when that is tried again.
pub(super) struct StartFailure {
    reason: String,
    /// The wait before the next attempt.
    rest: Duration,
    again: Timestamp,
}

impl RunState {
    /// What readers see of it.
    pub(super) fn status(&self) -> ChannelStatus {
        match self {
            RunState::Stopped => ChannelStatus::Stopped,
            RunState::Running(worker) => ChannelStatus::Running(worker.monitor().clone()),
            RunState::Failed(failure) => ChannelStatus::Failed { reason: failure.reason.clone() },
        }
    }

    /// What calls the resident plugin that runs.
    pub(super) fn resident_runner(&self) -> Option<Arc<PluginRunner>> {
        match self {
            RunState::Running(worker) => {
                Some(worker.monitor().runner()).filter(|runner| runner.resident_stats().is_some())
            }
            RunState::Stopped | RunState::Failed(_) => None,
        }
    }

    /// Stops the worker where one runs. Returns the failure that was there before.
    pub(super) async fn stop(&mut self) -> Option<StartFailure> {
        match std::mem::replace(self, RunState::Stopped) {
            RunState::Running(worker) => {
                worker.stop().await;
                None
            }
            RunState::Failed(failure) => Some(failure),
            RunState::Stopped => None,
        }
    }

    /// The channel cannot run: it rests, longer each time. The same reason is logged once.
    pub(super) fn fail(&mut self, channel: &str, reason: String) {
        let before = match std::mem::replace(self, RunState::Stopped) {
            RunState::Failed(failure) => Some(failure),
            RunState::Running(_) | RunState::Stopped => None,
        };
        *self = RunState::Failed(StartFailure::new(channel, before, reason));
    }

    /// Whether there is nothing to do: the channel runs what it is to run, rests, or is not to run.
    fn is_as_wanted(&self, channel: &Channel) -> bool {
        match self {
            RunState::Running(worker) => has_versions_of(&worker.monitor().versions(), channel),
            RunState::Failed(failure) => clock::now() < failure.again,
            RunState::Stopped => true,
        }
    }
}

impl StartFailure {
    fn new(channel: &str, before: Option<StartFailure>, reason: String) -> StartFailure {
        if before.as_ref().is_none_or(|before| before.reason != reason) {
            tracing::error!(channel, error = reason, "the channel cannot start; its deliveries are held");
        }
        let rest = before.map_or(limits::FAILED_REST_MIN, |before| (before.rest * 2).min(limits::FAILED_REST_MAX));
        StartFailure { reason, rest, again: clock::now().after(rest) }
    }
}

fn has_versions_of(versions: &VersionSet, channel: &Channel) -> bool {
    let candidate = channel.life.candidate.as_ref().map(|candidate| candidate.component.as_str());
    *versions.active.component == *channel.component
        && versions.candidate().map(|version| &*version.component) == candidate
}

impl ChannelActor {
    pub(super) async fn start(&mut self) -> Result<Channel, ChannelError> {
        let channel = self.stored().await?;
        self.restart(&channel).await;
        Ok(channel)
    }

    /// Stores a channel as it is to be and restarts its worker.
    pub(super) async fn change(
        &mut self,
        channel: Channel,
        kind: EventKind,
        detail: &str,
    ) -> Result<Channel, ChannelError> {
        self.store_change(&channel, kind, detail).await?;
        self.restart(&channel).await;
        Ok(channel)
    }

    /// Takes other versions into use without an interruption, where that is possible; else by a restart of the worker.
    /// Where that cannot be now, what runs goes on, and `reconcile` takes them into use later.
    pub(super) async fn exchange(&mut self, channel: Channel) -> Channel {
        let shareable = match &self.run {
            RunState::Running(worker) => channel.enabled && worker.monitor().versions().is_shareable(),
            RunState::Stopped | RunState::Failed(_) => false,
        };
        if !shareable {
            self.restart(&channel).await;
            return channel;
        }
        self.mark_quarantine(&channel);
        let loaded = self.loader.version_set(&channel).await;
        match (&self.run, loaded) {
            (RunState::Running(worker), Ok(loaded)) if loaded.versions.is_shareable() => {
                worker.call(loaded.versions);
                self.schedule_report(loaded.report);
            }
            (RunState::Running(_), Err(error)) if error.is_passing() => {
                tracing::warn!(
                    channel = channel.name,
                    %error,
                    "other versions cannot be taken into use yet; what runs goes on, and it is tried again"
                );
            }
            _ => self.restart(&channel).await,
        }
        self.publish();
        channel
    }

    /// Stops the worker, and starts another one where the channel is to run.
    pub(super) async fn restart(&mut self, channel: &Channel) {
        self.mark_quarantine(channel);
        let before = self.run.stop().await;
        if channel.enabled && channel.life.quarantine.is_none() && !self.stop.is_cancelled() {
            self.run = match self.loader.version_set(channel).await {
                Ok(loaded) => {
                    self.schedule_report(loaded.report);
                    RunState::Running(self.loader.worker(&self.name, &self.reports).start(loaded.versions))
                }
                Err(error) => RunState::Failed(StartFailure::new(&self.name, before, error.to_string())),
            };
        }
        self.publish();
    }

    /// Starts a channel that failed to start, when it has rested, and takes versions into use that could not be when they
    /// were asked for.
    pub(super) async fn reconcile(&mut self) -> Result<(), ChannelError> {
        if matches!(self.run, RunState::Stopped) {
            return Ok(());
        }
        let channel = self.stored().await?;
        if !channel.enabled || self.run.is_as_wanted(&channel) {
            return Ok(());
        }
        self.exchange(channel).await;
        Ok(())
    }

    /// Publishes whether the channel is quarantined, for the alerts of operators.
    fn mark_quarantine(&self, channel: &Channel) {
        let label = ChannelLabel { channel: channel.name.clone() };
        let quarantined = i64::from(channel.life.quarantine.is_some());
        self.loader.environment().metrics.quarantined.get_or_create(&label).set(quarantined);
    }

    fn schedule_report(&mut self, report: Option<RolloutReport>) {
        if let Some(report) = report {
            self.pending = Some(super::PendingReport { report, due: tokio::time::Instant::now() });
        }
    }
}
