//! The pruner: forgets messages that are older than `retention.messages`.

use std::sync::Arc;
use std::time::Duration;

use tidings_store::Maintenance;
use tokio_util::sync::CancellationToken;

use crate::clock;
use crate::telemetry::chain;

/// How often old messages are forgotten.
const PRUNE_EVERY: Duration = Duration::from_secs(3600);

/// Works until `stop`.
pub(super) async fn prune(store: Arc<dyn Maintenance>, retention: Duration, stop: CancellationToken) {
    while stop.run_until_cancelled(tokio::time::sleep(PRUNE_EVERY)).await.is_some() {
        match store.prune(clock::now().before(retention)).await {
            Ok(0) => {}
            Ok(forgotten) => tracing::info!(forgotten, "old messages are forgotten"),
            Err(error) => {
                let error = chain(&error);
                tracing::warn!(error, "old messages could not be forgotten; it is tried again in an hour");
            }
        }
    }
}
