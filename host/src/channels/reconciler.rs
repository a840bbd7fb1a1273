//! What happens to channels without an administrator: findings of workers are acted on, what does not run as it should is
//! tried again, and failure policies are carried out. Two tasks, as long as the channels run: a sweep that has much to do
//! keeps no broken version waiting.

use std::sync::Weak;
use std::time::Duration;

use crate::channels::limits;
use tidings_domain::plugin_life::policy::Sweep;
use tidings_store::{Channel, StoreError};
use tokio::sync::mpsc;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use super::{ChannelError, Channels, Slot, failed};
use crate::clock;
use crate::dispatch::{RolloutReport, VersionSet};
use crate::telemetry::chain;

/// The pause before something is tried again that the store did not take.
const AGAIN: Duration = Duration::from_millis(500);

/// Acts on findings until `stop`, or until the channels are gone.
pub(super) async fn act(
    channels: Weak<Channels>,
    mut findings: mpsc::Receiver<RolloutReport>,
    stop: CancellationToken,
) {
    loop {
        let finding = tokio::select! {
            () = stop.cancelled() => return,
            finding = findings.recv() => finding,
        };
        let (Some(channels), Some(finding)) = (channels.upgrade(), finding) else { return };
        channels.act(&finding, &stop).await;
    }
}

/// Looks after all channels again and again until `stop`, or until they are gone.
pub(super) async fn sweep(channels: Weak<Channels>, stop: CancellationToken) {
    let mut sweep = tokio::time::interval(limits::POLICY_SWEEP);
    sweep.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = sweep.tick() => {}
        }
        let Some(channels) = channels.upgrade() else { return };
        if let Err(error) = channels.sweep().await {
            tracing::warn!(error = %chain(&error), "the channels could not be looked after");
        }
    }
}

impl Channels {
    /// The worker of a broken version calls nothing until this is done: it is tried until it can be.
    async fn act(&self, finding: &RolloutReport, stop: &CancellationToken) {
        while let Err(error) = self.act_on(finding).await {
            tracing::error!(channel = finding.channel, error = %chain(&error), "a finding could not be acted on");
            if !error.is_passing() {
                return;
            }
            tokio::select! {
                () = tokio::time::sleep(AGAIN) => {}
                () = stop.cancelled() => return,
            }
        }
    }

    /// One channel's trouble is not the next one's.
    async fn sweep(&self) -> Result<(), StoreError> {
        for channel in self.environment.store.channels().await?.iter().filter(|channel| channel.enabled) {
            if let Err(error) = self.tend(channel).await {
                tracing::warn!(channel = channel.name, error = %chain(&error), "the channel could not be looked after");
            }
            if let Err(error) = self.carry_out(channel).await {
                let (channel, error) = (&channel.name, chain(&error));
                tracing::warn!(channel, error, "the failure policy could not be carried out");
            }
        }
        Ok(())
    }

    /// Starts a channel that failed to start, when it has rested, and takes versions into use that could not be when they
    /// were wished for.
    async fn tend(&self, channel: &Channel) -> Result<(), ChannelError> {
        if runs_well(self.workers.lock().await.get(&channel.name), channel) {
            return Ok(());
        }
        // Compiled, where that is needed, before other changes have to wait for it.
        let ready = self.admitted(&channel.component).await;
        let mut workers = self.workers.lock().await;
        let channel = self.environment.store.channel(&channel.name).await?;
        if runs_well(workers.get(&channel.name), &channel) {
            return Ok(());
        }
        match (ready, workers.remove(&channel.name)) {
            (Err(error), Some(Slot::Failed(before))) => {
                let failure = failed(&channel.name, Some(before), &error);
                workers.insert(channel.name, Slot::Failed(failure));
                Ok(())
            }
            (_, slot) => {
                workers.extend(slot.map(|slot| (channel.name.clone(), slot)));
                self.exchange(workers, channel).await.map(drop)
            }
        }
    }

    async fn carry_out(&self, channel: &Channel) -> Result<(), StoreError> {
        let now = clock::now();
        let (store, name) = (&self.environment.store, channel.name.as_str());
        match channel.life.policy.sweep(channel.life.quarantine.is_some(), now) {
            Sweep::Nothing => {}
            Sweep::Drop { accepted_before, reason } => {
                let dropped = store.drop_late(name, accepted_before, &reason, now).await?;
                if dropped > 0 {
                    tracing::warn!(channel = name, dropped, "late deliveries are given up, as the policy says");
                }
            }
            Sweep::Move { to, accepted_before, reason } => {
                let moved = store.move_late(name, &to, accepted_before, &reason, now).await?;
                if moved > 0 {
                    tracing::warn!(channel = name, to, moved, "late deliveries go by another channel");
                    self.environment.wakers.wake(&to);
                }
            }
        }
        Ok(())
    }
}

fn calls_versions_of(fleet: &VersionSet, channel: &Channel) -> bool {
    let candidate = channel.life.candidate.as_ref().map(|candidate| candidate.component.as_str());
    *fleet.active.component == *channel.component && fleet.candidate().map(|version| &*version.component) == candidate
}

/// Whether there is nothing to do for a channel: it runs what it is to run, rests, or is not to run.
fn runs_well(slot: Option<&Slot>, channel: &Channel) -> bool {
    match slot {
        Some(Slot::Running(worker)) => calls_versions_of(&worker.fleet(), channel),
        Some(Slot::Failed(failure)) => clock::now() < failure.again,
        None => true,
    }
}
