//! One version of a channel's plugin, ready to be called: its instances and what a call needs beside the deliveries. It
//! hides whether each call has an instance of its own or one instance lives over all calls. It decides nothing about
//! deliveries.

mod call;

use std::future::Future;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tidings_domain::delivery::Delivery;
use tidings_domain::manifest::Lifetime;
use tidings_domain::outcome::{CrashKind, Outcome};
use tidings_sandbox::{Batch, CallReport, CallStats, Plugin, ResidentHandle, ResidentStats};

use super::limits;
use crate::link_signer::LinkSigner;
use crate::matching_state::MatchingState;

pub(super) use call::CallOutcome;

/// Calls one version of a channel's plugin.
pub struct PluginRunner {
    channel: String,
    plugin: Plugin,
    instances: Instances,
    links: Arc<LinkSigner>,
    matching: Arc<MatchingState>,
    deadline: Duration,
}

/// The instances that calls run in.
enum Instances {
    /// A fresh one for each call.
    PerCall,
    /// One over all calls, from the first use on.
    Resident(OnceLock<ResidentHandle>),
}

impl PluginRunner {
    /// Nothing runs yet. `deadline` is the plugin's limit for one call; the catalogue in `matching` folds digests.
    pub fn new(
        channel: String,
        plugin: Plugin,
        links: Arc<LinkSigner>,
        matching: Arc<MatchingState>,
        deadline: Duration,
    ) -> PluginRunner {
        let instances = match plugin.lifetime() {
            Lifetime::PerCall => Instances::PerCall,
            Lifetime::Resident => Instances::Resident(OnceLock::new()),
        };
        PluginRunner { channel, plugin, instances, links, matching, deadline }
    }

    /// How long one call may take.
    pub fn deadline(&self) -> Duration {
        self.deadline
    }

    /// Whether one instance lives as long as the channel.
    pub fn is_resident(&self) -> bool {
        matches!(self.instances, Instances::Resident(_))
    }

    /// Starts a resident plugin, which runs also where nothing is to be delivered. Must be called within a runtime.
    pub(super) fn begin(&self) {
        if let Instances::Resident(handle) = &self.instances {
            self.started(handle);
        }
    }

    /// Ends a resident plugin: it gets its last call, within `grace`.
    pub(super) async fn end(&self, grace: Duration) {
        if let Some(resident) = self.resident() {
            resident.stop(grace).await;
        }
    }

    /// How many calls may be in flight at once, where `configured` are allowed.
    pub(super) fn window(&self, configured: usize) -> usize {
        if self.is_resident() { configured.min(1) } else { configured }
    }

    /// What the instances of a resident plugin did; none for other plugins and before it was started.
    pub fn resident_stats(&self) -> Option<ResidentStats> {
        self.resident().map(ResidentHandle::stats)
    }

    /// Waits until a resident plugin has crashed more often than `seen` times with nothing to deliver. For other plugins it
    /// never returns.
    pub(super) async fn idle_crash(&self, seen: u64) -> ResidentStats {
        match self.resident() {
            Some(resident) => resident.idle_crash(seen).await,
            None => std::future::pending().await,
        }
    }

    /// What a resident plugin used apart from deliveries, since this was called last.
    pub(super) fn take_used(&self) -> Option<CallStats> {
        self.resident().map(ResidentHandle::take_used)
    }

    /// Sends one delivery that is not in the outbox, such as a test. Returns none where the call ended without an outcome.
    ///
    /// The call goes on where its caller is dropped: cutting it off would cost a resident plugin its connections.
    pub async fn send(self: Arc<Self>, delivery: Delivery) -> Option<Outcome> {
        let batch = Batch::from([self.request(&Arc::new(delivery))]);
        let call = async move { self.deliver_once(&batch).await.outcomes.pop() };
        tokio::spawn(call).await.ok().flatten()
    }

    /// Runs a batch in the resident instance where one runs, else in an instance for this batch alone.
    async fn deliver_once(&self, batch: &Batch) -> CallReport {
        match (&self.instances, self.resident()) {
            (Instances::PerCall, _) => self.plugin.deliver(batch).await,
            (Instances::Resident(_), Some(resident)) => resident.deliver(batch).await,
            (Instances::Resident(_), None) => {
                let resident = self.plugin.start_resident();
                let report = resident.deliver(batch).await;
                resident.stop(limits::STOP_GRACE).await;
                report
            }
        }
    }

    /// Runs a batch; see `Plugin::deliver_until`.
    async fn deliver_until(
        &self,
        batch: &Batch,
        cut_off: impl Future<Output = ()>,
    ) -> Result<CallReport, Vec<Option<Outcome>>> {
        match &self.instances {
            Instances::PerCall => self.plugin.deliver_until(batch, cut_off).await,
            Instances::Resident(handle) => self.started(handle).deliver_until(batch, cut_off).await,
        }
    }

    /// The normal form of a user's address, or why the plugin refuses it; see `Plugin::check_address`.
    async fn check_address(&self, user: &str, address: &str) -> Result<Result<String, String>, (CrashKind, String)> {
        let checked = self.plugin.check_address(address).await?;
        let may_have = |normal: &String| !self.plugin.manifest().address_is_account || normal == user;
        Ok(checked.and_then(|normal| {
            if may_have(&normal) { Ok(normal) } else { Err("it belongs to another account".to_owned()) }
        }))
    }

    fn resident(&self) -> Option<&ResidentHandle> {
        match &self.instances {
            Instances::PerCall => None,
            Instances::Resident(handle) => handle.get(),
        }
    }

    fn started<'a>(&self, handle: &'a OnceLock<ResidentHandle>) -> &'a ResidentHandle {
        handle.get_or_init(|| self.plugin.start_resident())
    }
}
