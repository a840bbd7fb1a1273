//! What happens to channels without an administrator: findings of workers are acted on, and failure policies are carried
//! out. One task, as long as the channels run.

use std::sync::Weak;
use std::time::Duration;

use tidings_domain::limits;
use tidings_domain::plugin_life::policy::Sweep;
use tidings_store::{Channel, StoreError};
use tokio::sync::mpsc;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use super::{ChannelError, Channels};
use crate::clock;
use crate::dispatch::Finding;
use crate::telemetry::chain;

/// The pause before something is tried again that the store did not take.
const AGAIN: Duration = Duration::from_millis(500);

/// Runs until `stop`, or until the channels are gone.
pub(super) async fn oversee(channels: Weak<Channels>, mut findings: mpsc::Receiver<Finding>, stop: CancellationToken) {
    let mut sweep = tokio::time::interval(limits::POLICY_SWEEP);
    sweep.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let finding = tokio::select! {
            () = stop.cancelled() => return,
            finding = findings.recv() => finding,
            _ = sweep.tick() => None,
        };
        let Some(channels) = channels.upgrade() else { return };
        match finding {
            Some(finding) => channels.act(&finding, &stop).await,
            None => {
                if let Err(error) = channels.sweep().await {
                    tracing::warn!(error = %chain(&error), "failure policies could not be carried out");
                }
            }
        }
    }
}

impl Channels {
    /// The worker of a broken version calls nothing until this is done: it is tried until the store takes it.
    async fn act(&self, finding: &Finding, stop: &CancellationToken) {
        while let Err(error) = self.act_on(finding).await {
            let again = matches!(&error, ChannelError::Store(StoreError::Unavailable { .. }));
            tracing::error!(channel = finding.channel, error = %chain(&error), "a finding could not be acted on");
            if !again {
                return;
            }
            tokio::select! {
                () = tokio::time::sleep(AGAIN) => {}
                () = stop.cancelled() => return,
            }
        }
    }

    async fn sweep(&self) -> Result<(), StoreError> {
        for channel in self.environment.store.channels().await? {
            if channel.enabled {
                self.carry_out(&channel).await?;
            }
        }
        Ok(())
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
