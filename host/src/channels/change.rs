//! What an administrator sets: component, configuration, grants, limits, on and off, failure policy. Each change is stored
//! with a word in the channel's history, and takes effect at once.

use std::collections::BTreeMap;

use tidings_domain::grant::{Credential, Grant, Grants};
use tidings_domain::limits;
use tidings_domain::plugin_life::{ChannelEvent, ChannelVersions, EventKind, FailurePolicy};
use tidings_store::{Channel, StoreError};

use super::{ChannelError, ChannelView, Channels, Workers, config_compat, is_channel_name};
use crate::clock;
use crate::telemetry::ChannelLabel;

type Viewed = Result<ChannelView, ChannelError>;

impl Channels {
    /// Creates a channel, disabled, or switches it to another version of its plugin at once; its configuration must fit
    /// that one, and a channel that runs must be able to go on.
    pub async fn put(&self, name: &str, component: &str) -> Viewed {
        if !is_channel_name(name) {
            return Err(ChannelError::Name(name.to_owned()));
        }
        // What takes long comes before anybody has to wait for it.
        self.admitted(component).await?;
        let workers = self.workers.lock().await;
        let manifest = self.manifest(component).await?;
        let mut channel = match self.environment.store.channel(name).await {
            Ok(channel) => channel,
            Err(StoreError::Missing { .. }) => {
                let channel = Channel {
                    name: name.to_owned(),
                    component: component.to_owned(),
                    config: BTreeMap::new(),
                    former: BTreeMap::new(),
                    grants: Grants::default(),
                    limits: limits::PluginLimits::default(),
                    enabled: false,
                    life: ChannelVersions::default(),
                };
                return self.change(workers, channel, EventKind::Created, "").await;
            }
            Err(error) => return Err(error.into()),
        };
        config_compat::same_plugin(&manifest, &self.manifest(&channel.component).await?)?;
        if channel.enabled {
            self.checked(&channel, component).await?;
        } else {
            config_compat::well_formed(&manifest, &channel.config)?;
        }
        channel.former.clear();
        let before = std::mem::replace(&mut channel.component, component.to_owned());
        channel.life.switch(before, component, clock::now());
        self.change(workers, channel, EventKind::Switched, "by an administrator").await
    }

    /// Sets configuration values; none removes one. Values are checked now, whether all required ones are there when the
    /// channel is enabled.
    pub async fn configure(&self, name: &str, values: BTreeMap<String, Option<String>>) -> Viewed {
        let workers = self.workers.lock().await;
        let mut channel = self.environment.store.channel(name).await?;
        let names = values.keys().cloned().collect::<Vec<_>>().join(", ");
        let manifest = self.manifest(&channel.component).await?;
        // What is set now is not what goes back with an earlier version.
        channel.former.retain(|name, _| !values.contains_key(name));
        config_compat::edit(&manifest, &mut channel.config, values)?;
        if channel.enabled {
            config_compat::complete(&manifest, &channel.config)?;
        } else {
            config_compat::well_formed(&manifest, &channel.config)?;
        }
        if let Some(candidate) = &channel.life.candidate {
            config_compat::complete(&self.manifest(&candidate.component).await?, &channel.config)?;
        }
        self.change(workers, channel, EventKind::Configured, &names).await
    }

    /// Replaces what the channel may reach, its credentials, or both; what is not given stays.
    pub async fn grant(&self, name: &str, reach: Option<Vec<Grant>>, credentials: Option<Vec<Credential>>) -> Viewed {
        let workers = self.workers.lock().await;
        let mut channel = self.environment.store.channel(name).await?;
        let Grants { reach: old_reach, credentials: old_credentials } = channel.grants;
        channel.grants =
            Grants { reach: reach.unwrap_or(old_reach), credentials: credentials.unwrap_or(old_credentials) };
        self.change(workers, channel, EventKind::Granted, "").await
    }

    /// Grants what the plugin asks for with its present configuration; with `private` also where it leads to private or
    /// loopback addresses. Credentials stay.
    pub async fn grant_as_asked(&self, name: &str, private: bool) -> Viewed {
        let workers = self.workers.lock().await;
        let mut channel = self.environment.store.channel(name).await?;
        let manifest = self.manifest(&channel.component).await?;
        let config = config_compat::complete(&manifest, &channel.config)?;
        let asked: Result<Vec<Grant>, _> = manifest.grants.iter().map(|request| request.resolve(&config)).collect();
        let asked = asked.map_err(|error| ChannelError::Config(vec![error.to_string()]))?;
        channel.grants.reach = asked.into_iter().map(|grant| Grant { private, ..grant }).collect();
        self.change(workers, channel, EventKind::Granted, "as asked").await
    }

