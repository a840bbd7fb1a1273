//! Failure policies, carried out again and again: what becomes of deliveries that a channel keeps waiting. It reads and writes
//! the store alone, so it waits for no channel.

use std::sync::Arc;

use tidings_domain::plugin_life::policy::Sweep;
use tidings_store::{Channel, StoreError};
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use super::{Channels, limits};
use crate::clock;
use crate::telemetry::chain;

impl Channels {
    /// Carries out the failure policies of all channels until `stop`.
    pub async fn sweep_policies(self: Arc<Self>, stop: CancellationToken) {
        let mut sweep = tokio::time::interval(limits::POLICY_SWEEP);
        sweep.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while stop.run_until_cancelled(sweep.tick()).await.is_some() {
            if let Err(error) = self.sweep().await {
                tracing::warn!(error = %chain(&error), "failure policies were not carried out; they are tried again");
            }
        }
    }

    /// A failure of one channel leaves the others alone.
    async fn sweep(&self) -> Result<(), StoreError> {
        for channel in self.environment().store.channels().await?.iter().filter(|channel| channel.enabled) {
            if let Err(error) = self.carry_out_policy(channel).await {
                let (channel, error) = (&channel.name, chain(&error));
                tracing::warn!(channel, error, "the failure policy was not carried out; it is tried again");
            }
        }
        Ok(())
    }

    async fn carry_out_policy(&self, channel: &Channel) -> Result<(), StoreError> {
        let now = clock::now();
        let (store, name) = (&self.environment().store, channel.name.as_str());
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
                    tracing::warn!(
                        channel = name,
                        to,
                        moved,
                        "late deliveries go by another channel, as the policy says"
                    );
                    self.environment().wakers.wake(&to);
                }
            }
        }
        Ok(())
    }
}
