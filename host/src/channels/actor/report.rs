//! What follows from a worker's report about a version: promotion, the end of a trial, the way back, or quarantine.

use tidings_domain::limits::WATCH_TIME;
use tidings_domain::plugin_life::{Candidate, EventKind, Quarantine};
use tidings_store::Channel;
use tokio::time::Instant;

use super::run_state::RunState;
use super::{ChannelActor, PendingReport, REPORT_PAUSE};
use crate::channels::ChannelError;
use crate::clock;
use crate::dispatch::{RolloutReport, RolloutVerdict};
use crate::telemetry::chain;

impl ChannelActor {
    /// Acts on a report. The worker calls the version no more until this is done, so it is tried until it can be.
    pub(super) async fn handle_report(&mut self, report: RolloutReport) {
        let Err(error) = self.act_on(&report).await else { return };
        let again = error.is_passing();
        tracing::error!(
            channel = self.name,
            verdict = ?report.verdict,
            again,
            error = %chain(&error),
            "the report about a version could not be acted on"
        );
        if again {
            self.pending = Some(PendingReport { report, due: Instant::now() + REPORT_PAUSE });
        }
    }

    /// Does what follows from a report, unless the worker calls others by now: other versions, or the same with another
    /// configuration or other grants.
    async fn act_on(&mut self, report: &RolloutReport) -> Result<(), ChannelError> {
        match &self.run {
            RunState::Running(worker) if worker.monitor().versions().number == report.version_set => {}
            RunState::Running(_) | RunState::Stopped | RunState::Failed(_) => return Ok(()),
        }
        let channel = self.stored().await?;
        let candidate = channel.life.candidate.clone().filter(|c| *c.component == *report.component);
        let active = *channel.component == *report.component && channel.enabled && channel.life.quarantine.is_none();
        match (report.verdict, candidate) {
            (RolloutVerdict::Proved, Some(candidate)) => self.promote(channel, candidate, &report.reason).await,
            (RolloutVerdict::Failed, Some(candidate)) => {
                let (component, reason) = (&candidate.component, &report.reason);
                tracing::error!(
                    channel = self.name,
                    component,
                    reason,
                    "a new version failed its trial; the active version goes on"
                );
                self.end_trial(channel, candidate, &report.reason).await.map(drop)
            }
            (RolloutVerdict::Broken, _) if active => self.retire(channel, &report.reason).await,
            _ => Ok(()),
        }
    }

    async fn promote(&mut self, mut channel: Channel, candidate: Candidate, reason: &str) -> Result<(), ChannelError> {
        let before = std::mem::replace(&mut channel.component, candidate.component.clone());
        channel.life.switch(before, &candidate.component, clock::now());
        self.store_change(&channel, EventKind::Promoted, reason).await?;
        tracing::info!(channel = self.name, component = candidate.component, reason, "a new version is promoted");
        self.exchange(channel).await;
        Ok(())
    }

    /// The active version is broken: where it is new the previous one returns, else the channel is quarantined.
    async fn retire(&mut self, channel: Channel, reason: &str) -> Result<(), ChannelError> {
        if channel.life.watched_until(WATCH_TIME).is_some_and(|until| clock::now() < until) {
            match self.with_previous_version(&channel).await {
                Ok(returned) => {
                    self.return_to_previous(&channel.component, returned, reason).await?;
                    tracing::error!(channel = self.name, reason, "a new version is broken and was rolled back");
                    return Ok(());
                }
                Err(error) if error.is_passing() => return Err(error),
                Err(error) => {
                    tracing::error!(
                        channel = self.name,
                        %error,
                        "a broken version cannot be rolled back; the channel is quarantined"
                    );
                }
            }
        }
        self.quarantine(channel, reason).await
    }

    async fn quarantine(&mut self, mut channel: Channel, reason: &str) -> Result<(), ChannelError> {
        channel.life.candidate = None;
        channel.life.quarantine = Some(Quarantine { since: clock::now(), reason: reason.to_owned() });
        tracing::error!(channel = self.name, reason, "the channel is quarantined; its deliveries are held");
        self.change(channel, EventKind::Quarantined, reason).await.map(drop)
    }
}
