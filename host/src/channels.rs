//! The channels as a service: what an administrator does with them (install, configure, grant, enable, disable, test) and
//! the dispatchers that run for the enabled ones. Every change is stored first and takes effect at once, without a
//! restart. A channel that cannot be started is reported with its reason and holds its deliveries; the others run.

mod host;
mod inbox;
mod residents;
mod view;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use tidings_domain::delivery::{Content, Delivery, DeliveryId, StoredEvent};
use tidings_domain::grant::{Credential, Grant, Grants};
use tidings_domain::limits;
use tidings_domain::manifest::{ConfigError, ConfigProblem, Manifest};
use tidings_domain::message::MessageId;
use tidings_domain::outcome::Outcome;
use tidings_domain::subscription::Style;
use tidings_sandbox::{Admitted, ChannelSettings, Sandbox};
use tidings_store::{Channel, ComponentInfo, Store, StoreError};
use tokio::sync::{Mutex, MutexGuard};
use tokio_util::sync::CancellationToken;

pub use host::PluginHost;
pub use residents::ResidentView;
pub use view::{Ask, ChannelState, ChannelView, CredentialAsk};

use crate::clock;
use crate::dispatch::{Carrier, Dispatch, Sender, Wakers, Worker, WorkerHandle};
use crate::knowledge::Knowledge;
use crate::links::Links;
use crate::telemetry::Metrics;
use crate::trust::{Distrust, Trust};

