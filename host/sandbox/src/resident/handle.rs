//! The daemon's side of a resident plugin: it passes batches to the task, cuts them off, reads statistics, and stops
//! it.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tidings_domain::outcome::Outcome;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::command::{DeliverCommand, ResidentCommand, busy, stopped};
use super::stats::ResidentStats;
use super::task::{self, ResidentTask};
use crate::delivery_request::Batch;
use crate::limits;
use crate::plugin::Plugin;
use crate::report::{CallReport, CallStats};

/// A channel's resident plugin. It runs from its start, whether there is something to deliver or not. Dropping the
/// handle ends it at once; [`ResidentHandle::stop`] lets the plugin finish.
pub struct ResidentHandle {
    commands: mpsc::Sender<ResidentCommand>,
    stats: Arc<watch::Sender<ResidentStats>>,
    task: JoinHandle<()>,
}

impl Plugin {
    /// Starts the plugin as a resident. Must be called within a tokio runtime.
    pub fn start_resident(&self) -> ResidentHandle {
        // A channel has one batch in flight; another one waits in its caller.
        let (commands, receiver) = mpsc::channel(1);
        let stats = Arc::<watch::Sender<ResidentStats>>::default();
        let resident = ResidentTask::new(self.clone(), Arc::clone(&stats));
        let executor = Arc::clone(&self.executor);
        let task = tokio::spawn(async move { executor.run(task::run(receiver, resident)).await });
        ResidentHandle { commands, stats, task }
    }
}

impl ResidentHandle {
    /// Delivers a batch. The report has one outcome for each delivery, whatever happens.
    pub async fn deliver(&self, batch: &Batch) -> CallReport {
        match self.deliver_until(batch, std::future::pending()).await {
            Ok(report) => report,
            Err(_) => stopped(batch.len()),
        }
    }

    /// Delivers a batch until `cut_off` completes: then the instance is dropped with its connections.
    ///
    /// # Errors
    /// The call was cut off. The value has the outcomes that the plugin had settled by then; of the other deliveries
    /// nothing is known.
    pub async fn deliver_until(
        &self,
        batch: &Batch,
        cut_off: impl Future<Output = ()>,
    ) -> Result<CallReport, Vec<Option<Outcome>>> {
        let nothing = || Err(vec![None; batch.len()]);
        let start_by = Instant::now() + limits::INSTANCE_WAIT;
        tokio::pin!(cut_off);
        let reserved = tokio::select! {
            reserved = tokio::time::timeout_at(start_by, self.commands.reserve()) => reserved,
            () = &mut cut_off => return nothing(),
        };
        let slot = match reserved {
            Ok(Ok(slot)) => slot,
            Ok(Err(_)) => return Ok(stopped(batch.len())),
            Err(_) => return Ok(busy(batch.len())),
        };
        let (stop, was_cut_off) = oneshot::channel();
        let (reply, mut result) = oneshot::channel();
        let command = DeliverCommand { batch: Arc::clone(batch), start_by, cut_off: was_cut_off, reply };
        slot.send(ResidentCommand::Deliver(command));
        let received = tokio::select! {
            received = &mut result => Some(received),
            () = &mut cut_off => None,
        };
        let received = match received {
            Some(received) => received,
            None => {
                drop(stop);
                result.await
            }
        };
        received.unwrap_or_else(|_| nothing())
    }

    pub fn stats(&self) -> ResidentStats {
        self.stats.borrow().clone()
    }

    /// Waits until the statistics meet `condition`, and returns them. Waits forever once the plugin has ended.
    pub async fn wait_for(&self, condition: impl FnMut(&ResidentStats) -> bool) -> ResidentStats {
        let met = self.stats.subscribe().wait_for(condition).await.map(|stats| stats.clone());
        match met {
            Ok(stats) => stats,
            Err(_) => std::future::pending().await,
        }
    }

    /// Takes what the wakes used since the last call of this.
    pub fn take_used(&self) -> CallStats {
        let mut used = CallStats::default();
        self.stats.send_if_modified(|stats| {
            used = std::mem::take(&mut stats.used);
            false
        });
        used
    }

    /// Waits until the plugin has crashed more often than `seen` times outside of deliveries.
    pub async fn idle_crash(&self, seen: u64) -> ResidentStats {
        self.wait_for(|stats| stats.idle_crashes > seen).await
    }

    /// Stops the plugin: it gets its last call, and is dropped with its connections when that has ended, at the latest
    /// after `grace`. Nothing of the instance remains when this returns. Later deliveries are postponed.
    pub async fn stop(&self, grace: Duration) {
        let stop = async {
            // The channel closes when the task has dropped everything that it owns.
            if self.commands.send(ResidentCommand::Stop { grace }).await.is_ok() {
                self.commands.closed().await;
            }
        };
        if tokio::time::timeout(grace, stop).await.is_err() {
            self.task.abort();
            self.commands.closed().await;
        }
    }
}

impl Drop for ResidentHandle {
    fn drop(&mut self) {
        self.task.abort();
    }
}
