//! The channels as a service: what an administrator does with them (install, configure, grant, enable, disable, test,
//! upgrade) and the dispatchers that run for the enabled ones. Every change is stored first and takes effect at once,
//! without a restart. A channel that cannot be started is reported with its reason and holds its deliveries; the others run.

mod change;
mod component_cache;
mod config_compat;
mod confirmation;
mod error;
mod host;
mod inbox;
pub(crate) mod limits;
mod logs;
mod questions;
mod reconciler;
mod residents;
mod upgrade;
mod view;

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use tidings_domain::manifest::Lifetime;
use tidings_domain::time::Timestamp;
use tidings_sandbox::{Admitted, ChannelSettings, Sandbox};
use tidings_store::{Channel, Store, StoreError};
use tokio::sync::{Mutex, MutexGuard, mpsc};
use tokio_util::sync::CancellationToken;

pub use confirmation::ConfirmationRequest;
pub use error::ChannelError;
pub use host::PluginHost;
pub use logs::{LogLine, LogTails};
pub use residents::ResidentView;
pub use upgrade::Upgrade;
pub use view::{ChannelState, ChannelView, CredentialRequestView, GrantRequestView, VersionView};

use component_cache::ComponentCache;

use crate::clock;
use crate::dispatch::{
    CallableVersion, DispatchSettings, InstanceKind, PluginRunner, Rollout, RolloutReport, RolloutReports,
    RolloutVerdict, VersionSet, Wakers, Worker, WorkerHandle,
};
use crate::link_signer::LinkSigner;
use crate::matching_state::MatchingState;
use crate::telemetry::{ChannelLabel, Metrics, VersionLabel};
use crate::trust::Trust;

/// Reports that wait for a decision; a worker has one at most.
const FINDINGS: usize = 64;

/// What channels are run with.
pub struct Environment {
    pub store: Arc<dyn Store>,
    pub sandbox: Sandbox,
    pub trust: Arc<Trust>,
    pub host: Arc<PluginHost>,
    pub links: Arc<LinkSigner>,
    pub knowledge: Arc<MatchingState>,
    pub wakers: Arc<Wakers>,
    pub metrics: Arc<Metrics>,
    pub dispatch: DispatchSettings,
}

/// All channels.
pub struct Channels {
    environment: Environment,
    /// Held during a change, so that changes come one after the other.
    workers: Mutex<HashMap<String, Slot>>,
    shelf: ComponentCache,
    findings: RolloutReports,
    /// Fleets that were made.
    fleets: AtomicU64,
    /// Ends what watches over them.
    stop: CancellationToken,
}

/// What stands for an enabled channel.
enum Slot {
    Running(WorkerHandle),
    Failed(Failure),
}

/// Why an enabled channel does not run, and when that is tried again.
struct Failure {
    reason: String,
    rest: Duration,
    again: Timestamp,
}

/// The right to make a change: taken before the channel is read, so that no other change comes between.
type Workers<'a> = MutexGuard<'a, HashMap<String, Slot>>;

impl Channels {
    /// All channels, none of them started; what their workers find out is acted on from here on.
    pub fn new(environment: Environment) -> Arc<Channels> {
        let (findings, found) = mpsc::channel::<RolloutReport>(FINDINGS);
        let stop = CancellationToken::new();
        let channels = Arc::new(Channels {
            environment,
            workers: Mutex::default(),
            shelf: ComponentCache::default(),
            findings,
            fleets: AtomicU64::new(0),
            stop: stop.clone(),
        });
        let overseen: Weak<Channels> = Arc::downgrade(&channels);
        tokio::spawn(reconciler::act(Weak::clone(&overseen), found, stop.clone()));
        tokio::spawn(reconciler::sweep(overseen, stop));
        channels
    }

    /// Forgets the compiled code of components that are not installed.
    async fn forget_code(&self) -> Result<(), StoreError> {
        let components = self.environment.store.components().await?;
        self.environment.sandbox.keep_only(components.into_iter().map(|component| component.digest).collect()).await;
        Ok(())
    }

    /// Starts every enabled channel. One that cannot start is reported and left out.
    pub async fn start(&self) -> Result<(), StoreError> {
        self.forget_code().await?;
        let mut workers = self.workers.lock().await;
        for channel in self.environment.store.channels().await? {
            self.restart(&mut workers, &channel).await;
        }
        Ok(())
    }

