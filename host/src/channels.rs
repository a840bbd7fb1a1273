//! The channels as a service: what an administrator does with them (install, configure, grant, enable, disable, test,
//! upgrade) and the workers of the enabled ones. Every change is stored first and then takes effect, without a restart of
//! the daemon.
//!
//! Each channel has an actor that owns its worker and carries out its changes one after the other; channels do not wait
//! for each other. Actors publish what runs; reading that never waits for a change. A channel that cannot start is
//! reported with its reason and holds its deliveries; the others run.

mod actor;
mod administration;
mod component_cache;
mod config_compat;
mod confirmation;
mod environment;
mod error;
mod host;
mod inbox;
mod install;
pub(crate) mod limits;
mod logs;
mod policy_sweep;
mod registry;
mod resident_view;
mod state_tag;
mod status;
mod test_send;
#[cfg(test)]
mod tests;
mod version_loader;
mod version_view;
mod view;

use std::collections::BTreeMap;
use std::sync::Arc;

use tidings_domain::plugin_life::ChannelEvent;
use tidings_sandbox::ResidentStats;
use tidings_store::{Channel, StoreError};
use tokio::sync::Mutex;

pub use actor::Upgrade;
pub use confirmation::ConfirmationRequest;
pub use environment::Environment;
pub use error::{ChannelError, ChannelFieldError, ChannelFieldProblem, NotReady};
pub use host::PluginHost;
pub use logs::{LogLine, LogTails};
pub use resident_view::ResidentView;
pub use version_view::VersionView;
pub use view::{ChannelState, ChannelView, CredentialRequestView, GrantRequestView};

use actor::{ActorReply, ChannelChange};
use registry::Registry;
use status::ChannelStatus;
use version_loader::VersionLoader;

use crate::precondition::Precondition;

/// All channels.
pub struct Channels {
    loader: Arc<VersionLoader>,
    registry: Registry,
    /// Held while a channel is created, so that it is created once.
    creating: Mutex<()>,
}

impl Channels {
    /// All channels, none of them started.
    pub fn new(environment: Environment) -> Arc<Channels> {
        let loader = Arc::new(VersionLoader::new(environment));
        Arc::new(Channels { registry: Registry::new(Arc::clone(&loader)), loader, creating: Mutex::default() })
    }

    fn environment(&self) -> &Environment {
        self.loader.environment()
    }

    /// Starts every enabled channel, one after the other. One that cannot start is reported and left out.
    pub async fn start(&self) -> Result<(), StoreError> {
        self.loader.forget_code().await?;
        for channel in self.environment().store.channels().await? {
            if let Err(error) = self.change(&channel.name, &Precondition::None, ChannelChange::Start).await {
                tracing::error!(channel = channel.name, %error, "the channel was not started; its deliveries are held");
            }
        }
        Ok(())
    }

    /// Stops every channel: calls in flight may finish within the grace. No channel is started any more.
    pub async fn stop(&self) {
        self.registry.stop().await;
    }

    /// Every channel.
    pub async fn list(&self) -> Result<Vec<ChannelView>, ChannelError> {
        let mut views = Vec::new();
        for channel in self.environment().store.channels().await? {
            views.push(self.view_of(channel).await?);
        }
        Ok(views)
    }

    /// One channel.
    pub async fn view(&self, name: &str) -> Result<ChannelView, ChannelError> {
        self.view_of(self.environment().store.channel(name).await?).await
    }

    /// What each running resident plugin did, by channel.
    pub fn residents(&self) -> BTreeMap<String, ResidentStats> {
        let statuses = self.registry.statuses().into_iter();
        statuses.filter_map(|(name, status)| Some((name, status.resident_stats()?))).collect()
    }

    /// Whether the channel's plugin writes event streams.
    pub async fn writes_streams(&self, name: &str) -> Result<bool, ChannelError> {
        let channel = self.environment().store.channel(name).await?;
        Ok(self.loader.admitted(&channel.component).await?.writes_streams())
    }

    /// Makes a channel's worker look for due deliveries now; without a name, every one.
    pub fn wake(&self, name: Option<&str>) {
        match name {
            Some(name) => self.environment().wakers.wake(name),
            None => self.environment().wakers.wake_all(),
        }
    }

    /// The last lines that the channel's plugin logged, behind the one of that number.
    pub async fn log_after(&self, name: &str, number: u64) -> Result<Vec<LogLine>, ChannelError> {
        self.environment().store.channel(name).await?;
        Ok(self.environment().host.logs().after(name, number))
    }

    /// The channel's history, newest first.
    pub async fn events(&self, name: &str) -> Result<Vec<ChannelEvent>, ChannelError> {
        self.environment().store.channel(name).await?;
        Ok(self.environment().store.channel_events(name, tidings_store::limits::CHANNEL_EVENTS).await?)
    }

    /// Has the channel's actor carry out a change.
    async fn change(
        &self,
        name: &str,
        condition: &Precondition,
        change: ChannelChange,
    ) -> Result<Channel, ChannelError> {
        let condition = condition.clone();
        self.ask(name, |reply| actor::ActorCommand::Change { change, condition, reply }).await
    }

    /// Sends a command to the channel's actor and waits for its reply.
    async fn ask<T>(
        &self,
        name: &str,
        command: impl FnOnce(ActorReply<T>) -> actor::ActorCommand,
    ) -> Result<T, ChannelError> {
        self.environment().store.channel(name).await?;
        self.registry.actor(name)?.ask(command).await
    }

    async fn view_of(&self, channel: Channel) -> Result<ChannelView, ChannelError> {
        let manifest = self.loader.manifest(&channel.component).await?;
        let status = self.registry.status(&channel.name).unwrap_or(ChannelStatus::Stopped);
        let tag = state_tag::state_tag(&channel, &self.environment().links);
        Ok(ChannelView::new(channel, manifest, &status, tag))
    }
}

/// Whether a channel may have this name.
pub fn is_channel_name(name: &str) -> bool {
    (1..=tidings_domain::limits::CHANNEL_NAME_CHARS).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
}
