//! What carries a channel's deliveries out of the daemon: a closed set, so that the worker and its calls need not know which
//! it is. It knows nothing of leases and outcomes' meaning.

use std::future::Future;
use std::sync::OnceLock;
use std::time::Duration;

use crate::dispatch::limits;
use tidings_domain::manifest::Lifetime;
use tidings_domain::outcome::{CrashKind, Outcome};
use tidings_sandbox::{Batch, CallReport, CallStats, Plugin, ResidentHandle, ResidentStats};

/// What is called with a batch.
pub enum InstanceKind {
    /// A fresh instance of the plugin for each batch.
    PerCall(Plugin),
    /// One instance over all batches.
    Resident(LazyResident),
}

/// A resident plugin, and its life once that has begun.
pub struct LazyResident {
    plugin: Plugin,
    life: OnceLock<ResidentHandle>,
}

impl InstanceKind {
    /// As the plugin's manifest has it. Nothing runs yet.
    pub fn of(plugin: Plugin) -> InstanceKind {
        match plugin.lifetime() {
            Lifetime::PerCall => InstanceKind::PerCall(plugin),
            Lifetime::Resident => InstanceKind::Resident(LazyResident { plugin, life: OnceLock::new() }),
        }
    }

    /// Starts what is to run also where nothing is to be delivered. Must be called within a runtime.
    pub(super) fn begin(&self) {
        if let InstanceKind::Resident(lodging) = self {
            lodging.life();
        }
    }

    /// Ends what runs: a resident plugin gets its last call, within `grace`.
    pub(super) async fn end(&self, grace: Duration) {
        if let InstanceKind::Resident(LazyResident { life, .. }) = self
            && let Some(resident) = life.get()
        {
            resident.stop(grace).await;
        }
    }

    /// How many batches may be under way at once, where `configured` are allowed.
    pub(super) fn window(&self, configured: usize) -> usize {
        match self {
            InstanceKind::PerCall(_) => configured,
            InstanceKind::Resident(_) => configured.min(1),
        }
    }

    /// Hands over a batch; see `Plugin::deliver_until`.
    pub(super) async fn deliver_until(
        &self,
        batch: &Batch,
        cut_off: impl Future<Output = ()>,
    ) -> Result<CallReport, Vec<Option<Outcome>>> {
        match self {
            InstanceKind::PerCall(plugin) => plugin.deliver_until(batch, cut_off).await,
            InstanceKind::Resident(lodging) => lodging.life().deliver_until(batch, cut_off).await,
        }
    }

    /// Hands over a batch that has nothing to do with the queue: to the resident that runs, else to one that lives for it.
    pub(super) async fn deliver_once(&self, batch: &Batch) -> CallReport {
        match self {
            InstanceKind::PerCall(plugin) => plugin.deliver(batch).await,
            InstanceKind::Resident(LazyResident { plugin, life }) => match life.get() {
                Some(resident) => resident.deliver(batch).await,
                None => {
                    let resident = plugin.start_resident();
                    let report = resident.deliver(batch).await;
                    resident.stop(limits::STOP_GRACE).await;
                    report
                }
            },
        }
    }

    /// What its instances did, where it is one that lives on and has begun.
    pub(super) fn life(&self) -> Option<ResidentStats> {
        match self {
            InstanceKind::PerCall(_) => None,
            InstanceKind::Resident(LazyResident { life, .. }) => life.get().map(ResidentHandle::stats),
        }
    }
}

impl InstanceKind {
    /// Waits until a resident plugin has crashed more often than `seen` times with nothing to deliver.
    pub(super) async fn idle_crash(&self, seen: u64) -> ResidentStats {
        if let InstanceKind::Resident(LazyResident { life, .. }) = self
            && let Some(resident) = life.get()
        {
            return resident.idle_crash(seen).await;
        }
        std::future::pending().await
    }

    /// What a resident plugin used apart from deliveries, since this was asked last.
    pub(super) fn take_used(&self) -> Option<CallStats> {
        match self {
            InstanceKind::PerCall(_) => None,
            InstanceKind::Resident(LazyResident { life, .. }) => life.get().map(ResidentHandle::take_used),
        }
    }

    /// The normal form of a user's address, or why it is none; see `Plugin::check_address`.
    pub(super) async fn check_address(
        &self,
        user: &str,
        address: &str,
    ) -> Result<Result<String, String>, (CrashKind, String)> {
        let plugin = match self {
            InstanceKind::PerCall(plugin) | InstanceKind::Resident(LazyResident { plugin, .. }) => plugin,
        };
        let checked = plugin.check_address(address).await?;
        let is_theirs = |normal: &String| !plugin.manifest().address_is_account || normal == user;
        Ok(checked.and_then(|normal| if is_theirs(&normal) { Ok(normal) } else { Err("somebody else's".to_owned()) }))
    }
}

impl LazyResident {
    fn life(&self) -> &ResidentHandle {
        self.life.get_or_init(|| self.plugin.start_resident())
    }
}
