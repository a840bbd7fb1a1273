//! The channels as a service: what an administrator does with them (install, configure, grant, enable, disable, test,
//! upgrade) and the dispatchers that run for the enabled ones. Every change is stored first and takes effect at once,
//! without a restart. A channel that cannot be started is reported with its reason and holds its deliveries; the others run.

mod change;
mod error;
mod fit;
mod host;
mod inbox;
mod logs;
mod oversee;
mod questions;
mod residents;
mod upgrade;
mod view;

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Weak};

use tidings_domain::limits;
use tidings_domain::manifest::{Lifetime, Manifest};
use tidings_sandbox::{Admitted, ChannelSettings, Sandbox};
use tidings_store::{Channel, ComponentInfo, Store, StoreError};
use tokio::sync::{Mutex, MutexGuard, mpsc};
use tokio_util::sync::CancellationToken;

pub use error::ChannelError;
pub use host::PluginHost;
pub use logs::{LogLine, LogTails};
pub use residents::ResidentView;
pub use upgrade::Upgrade;
pub use view::{Ask, ChannelState, ChannelView, CredentialAsk, VersionView};

use crate::clock;
use crate::dispatch::{
    Carrier, Dispatch, Finding, Findings, Fleet, Sender, Trial, Version, Wakers, Worker, WorkerHandle,
};
use crate::knowledge::Knowledge;
use crate::links::Links;
use crate::telemetry::{ChannelLabel, Metrics, VersionLabel};
use crate::trust::Trust;

/// Findings that wait for a decision; a worker has one at most.
const FINDINGS: usize = 64;

/// What channels are run with.
pub struct Environment {
    pub store: Arc<dyn Store>,
    pub sandbox: Sandbox,
    pub trust: Trust,
    pub host: Arc<PluginHost>,
    pub links: Arc<Links>,
    pub knowledge: Arc<Knowledge>,
    pub wakers: Arc<Wakers>,
    pub metrics: Arc<Metrics>,
    pub dispatch: Dispatch,
}

/// All channels.
pub struct Channels {
    environment: Environment,
    /// Held during a change, so that changes come one after the other.
    workers: Mutex<HashMap<String, Slot>>,
    /// Components that were admitted, by digest.
    admitted: Mutex<HashMap<String, Admitted>>,
    findings: Findings,
    /// Ends what watches over them.
    stop: CancellationToken,
}

/// What stands for an enabled channel.
enum Slot {
    Running(WorkerHandle),
    Failed(String),
}

/// The right to make a change: taken before the channel is read, so that no other change comes between.
type Workers<'a> = MutexGuard<'a, HashMap<String, Slot>>;

impl Channels {
    /// All channels, none of them started; what their workers find out is acted on from here on.
    pub fn new(environment: Environment) -> Arc<Channels> {
        let (findings, found) = mpsc::channel::<Finding>(FINDINGS);
        let stop = CancellationToken::new();
        let channels = Arc::new(Channels {
            environment,
            workers: Mutex::default(),
            admitted: Mutex::default(),
            findings,
            stop: stop.clone(),
        });
        let overseen: Weak<Channels> = Arc::downgrade(&channels);
        tokio::spawn(oversee::oversee(overseen, found, stop));
        channels
    }

    /// Starts every enabled channel. One that cannot start is reported and left out.
    pub async fn start(&self) -> Result<(), StoreError> {
        let components = self.environment.store.components().await?;
        self.environment.sandbox.keep_only(components.into_iter().map(|component| component.digest).collect()).await;
        let mut workers = self.workers.lock().await;
        for channel in self.environment.store.channels().await? {
            self.restart(&mut workers, &channel).await;
        }
        Ok(())
    }

    /// Stops every channel: calls in flight may finish within the grace.
    pub async fn stop(&self) {
        self.stop.cancel();
        let workers = std::mem::take(&mut *self.workers.lock().await);
        let stops = workers.into_values().filter_map(|slot| match slot {
            Slot::Running(worker) => Some(worker.stop()),
            Slot::Failed(_) => None,
        });
        futures::future::join_all(stops).await;
    }

