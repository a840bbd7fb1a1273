//! What the worker writes: outcomes, and leases that it gives back.

use tidings_domain::outcome::Settlement;
use tidings_store::{Lease, StoreError};

use super::{STORE_PAUSE, State, Worker};
use crate::clock;
use crate::telemetry::chain;

impl Worker {
    /// Makes outcomes durable. While the store is unavailable the leases keep: after them, or when the daemon stops
    /// before, what was sent is sent again, with the same id.
    pub(super) async fn settle(&self, settled: Vec<(Lease, Settlement)>) {
        let Some(until) = settled.iter().map(|(lease, _)| lease.until()).max() else { return };
        let mut reported = false;
        loop {
            let error = match self.store.settle(settled.clone(), clock::now()).await {
                Ok(0) => return,
                Ok(stale) => {
                    return tracing::warn!(channel = self.channel, stale, "leases had ended before their calls");
                }
                Err(error) => error,
            };
            let again = matches!(error, StoreError::Unavailable { .. }) && clock::now() < until;
            if !again || self.stop.is_cancelled() {
                let (channel, count) = (&self.channel, settled.len());
                return tracing::error!(channel, count, error = %chain(&error), "outcomes could not be stored");
            }
            if !std::mem::replace(&mut reported, true) {
                tracing::error!(channel = self.channel, error = %chain(&error), "outcomes wait for the store");
            }
            tokio::select! {
                () = tokio::time::sleep(STORE_PAUSE) => {}
                () = self.stop.cancelled() => {}
            }
        }
    }

    pub(super) async fn release(&self, leases: Vec<Lease>) {
        if leases.is_empty() {
            return;
        }
        if let Err(error) = self.store.release(leases).await {
            tracing::warn!(channel = self.channel, error = %chain(&error), "leases could not be given back; they expire");
        }
    }

    pub(super) fn unavailable(&self, state: &mut State, doing: &str, error: &StoreError) {
        tracing::error!(channel = self.channel, doing, error = %chain(error), "dispatch waits for the store");
        state.look_at = Some(clock::now().after(STORE_PAUSE));
    }
}