/// Why an administrator's wish was not carried out. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum ChannelError {
    /// The file is no component that can run here.
    #[error(transparent)]
    Admission(#[from] tidings_sandbox::AdmissionError),
    /// Nobody who is trusted made it.
    #[error("the component is not trusted: {0}")]
    Distrust(#[from] Distrust),
    /// The configuration does not fit the manifest's schema; one line for each mistake.
    #[error("the configuration is not good: {}", .0.join("; "))]
    Config(Vec<String>),
    #[error("`{0}` is no channel name: use 1 to {max} lower-case letters, digits and `-`", max = limits::CHANNEL_NAME_CHARS)]
    Name(String),
    /// The address is none of this channel's.
    #[error("the address is refused: {0}")]
    Address(String),
    /// The channel cannot run as it is; the reason says what is missing.
    #[error("the channel cannot start: {0}")]
    NotReady(String),
    #[error(transparent)]
    Store(#[from] StoreError),
}

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
}

/// What stands for an enabled channel.
enum Slot {
    Running(WorkerHandle),
    Failed(String),
}

/// The right to make a change: taken before the channel is read, so that no other change comes between.
type Workers<'a> = MutexGuard<'a, HashMap<String, Slot>>;

impl Channels {
    pub fn new(environment: Environment) -> Channels {
        Channels { environment, workers: Mutex::default(), admitted: Mutex::default() }
    }

    /// Starts every enabled channel. One that cannot start is reported and left out.
    pub async fn start(&self) -> Result<(), StoreError> {
        let mut workers = self.workers.lock().await;
        for channel in self.environment.store.channels().await? {
            self.restart(&mut workers, &channel).await;
        }
        Ok(())
    }

    /// Stops every channel: calls in flight may finish within the grace.
    pub async fn stop(&self) {
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

    /// Creates a channel, disabled, or switches it to another component; its configuration must fit that one.
    pub async fn put(&self, name: &str, component: &str) -> Result<ChannelView, ChannelError> {
        if !is_channel_name(name) {
            return Err(ChannelError::Name(name.to_owned()));
        }
        let admitted = self.admitted(component).await?;
        let workers = self.workers.lock().await;
        let existing = match self.environment.store.channel(name).await {
            Ok(channel) => Some(channel),
            Err(StoreError::Missing { .. }) => None,
            Err(error) => return Err(error.into()),
        };
        let channel = match existing {
            Some(channel) => {
                well_formed(admitted.manifest(), &channel.config)?;
                Channel { component: component.to_owned(), ..channel }
            }
            None => Channel {
                name: name.to_owned(),
                component: component.to_owned(),
                config: BTreeMap::new(),
                grants: Grants::default(),
                limits: limits::PluginLimits::default(),
                enabled: false,
            },
        };
        self.change(workers, channel).await
    }

    /// Sets configuration values; none removes one. Values are checked now, whether all required ones are there when the
    /// channel is enabled.
    pub async fn configure(
        &self,
        name: &str,
        values: BTreeMap<String, Option<String>>,
    ) -> Result<ChannelView, ChannelError> {
        let workers = self.workers.lock().await;
        let mut channel = self.environment.store.channel(name).await?;
        for (key, value) in values {
            match value {
                Some(value) => channel.config.insert(key, value),
                None => channel.config.remove(&key),
            };
        }
        let manifest = self.admitted(&channel.component).await?.manifest().clone();
        if channel.enabled {
            manifest.configure(&channel.config).map_err(mistakes)?;
        } else {
            well_formed(&manifest, &channel.config)?;
        }
        self.change(workers, channel).await
    }

    /// Replaces what the channel may reach, its credentials, or both; what is not given stays.
    pub async fn grant(
        &self,
        name: &str,
        reach: Option<Vec<Grant>>,
        credentials: Option<Vec<Credential>>,
    ) -> Result<ChannelView, ChannelError> {
        let workers = self.workers.lock().await;
        let mut channel = self.environment.store.channel(name).await?;
        let Grants { reach: old_reach, credentials: old_credentials } = channel.grants;
        channel.grants =
            Grants { reach: reach.unwrap_or(old_reach), credentials: credentials.unwrap_or(old_credentials) };
        self.change(workers, channel).await
    }

    /// Grants what the plugin asks for with its present configuration; with `private` also where it leads to private or
    /// loopback addresses. Credentials stay.
    pub async fn grant_as_asked(&self, name: &str, private: bool) -> Result<ChannelView, ChannelError> {
        let workers = self.workers.lock().await;
        let mut channel = self.environment.store.channel(name).await?;
        let manifest = self.admitted(&channel.component).await?.manifest().clone();
        let config = manifest.configure(&channel.config).map_err(mistakes)?;
        let asked: Result<Vec<Grant>, _> = manifest.grants.iter().map(|request| request.resolve(&config)).collect();
        let asked = asked.map_err(|error| ChannelError::Config(vec![error.to_string()]))?;
        channel.grants.reach = asked.into_iter().map(|grant| Grant { private, ..grant }).collect();
        self.change(workers, channel).await
    }

    /// Sets what the plugin may use.
    pub async fn limit(&self, name: &str, limits: limits::PluginLimits) -> Result<ChannelView, ChannelError> {
        let wrong = limits.mistakes();
        if !wrong.is_empty() {
            return Err(ChannelError::Config(wrong.iter().map(|(name, what)| format!("{name} {what}")).collect()));
        }
        let workers = self.workers.lock().await;
        let channel = self.environment.store.channel(name).await?;
        self.change(workers, Channel { limits, ..channel }).await
    }

    /// Lets deliveries go out, the held ones too. A channel that cannot run stays disabled.
    pub async fn enable(&self, name: &str) -> Result<ChannelView, ChannelError> {
        let workers = self.workers.lock().await;
        let channel = self.environment.store.channel(name).await?;
        self.sender(&channel).await?;
        self.change(workers, Channel { enabled: true, ..channel }).await
    }

    /// Holds deliveries. Returns when no call is in flight any more.
    pub async fn disable(&self, name: &str) -> Result<ChannelView, ChannelError> {
        let workers = self.workers.lock().await;
        let channel = self.environment.store.channel(name).await?;
        self.change(workers, Channel { enabled: false, ..channel }).await
    }

    /// Sends one message outside the outbox, also through a disabled channel.
    pub async fn test_send(&self, name: &str, address: &str) -> Result<Outcome, ChannelError> {
        let channel = self.environment.store.channel(name).await?;
        let sender = match self.running_resident(name).await {
            Some(running) => running,
            None => Arc::new(self.sender(&channel).await?),
        };
        let address = self.check_address(name, address).await?;
        let delivery = test_delivery(name, &address);
        sender.send(delivery).await.ok_or_else(|| ChannelError::NotReady("the plugin gave no answer".into()))
    }

    /// Makes a channel's worker look for due deliveries now; without a name, every one.
    pub fn wake(&self, name: Option<&str>) {
        match name {
            Some(name) => self.environment.wakers.wake(name),
            None => self.environment.wakers.wake_all(),
        }
    }

    /// The address in the channel's normal form.
    pub async fn check_address(&self, name: &str, address: &str) -> Result<String, ChannelError> {
        let channel = self.environment.store.channel(name).await?;
        let admitted = self.admitted(&channel.component).await?;
        let plugin = self.plugin(&channel, &admitted, channel.config.clone());
        match plugin.check_address(address).await {
            Ok(checked) => checked.map_err(ChannelError::Address),
            Err((kind, detail)) => {
                Err(ChannelError::NotReady(format!("the plugin crashed ({}): {detail}", kind.as_str())))
            }
        }
    }

    /// Stores a channel as it is to be and restarts its worker.
    async fn change(&self, mut workers: Workers<'_>, channel: Channel) -> Result<ChannelView, ChannelError> {
        self.environment.store.put_channel(&channel, clock::now()).await?;
        self.restart(&mut workers, &channel).await;
        drop(workers);
        self.view_of(channel).await
    }

    async fn restart(&self, workers: &mut HashMap<String, Slot>, channel: &Channel) {
        if let Some(Slot::Running(worker)) = workers.remove(&channel.name) {
            worker.stop().await;
        }
        if !channel.enabled {
            return;
        }
        let slot = match self.sender(channel).await {
            Ok(sender) => Slot::Running(self.worker(&channel.name, sender).start()),
            Err(error) => {
                tracing::error!(channel = channel.name, error = %error, "the channel cannot start; deliveries are held");
                Slot::Failed(error.to_string())
            }
        };
        workers.insert(channel.name.clone(), slot);
    }

    fn worker(&self, channel: &str, sender: Sender) -> Worker {
        let environment = &self.environment;
        Worker {
            channel: channel.to_owned(),
            sender: Arc::new(sender),
            store: Arc::clone(&environment.store),
            settings: environment.dispatch,
            waker: environment.wakers.register(channel),
            metrics: Arc::clone(&environment.metrics),
            stop: CancellationToken::new(),
        }
    }

    /// The channel's plugin, ready to send: its configuration is complete.
    async fn sender(&self, channel: &Channel) -> Result<Sender, ChannelError> {
        let admitted = self.admitted(&channel.component).await?;
        let components = self.environment.store.components().await?;
        let signed_by =
            components.iter().find(|info| info.digest == channel.component).and_then(|c| c.signed_by.as_deref());
        self.environment.trust.permits(signed_by, &admitted.manifest().name)?;
        let config = admitted.manifest().configure(&channel.config).map_err(mistakes)?;
        let lack = admitted.manifest().check_credentials(&config, &channel.grants);
        lack.map_err(|lack| ChannelError::NotReady(lack.to_string()))?;
        let plugin = self.plugin(channel, &admitted, config);
        let deadline = std::time::Duration::from_millis(channel.limits.deadline_ms);
        let (links, knowledge) = (Arc::clone(&self.environment.links), Arc::clone(&self.environment.knowledge));
        Ok(Sender::new(channel.name.clone(), Carrier::of(plugin), links, knowledge, deadline))
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
        let host: Arc<dyn tidings_sandbox::ChannelHost> = self.environment.host.clone();
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

    async fn view_of(&self, channel: Channel) -> Result<ChannelView, ChannelError> {
        let manifest = match self.admitted(&channel.component).await {
            Ok(admitted) => admitted.manifest().clone(),
            // A component that does not run here any more is still shown.
            Err(ChannelError::Admission(_)) => self.environment.store.component(&channel.component).await?.0.manifest,
            Err(error) => return Err(error),
        };
        let workers = self.workers.lock().await;
        let slot = workers.get(&channel.name);
        let resident = slot.and_then(Slot::life).map(ResidentView::from);
        let state = match slot {
            _ if !channel.enabled => ChannelState::Disabled,
            None => ChannelState::Disabled,
            Some(Slot::Failed(reason)) => ChannelState::Failed { reason: reason.clone() },
            Some(Slot::Running(worker)) => match worker.status().resting {
                Some((until, reason)) => ChannelState::Resting { until, reason },
                None => ChannelState::Running,
            },
        };
        Ok(ChannelView { resident, ..ChannelView::new(channel, manifest, state) })
    }
}

fn mistakes(found: Vec<ConfigError>) -> ChannelError {
    ChannelError::Config(found.iter().map(ToString::to_string).collect())
}

/// Whether the values that are there are good; others may still lack.
fn well_formed(manifest: &Manifest, config: &BTreeMap<String, String>) -> Result<(), ChannelError> {
    let Err(found) = manifest.configure(config) else { return Ok(()) };
    let wrong: Vec<ConfigError> = found.into_iter().filter(|error| error.problem != ConfigProblem::Missing).collect();
    if wrong.is_empty() { Ok(()) } else { Err(mistakes(wrong)) }
}

/// Whether a channel may be called so.
pub fn is_channel_name(name: &str) -> bool {
    (1..=limits::CHANNEL_NAME_CHARS).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
}

/// What a test sends.
fn test_delivery(channel: &str, address: &str) -> Delivery {
    let now = clock::now();
    let id = MessageId::made(&format!("test-{channel}-{}", now.as_millis()));
    let subtitle = format!("This is a test of the channel {channel}");
    let event = StoredEvent {
        topic: "tidings.test".into(),
        timestamp: now,
        application: Some("tidings".into()),
        title: "tidings.test".into(),
        long_form: format!("{subtitle}. If you read it, the channel works."),
        subtitle,
        body: "{}".into(),
        id: id.clone(),
        link: None,
        icon: None,
        secondary_icon: None,
        agent: None,
        usernames: Vec::new(),
        packages: Vec::new(),
        objects: Vec::new(),
        thread: None,
    };
    Delivery {
        id: DeliveryId::derive(&id, channel, address),
        attempt: 1,
        accepted_at: now,
        user: "test".into(),
        address: address.to_owned(),
        filter: None,
        style: Style::default(),
        content: Content::Single(Arc::new(event)),
    }
}
