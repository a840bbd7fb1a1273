//! The daemon while it runs: it obeys signals and watches its tasks until it is to stop, and then drains.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::AbortHandle;
use tokio_util::sync::CancellationToken;

use super::intake_parts::IntakeParts;
use super::signals::{SignalRequest, Signals};
use super::supervisor::{Supervisor, TaskFailure};
use crate::channels::Channels;

/// Everything that runs, and what stops it.
pub(super) struct RunningDaemon {
    pub(super) intake_parts: IntakeParts,
    pub(super) channels: Arc<Channels>,
    pub(super) supervisor: Supervisor,
    pub(super) sources: Vec<AbortHandle>,
    /// Ends the bus sources, and with them intake.
    pub(super) bus_stop: CancellationToken,
    /// Ends everything else.
    pub(super) stop: CancellationToken,
}

impl RunningDaemon {
    /// Waits for a signal to stop, and reloads where a signal says so.
    ///
    /// # Errors
    /// A task that panicked or ended.
    pub(super) async fn until_stop(&mut self, signals: &mut Signals, config_file: &Path) -> Result<(), TaskFailure> {
        loop {
            tokio::select! {
                request = signals.next() => match request {
                    SignalRequest::Reload => self.intake_parts.reload(config_file).await,
                    SignalRequest::Stop => return Ok(()),
                },
                failure = self.supervisor.failure() => {
                    tracing::error!(%failure, "a background task failed; the daemon stops");
                    return Err(failure);
                }
            }
        }
    }

    /// Stops in order: the sources, intake when the buffer is empty, the channels with their calls in flight, everything
    /// else. `grace` bounds the wait for intake, which may wait for the store.
    pub(super) async fn drain(mut self, grace: Duration) {
        self.bus_stop.cancel();
        self.sources.iter().for_each(AbortHandle::abort);
        if tokio::time::timeout(grace, self.supervisor.wait_for("intake")).await.is_err() {
            self.stop.cancel();
            self.supervisor.wait_for("intake").await;
        }
        self.channels.stop().await;
        self.stop.cancel();
        self.supervisor.wait_for_all().await;
        self.intake_parts.store.close().await;
    }
}