    /// Sets what the plugin may use.
    pub async fn limit(&self, name: &str, limits: limits::PluginLimits) -> Viewed {
        let wrong = limits.errors();
        if !wrong.is_empty() {
            return Err(ChannelError::Config(wrong.iter().map(|(name, what)| format!("{name} {what}")).collect()));
        }
        let workers = self.workers.lock().await;
        let channel = self.environment.store.channel(name).await?;
        self.change(workers, Channel { limits, ..channel }, EventKind::Limited, "").await
    }

    /// Lets deliveries go out, the held ones too. A channel that cannot run stays disabled.
    pub async fn enable(&self, name: &str) -> Viewed {
        self.admitted(&self.environment.store.channel(name).await?.component).await?;
        let workers = self.workers.lock().await;
        let channel = self.environment.store.channel(name).await?;
        self.checked(&channel, &channel.component).await?;
        self.change(workers, Channel { enabled: true, ..channel }, EventKind::Enabled, "").await
    }

    /// Holds deliveries. Returns when no call is in flight any more.
    pub async fn disable(&self, name: &str) -> Viewed {
        let workers = self.workers.lock().await;
        let channel = self.environment.store.channel(name).await?;
        self.change(workers, Channel { enabled: false, ..channel }, EventKind::Disabled, "").await
    }

    /// Forgets a disabled channel for which nothing waits.
    pub async fn remove(&self, name: &str) -> Result<(), ChannelError> {
        let _workers = self.workers.lock().await;
        self.environment.store.delete_channel(name, clock::now()).await?;
        self.environment.metrics.quarantined.remove(&ChannelLabel { channel: name.to_owned() });
        self.environment.host.logs().forget(name);
        Ok(())
    }

    /// Sets what becomes of deliveries that the channel keeps waiting.
    pub async fn set_policy(&self, name: &str, policy: FailurePolicy) -> Viewed {
        let mistakes = policy.errors(name);
        if !mistakes.is_empty() {
            let lines = mistakes.iter().map(|(field, what)| format!("{field}: {what}"));
            return Err(ChannelError::Config(lines.collect()));
        }
        let workers = self.workers.lock().await;
        let mut channel = self.environment.store.channel(name).await?;
        if let FailurePolicy::FallBack { channel: other, .. } = &policy {
            self.environment.store.channel(other).await?;
        }
        let detail = serde_json::to_string(&policy).unwrap_or_default();
        channel.life.policy = policy;
        self.store_change(&channel, EventKind::PolicySet, &detail).await?;
        drop(workers);
        self.view_of(channel).await
    }

    /// Lets a quarantined channel try again.
    pub async fn release(&self, name: &str) -> Viewed {
        let workers = self.workers.lock().await;
        let mut channel = self.environment.store.channel(name).await?;
        if channel.life.quarantine.take().is_none() {
            return Err(ChannelError::NotReady("it is not quarantined".into()));
        }
        self.change(workers, channel, EventKind::Released, "by an administrator").await
    }

    /// Stores a channel as it is to be and restarts its worker.
    pub(super) async fn change(
        &self,
        mut workers: Workers<'_>,
        channel: Channel,
        kind: EventKind,
        detail: &str,
    ) -> Viewed {
        self.store_change(&channel, kind, detail).await?;
        self.restart(&mut workers, &channel).await;
        drop(workers);
        self.view_of(channel).await
    }

    pub(super) async fn store_change(
        &self,
        channel: &Channel,
        kind: EventKind,
        detail: &str,
    ) -> Result<(), StoreError> {
        let (component, detail) = (channel.component.clone(), detail.to_owned());
        let event = ChannelEvent { at: clock::now(), event: kind, component, detail };
        self.store_event(channel, event).await
    }

    /// The same for an event about another version than the active one.
    pub(super) async fn store_event(&self, channel: &Channel, event: ChannelEvent) -> Result<(), StoreError> {
        self.environment.store.change_channel(channel, Some(event), clock::now()).await
    }
}