    /// Checks a component and keeps it. The same file again is no error.
    pub async fn install(&self, file: &[u8], signature: Option<&str>) -> Result<ComponentInfo, ChannelError> {
        let signer = self.environment.trust.verify(file, signature)?;
        let admitted = self.environment.sandbox.admit(file).await?;
        if let Some(signer) = &signer {
            signer.may_sign(&admitted.manifest().name)?;
        }
        let info = ComponentInfo {
            digest: admitted.digest().to_owned(),
            manifest: admitted.manifest().clone(),
            bytes: file.len() as u64,
            installed_at: clock::now(),
            signed_by: signer.map(|signer| signer.name().to_owned()),
        };
        self.environment.store.put_component(&info, file).await?;
        self.admitted.lock().await.insert(info.digest.clone(), admitted);
        tracing::info!(plugin = info.manifest.name, version = info.manifest.version, digest = info.digest, "installed");
        Ok(info)
    }

    /// Every channel.
    pub async fn list(&self) -> Result<Vec<ChannelView>, ChannelError> {
        let mut views = Vec::new();
        for channel in self.environment.store.channels().await? {
            views.push(self.view_of(channel).await?);
        }
        Ok(views)
    }

    /// One channel.
    pub async fn view(&self, name: &str) -> Result<ChannelView, ChannelError> {
        self.view_of(self.environment.store.channel(name).await?).await
    }

    /// Whether the channel's plugin writes event streams.
    pub async fn writes_streams(&self, name: &str) -> Result<bool, ChannelError> {
        let channel = self.environment.store.channel(name).await?;
        Ok(self.admitted(&channel.component).await?.writes_streams())
    }

    /// Makes a channel's worker look for due deliveries now; without a name, every one.
    pub fn wake(&self, name: Option<&str>) {
        match name {
            Some(name) => self.environment.wakers.wake(name),
            None => self.environment.wakers.wake_all(),
        }
    }

    /// The last lines that the channel's plugin logged, behind the one of that number.
    pub async fn log_after(&self, name: &str, number: u64) -> Result<Vec<LogLine>, ChannelError> {
        self.environment.store.channel(name).await?;
        Ok(self.environment.host.logs().after(name, number))
    }

    /// Takes another version into use without an interruption, where that is possible; else by a restart of the worker.
    async fn exchange(&self, mut workers: Workers<'_>, channel: Channel) -> Result<ChannelView, ChannelError> {
        let fleet = match workers.get(&channel.name) {
            Some(Slot::Running(_)) if channel.enabled => self.fleet(&channel).await.ok().filter(Fleet::is_shareable),
            _ => None,
        };
        match (fleet, workers.get(&channel.name)) {
            (Some(fleet), Some(Slot::Running(worker))) => worker.call(fleet),
            _ => self.restart(&mut workers, &channel).await,
        }
        self.mark(&channel);
        drop(workers);
        self.view_of(channel).await
    }

    async fn restart(&self, workers: &mut HashMap<String, Slot>, channel: &Channel) {
        if let Some(Slot::Running(worker)) = workers.remove(&channel.name) {
            worker.stop().await;
        }
        self.mark(channel);
        if !channel.enabled || channel.life.quarantine.is_some() {
            return;
        }
        let slot = match self.fleet(channel).await {
            Ok(fleet) => Slot::Running(self.worker(&channel.name).start(fleet)),
            Err(error) => {
                tracing::error!(channel = channel.name, error = %error, "the channel cannot start; deliveries are held");
                Slot::Failed(error.to_string())
            }
        };
        workers.insert(channel.name.clone(), slot);
    }

    /// Lets operators be woken by a quarantine.
    fn mark(&self, channel: &Channel) {
        let label = ChannelLabel { channel: channel.name.clone() };
        let quarantined = i64::from(channel.life.quarantine.is_some());
        self.environment.metrics.quarantined.get_or_create(&label).set(quarantined);
    }

    fn worker(&self, channel: &str) -> Worker {
        let environment = &self.environment;
        Worker {
            channel: channel.to_owned(),
            store: Arc::clone(&environment.store),
            settings: environment.dispatch,
            waker: environment.wakers.register(channel),
            metrics: Arc::clone(&environment.metrics),
            findings: self.findings.clone(),
            stop: CancellationToken::new(),
        }
    }

    /// The versions that the channel's worker is to call. A candidate that cannot run is left out, and the log says why.
    async fn fleet(&self, channel: &Channel) -> Result<Fleet, ChannelError> {
        let active = self.version(channel, &channel.component).await?;
        if let Some(candidate) = &channel.life.candidate {
            match self.version(channel, &candidate.component).await {
                Ok(version) => {
                    let (plan, since) = (candidate.plan, candidate.since);
                    return Ok(Fleet { active, trial: Trial::Canary { candidate: version, plan, since } });
                }
                Err(error) => {
                    tracing::error!(channel = channel.name, %error, "the version on trial cannot start");
                }
            }
        }
        let watched = channel.life.watched_until(limits::WATCH_TIME).filter(|until| clock::now() < *until);
        Ok(Fleet { active, trial: watched.map_or(Trial::None, |until| Trial::Watch { until }) })
    }