    /// Stops every channel: calls in flight may finish within the grace. None is started any more.
    pub async fn stop(&self) {
        self.stop.cancel();
        let workers = std::mem::take(&mut *self.workers.lock().await);
        let stops = workers.into_values().filter_map(|slot| match slot {
            Slot::Running(worker) => Some(worker.stop()),
            Slot::Failed(_) => None,
        });
        futures::future::join_all(stops).await;
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
    /// Where that cannot be now, what runs goes on, and `tend` takes it into use later.
    async fn exchange(&self, mut workers: Workers<'_>, channel: Channel) -> Result<ChannelView, ChannelError> {
        let running = match workers.get(&channel.name) {
            Some(Slot::Running(worker)) if channel.enabled && worker.fleet().is_shareable() => Some(worker),
            _ => None,
        };
        let fleet = match running {
            Some(_) => Some(self.fleet(&channel).await),
            None => None,
        };
        match (running, fleet) {
            (Some(worker), Some(Ok(fleet))) if fleet.is_shareable() => worker.call(fleet),
            (Some(_), Some(Err(error))) if error.is_passing() => {
                tracing::warn!(channel = channel.name, %error, "other versions cannot be taken into use yet");
            }
            _ => self.restart(&mut workers, &channel).await,
        }
        self.mark(&channel);
        drop(workers);
        self.view_of(channel).await
    }

    async fn restart(&self, workers: &mut HashMap<String, Slot>, channel: &Channel) {
        // Whoever stops everything waits for the workers too, or has them already: it would not see another one.
        if self.stop.is_cancelled() {
            return;
        }
        let before = match workers.remove(&channel.name) {
            Some(Slot::Running(worker)) => {
                worker.stop().await;
                None
            }
            Some(Slot::Failed(failure)) => Some(failure),
            None => None,
        };
        self.mark(channel);
        if !channel.enabled || channel.life.quarantine.is_some() {
            return;
        }
        let slot = match self.fleet(channel).await {
            Ok(fleet) => Slot::Running(self.worker(&channel.name).start(fleet)),
            Err(error) => Slot::Failed(failed(&channel.name, before, &error)),
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

    /// The versions that the channel's worker is to call. A candidate that cannot run has failed its trial; one that
    /// cannot now is left out, and `tend` takes it into use later.
    async fn fleet(&self, channel: &Channel) -> Result<VersionSet, ChannelError> {
        let number = self.fleets.fetch_add(1, Ordering::Relaxed);
        let active = self.version(channel, &channel.component).await?;
        if let Some(candidate) = &channel.life.candidate {
            match self.version(channel, &candidate.component).await {
                Ok(version) => {
                    return Ok(VersionSet {
                        number,
                        active,
                        trial: Rollout::Canary { candidate: version, plan: candidate.plan },
                    });
                }
                Err(error) if error.is_passing() => {
                    tracing::warn!(channel = channel.name, %error, "the version on trial cannot start yet");
                }
                Err(error) => {
                    let finding = RolloutReport {
                        channel: channel.name.clone(),
                        fleet: number,
                        component: candidate.component.as_str().into(),
                        verdict: RolloutVerdict::Failed,
                        reason: format!("it cannot start: {error}"),
                    };
                    // Where there is no room, `tend` comes here again.
                    let _ = self.findings.try_send(finding);
                }
            }
        }
        let watched =
            channel.life.watched_until(tidings_domain::limits::WATCH_TIME).filter(|until| clock::now() < *until);
        Ok(VersionSet { number, active, trial: watched.map_or(Rollout::None, |until| Rollout::Watch { until }) })
    }

    /// A version that may run in this channel, and the configuration it would run with, which is complete.
    async fn checked(
        &self,
        channel: &Channel,
        component: &str,
    ) -> Result<(Admitted, BTreeMap<String, String>), ChannelError> {
        let admitted = self.admitted(component).await?;
        let config = config_compat::complete(admitted.manifest(), &channel.config)?;
        let lack = admitted.manifest().check_credentials(&config, &channel.grants);
        lack.map_err(|lack| ChannelError::NotReady(lack.to_string()))?;
        Ok((admitted, config))
    }

    /// One version of the channel's plugin, ready to send.
    async fn version(&self, channel: &Channel, component: &str) -> Result<CallableVersion, ChannelError> {
        let (admitted, config) = self.checked(channel, component).await?;
        let label = VersionLabel::new(&channel.name, admitted.manifest(), component);
        let resident = admitted.manifest().lifetime == Lifetime::Resident;
        let carrier = InstanceKind::of(self.plugin(channel, &admitted, config));
        let deadline = std::time::Duration::from_millis(channel.limits.deadline_ms);
        let (links, knowledge) = (Arc::clone(&self.environment.links), Arc::clone(&self.environment.knowledge));
        let sender = Arc::new(PluginRunner::new(channel.name.clone(), carrier, links, knowledge, deadline));
        Ok(CallableVersion { component: component.into(), sender, label, resident })
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
            (Some(Slot::Failed(failure)), None) => ChannelState::Failed { reason: failure.reason.clone() },
            (Some(Slot::Running(worker)), None) => match worker.status().resting {
                Some((until, reason)) if clock::now() < until => ChannelState::Resting { until, reason },
                _ => ChannelState::Running,
            },
        };
        Ok(ChannelView { resident, ..ChannelView::new(channel, manifest, state) })
    }
}

/// A channel cannot start: it rests, longer each time. The same reason is told once.
fn failed(channel: &str, before: Option<Failure>, error: &ChannelError) -> Failure {
    let reason = error.to_string();
    if before.as_ref().is_none_or(|before| before.reason != reason) {
        tracing::error!(channel, error = reason, "the channel cannot start; deliveries are held");
    }
    let rest = before.map_or(limits::FAILED_REST_MIN, |before| (before.rest * 2).min(limits::FAILED_REST_MAX));
    Failure { reason, rest, again: clock::now().after(rest) }
}

/// Whether a channel may be called so.
pub fn is_channel_name(name: &str) -> bool {
    (1..=tidings_domain::limits::CHANNEL_NAME_CHARS).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
}
