//! A worker as its owner holds it, and as others see it. Reading a worker never waits for it.

use std::sync::Arc;
use std::time::Duration;

use tidings_domain::time::Timestamp;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::dispatch::plugin_runner::PluginRunner;
use crate::dispatch::version_set::VersionSet;

/// A channel's pause: its plugin asked for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChannelRest {
    pub until: Timestamp,
    /// What the plugin said.
    pub reason: String,
}

/// A running worker. Dropping this stops it too, without the last call of a resident plugin.
pub struct WorkerHandle {
    stop: DropGuard,
    task: JoinHandle<()>,
    versions: watch::Sender<Arc<VersionSet>>,
    monitor: WorkerMonitor,
    grace: Duration,
}

/// What a worker does, for readers. It outlives the worker, and then has its last state.
#[derive(Clone)]
pub struct WorkerMonitor {
    versions: watch::Receiver<Arc<VersionSet>>,
    rest: watch::Receiver<Option<ChannelRest>>,
}

impl WorkerHandle {
    pub(super) fn new(
        stop: CancellationToken,
        task: JoinHandle<()>,
        versions: watch::Sender<Arc<VersionSet>>,
        rest: watch::Receiver<Option<ChannelRest>>,
        grace: Duration,
    ) -> WorkerHandle {
        let monitor = WorkerMonitor { versions: versions.subscribe(), rest };
        WorkerHandle { stop: stop.drop_guard(), task, versions, monitor, grace }
    }

    /// Stops the worker: calls in flight may finish within the grace, then they are cut off; a resident plugin gets its last
    /// call, within the grace again. Returns when nothing of it runs any more.
    pub async fn stop(self) {
        self.stop.disarm().cancel();
        if let Err(error) = self.task.await {
            tracing::error!(error = %error, "a channel's worker panicked while it stopped; its leases expire");
        }
        let versions = Arc::clone(&self.versions.borrow());
        versions.active.runner.end(self.grace).await;
    }

    /// From now on the worker calls these versions. Calls in flight are not interrupted.
    pub fn call(&self, versions: VersionSet) {
        self.versions.send_replace(Arc::new(versions));
    }

    /// What readers see of the worker.
    pub fn monitor(&self) -> &WorkerMonitor {
        &self.monitor
    }
}

impl WorkerMonitor {
    /// The versions that the worker calls.
    pub fn versions(&self) -> Arc<VersionSet> {
        Arc::clone(&self.versions.borrow())
    }

    /// What calls the active version.
    pub fn runner(&self) -> Arc<PluginRunner> {
        Arc::clone(&self.versions.borrow().active.runner)
    }

    /// The channel's last pause, which may be over; none where its last call went well.
    pub fn rest(&self) -> Option<ChannelRest> {
        self.rest.borrow().clone()
    }
}
