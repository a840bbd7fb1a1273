//! What a worker writes: outcomes, and leases that it gives back.

use std::sync::Arc;
use std::time::Duration;

use tidings_domain::outcome::Settlement;
use tidings_store::{Lease, Outbox, StoreError};
use tokio_util::sync::CancellationToken;

use crate::clock;
use crate::telemetry::chain;

/// How long a write waits when the store is unavailable, before it is tried again.
const STORE_PAUSE: Duration = Duration::from_millis(500);

/// Writes the outcomes of one channel.
pub(super) struct OutcomeWriter {
    channel: String,
    outbox: Arc<dyn Outbox>,
    stop: CancellationToken,
}

impl OutcomeWriter {
    pub(super) fn new(channel: &str, outbox: &Arc<dyn Outbox>, stop: &CancellationToken) -> OutcomeWriter {
        OutcomeWriter { channel: channel.to_owned(), outbox: Arc::clone(outbox), stop: stop.clone() }
    }

    /// Makes outcomes durable. While the store is unavailable it waits until the leases end. When they ended, or when the
    /// daemon stops before, what was sent is sent again, with the same id.
    pub(super) async fn settle(&self, settled: Vec<(Lease, Settlement)>) {
        let Some(until) = settled.iter().map(|(lease, _)| lease.until()).max() else { return };
        let mut reported = false;
        loop {
            let error = match self.outbox.settle(settled.clone(), clock::now()).await {
                Ok(0) => return,
                Ok(stale) => {
                    return tracing::warn!(
                        channel = self.channel,
                        stale,
                        "leases had ended before their calls; these deliveries are sent again"
                    );
                }
                Err(error) => error,
            };
            let again = matches!(error, StoreError::Unavailable { .. }) && clock::now() < until;
            if !again || self.stop.is_cancelled() {
                let (channel, count, error) = (&self.channel, settled.len(), chain(&error));
                return tracing::error!(
                    channel,
                    count,
                    error,
                    "outcomes could not be stored; these deliveries are sent again"
                );
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

    /// Gives leases back, so that their deliveries are due again. Where that fails they expire by themselves.
    pub(super) async fn release(&self, leases: Vec<Lease>) {
        if leases.is_empty() {
            return;
        }
        if let Err(error) = self.outbox.release(leases).await {
            let error = chain(&error);
            tracing::warn!(channel = self.channel, error, "leases could not be given back; they expire");
        }
    }
}
