//! What an administrator sets: component, configuration, grants, limits, on and off, failure policy. Each change is stored
//! with an entry in the channel's history, and then takes effect.

use std::collections::BTreeMap;

use tidings_domain::grant::{Credential, Grant, Grants};
use tidings_domain::limits::PluginLimits;
use tidings_domain::manifest::Capability;
use tidings_domain::plugin_life::{EventKind, FailurePolicy};
use tidings_store::Channel;

use super::ChannelActor;
use crate::channels::{ChannelError, NotReady, config_compat};
use crate::clock;
use crate::telemetry::ChannelLabel;

type Changed = Result<Channel, ChannelError>;

impl ChannelActor {
    pub(super) async fn switch(&mut self, component: &str) -> Changed {
        let manifest = self.loader.manifest(component).await?;
        let mut channel = self.stored().await?;
        config_compat::same_plugin(&manifest, &self.loader.manifest(&channel.component).await?)?;
        if channel.enabled {
            self.loader.checked(&channel, component).await?;
        } else {
            config_compat::well_formed(&manifest, &channel.config)?;
        }
        channel.former.clear();
        let before = std::mem::replace(&mut channel.component, component.to_owned());
        channel.life.switch(before, component, clock::now());
        self.change(channel, EventKind::Switched, "by an administrator").await
    }

    pub(super) async fn configure(&mut self, values: BTreeMap<String, Option<String>>) -> Changed {
        let mut channel = self.stored().await?;
        let names = values.keys().cloned().collect::<Vec<_>>().join(", ");
        let manifest = self.loader.manifest(&channel.component).await?;
        // What is set now is not what goes back with an earlier version.
        channel.former.retain(|name, _| !values.contains_key(name));
        config_compat::edit(&manifest, &mut channel.config, values)?;
        if channel.enabled {
            config_compat::complete(&manifest, &channel.config)?;
        } else {
            config_compat::well_formed(&manifest, &channel.config)?;
        }
        if let Some(candidate) = &channel.life.candidate {
            config_compat::complete(&self.loader.manifest(&candidate.component).await?, &channel.config)?;
        }
        self.change(channel, EventKind::Configured, &names).await
    }

    pub(super) async fn grant(&mut self, reach: Option<Vec<Grant>>, credentials: Option<Vec<Credential>>) -> Changed {
        let mut channel = self.stored().await?;
        let Grants { reach: old_reach, credentials: old_credentials } = channel.grants;
        channel.grants =
            Grants { reach: reach.unwrap_or(old_reach), credentials: credentials.unwrap_or(old_credentials) };
        self.change(channel, EventKind::Granted, "").await
    }

    pub(super) async fn grant_as_asked(&mut self, private: bool, plain_http: bool) -> Changed {
        let mut channel = self.stored().await?;
        let manifest = self.loader.manifest(&channel.component).await?;
        let config = config_compat::complete(&manifest, &channel.config)?;
        let asked: Result<Vec<Grant>, _> = manifest.grants.iter().map(|request| request.resolve(&config)).collect();
        let asked = asked.map_err(ChannelError::unresolved_grant)?;
        let granted = |grant: Grant| {
            let plain_http = plain_http && grant.capability == Capability::Http;
            Grant { private, plain_http, ..grant }
        };
        channel.grants.reach = asked.into_iter().map(granted).collect();
        self.change(channel, EventKind::Granted, "as asked").await
    }

    pub(super) async fn limit(&mut self, limits: PluginLimits) -> Changed {
        let channel = self.stored().await?;
        self.change(Channel { limits, ..channel }, EventKind::Limited, "").await
    }

    pub(super) async fn enable(&mut self) -> Changed {
        let channel = self.stored().await?;
        self.loader.checked(&channel, &channel.component).await?;
        self.change(Channel { enabled: true, ..channel }, EventKind::Enabled, "").await
    }

    pub(super) async fn disable(&mut self) -> Changed {
        let channel = self.stored().await?;
        self.change(Channel { enabled: false, ..channel }, EventKind::Disabled, "").await
    }

    /// Deletes a disabled channel for which nothing waits.
    pub(super) async fn remove(&mut self) -> Result<(), ChannelError> {
        self.store().delete_channel(&self.name, clock::now()).await?;
        let environment = self.loader.environment();
        environment.metrics.quarantined.remove(&ChannelLabel { channel: self.name.clone() });
        environment.host.logs().forget(&self.name);
        environment.wakers.forget(&self.name);
        Ok(())
    }

    pub(super) async fn set_policy(&mut self, policy: FailurePolicy) -> Changed {
        let mut channel = self.stored().await?;
        if let FailurePolicy::FallBack { channel: other, .. } = &policy {
            self.store().channel(other).await?;
        }
        let detail = serde_json::to_string(&policy).unwrap_or_default();
        channel.life.policy = policy;
        self.store_change(&channel, EventKind::PolicySet, &detail).await?;
        Ok(channel)
    }

    /// Lets a quarantined channel try again.
    pub(super) async fn release(&mut self) -> Changed {
        let mut channel = self.stored().await?;
        if channel.life.quarantine.take().is_none() {
            return Err(NotReady::NotQuarantined.into());
        }
        self.change(channel, EventKind::Released, "by an administrator").await
    }
}
