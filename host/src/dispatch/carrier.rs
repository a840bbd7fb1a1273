//! What carries a channel's deliveries out of the daemon: a closed set, so that the worker and its calls need not know which
//! it is. It knows nothing of leases and outcomes' meaning.

use std::future::Future;
use std::sync::OnceLock;
use std::time::Duration;

use tidings_domain::limits;
use tidings_domain::manifest::Lifetime;
use tidings_domain::outcome::Outcome;
use tidings_sandbox::{Parcel, Plugin, Report, Resident, ResidentStats};

/// What is called with a batch.
pub enum Carrier {
    /// A fresh instance of the plugin for each batch.
    PerCall(Plugin),
    /// One instance over all batches.
    Resident(Lodging),
}

/// A resident plugin, and its life once that has begun.
pub struct Lodging {
    plugin: Plugin,
    life: OnceLock<Resident>,
}

impl Carrier {
    /// As the plugin's manifest has it. Nothing runs yet.
    pub fn of(plugin: Plugin) -> Carrier {
        match plugin.lifetime() {
            Lifetime::PerCall => Carrier::PerCall(plugin),
            Lifetime::Resident => Carrier::Resident(Lodging { plugin, life: OnceLock::new() }),
        }
    }

    /// Starts what is to run also where nothing is to be delivered. Must be called within a runtime.
    pub(super) fn begin(&self) {
        if let Carrier::Resident(lodging) = self {
            lodging.life();
        }
    }

    /// Ends what runs: a resident plugin gets its last call, within `grace`.
    pub(super) async fn end(&self, grace: Duration) {
        if let Carrier::Resident(Lodging { life, .. }) = self
            && let Some(resident) = life.get()
        {
            resident.stop(grace).await;
        }
    }

    /// How many batches may be under way at once, where `configured` are allowed.
    pub(super) fn window(&self, configured: usize) -> usize {
        match self {
            Carrier::PerCall(_) => configured,
            Carrier::Resident(_) => configured.min(1),
        }
    }

    /// Hands over a batch; see `Plugin::deliver_until`.
    pub(super) async fn deliver_until(
        &self,
        batch: &[Parcel<'_>],
        cut_off: impl Future<Output = ()>,
    ) -> Result<Report, Vec<Option<Outcome>>> {
        match self {
            Carrier::PerCall(plugin) => plugin.deliver_until(batch, cut_off).await,
            Carrier::Resident(lodging) => lodging.life().deliver_until(batch, cut_off).await,
        }
    }

    /// Hands over a batch that has nothing to do with the queue: to the resident that runs, else to one that lives for it.
    pub(super) async fn deliver_once(&self, batch: &[Parcel<'_>]) -> Report {
        match self {
            Carrier::PerCall(plugin) => plugin.deliver(batch).await,
            Carrier::Resident(Lodging { plugin, life }) => match life.get() {
                Some(resident) => resident.deliver(batch).await,
                None => {
                    let resident = plugin.reside();
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
            Carrier::PerCall(_) => None,
            Carrier::Resident(Lodging { life, .. }) => life.get().map(Resident::stats),
        }
    }
}

impl Lodging {
    fn life(&self) -> &Resident {
        self.life.get_or_init(|| self.plugin.reside())
    }
}