    /// A version that may run in this channel, and the configuration it would run with, which is complete.
    async fn checked(
        &self,
        channel: &Channel,
        component: &str,
    ) -> Result<(Admitted, BTreeMap<String, String>), ChannelError> {
        let admitted = self.admitted(component).await?;
        let components = self.environment.store.components().await?;
        let signed_by = components.iter().find(|info| info.digest == component).and_then(|c| c.signed_by.as_deref());
        self.environment.trust.permits(signed_by, &admitted.manifest().name)?;
        let config = fit::complete(admitted.manifest(), &channel.config)?;
        let lack = admitted.manifest().check_credentials(&config, &channel.grants);
        lack.map_err(|lack| ChannelError::NotReady(lack.to_string()))?;
        Ok((admitted, config))
    }

    /// One version of the channel's plugin, ready to send.
    async fn version(&self, channel: &Channel, component: &str) -> Result<Version, ChannelError> {
        let (admitted, config) = self.checked(channel, component).await?;
        let Manifest { name, version, lifetime, .. } = admitted.manifest();
        let label = VersionLabel {
            channel: channel.name.clone(),
            plugin: name.clone(),
            version: version.clone(),
            component: component.chars().take(12).collect(),
        };
        let resident = *lifetime == Lifetime::Resident;
        let carrier = Carrier::of(self.plugin(channel, &admitted, config));
        let deadline = std::time::Duration::from_millis(channel.limits.deadline_ms);
        let (links, knowledge) = (Arc::clone(&self.environment.links), Arc::clone(&self.environment.knowledge));
        let sender = Arc::new(Sender::new(channel.name.clone(), carrier, links, knowledge, deadline));
        Ok(Version { component: component.into(), sender, label, resident })
    }

    fn plugin(
        &self,
        channel: &Channel,
        admitted: &Admitted,
        config: BTreeMap<String, String>,
    ) -> tidings_sandbox::Plugin {
        let settings = ChannelSettings {
            channel: channel.name.clone(),
            config,
            grants: channel.grants.clone(),
            limits: channel.limits,
        };
        let host = self.environment.host.for_version(&admitted.manifest().version);
        self.environment.sandbox.plugin(admitted, settings, host)
    }

    /// The component, from memory or from the store.
    async fn admitted(&self, digest: &str) -> Result<Admitted, ChannelError> {
        let mut admitted = self.admitted.lock().await;
        if let Some(known) = admitted.get(digest) {
            return Ok(known.clone());
        }
        let (_, file) = self.environment.store.component(digest).await?;
        let component = self.environment.sandbox.admit(&file).await?;
        admitted.insert(digest.to_owned(), component.clone());
        Ok(component)
    }

    /// What a component says of itself, also one that does not run here any more.
    async fn manifest(&self, digest: &str) -> Result<Manifest, ChannelError> {
        match self.admitted(digest).await {
            Ok(admitted) => Ok(admitted.manifest().clone()),
            Err(ChannelError::Admission(_)) => Ok(self.environment.store.component(digest).await?.0.manifest),
            Err(error) => Err(error),
        }
    }

    async fn view_of(&self, channel: Channel) -> Result<ChannelView, ChannelError> {
        let manifest = self.manifest(&channel.component).await?;
        let workers = self.workers.lock().await;
        let slot = workers.get(&channel.name);
        let resident = slot.and_then(Slot::life).map(ResidentView::from);
        let state = match (slot, &channel.life.quarantine) {
            _ if !channel.enabled => ChannelState::Disabled,
            (_, Some(quarantine)) => {
                ChannelState::Quarantined { since: quarantine.since, reason: quarantine.reason.clone() }
            }
            (None, None) => ChannelState::Disabled,
            (Some(Slot::Failed(reason)), None) => ChannelState::Failed { reason: reason.clone() },
            (Some(Slot::Running(worker)), None) => match worker.status().resting {
                Some((until, reason)) => ChannelState::Resting { until, reason },
                None => ChannelState::Running,
            },
        };
        Ok(ChannelView { resident, ..ChannelView::new(channel, manifest, state) })
    }
}

/// Whether a channel may be called so.
pub fn is_channel_name(name: &str) -> bool {
    (1..=limits::CHANNEL_NAME_CHARS).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
}
