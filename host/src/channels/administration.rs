//! What an administrator asks for, as commands for the channel's actor. What takes long (compiling, the check of the
//! contract) comes before the command, so that no other change of the channel waits for it. A change may have a condition;
//! the actor checks it.

use std::collections::BTreeMap;

use tidings_domain::grant::{Credential, Grant, Grants};
use tidings_domain::limits::PluginLimits;
use tidings_domain::plugin_life::{CanaryPlan, ChannelEvent, ChannelVersions, EventKind, FailurePolicy};
use tidings_sandbox::Admitted;
use tidings_store::{Channel, StoreError};

use super::actor::{ActorCommand, ChannelChange, Upgrade};
use super::{ChannelError, ChannelView, Channels, is_channel_name};
use crate::clock;
use crate::precondition::Precondition;

/// Cases that a refusal names of a component that breaks the contract.
const CONTRACT_LINES: usize = 10;

type Viewed = Result<ChannelView, ChannelError>;

impl Channels {
    /// Creates a channel, disabled, or switches it to another version of its plugin at once; its configuration must fit
    /// that one, and a channel that runs must be able to go on.
    pub async fn put(&self, name: &str, condition: &Precondition, component: &str) -> Viewed {
        if !is_channel_name(name) {
            return Err(ChannelError::Name(name.to_owned()));
        }
        self.loader.admitted(component).await?;
        let created = {
            let _creating = self.creating.lock().await;
            match self.environment().store.channel(name).await {
                Ok(_) => None,
                Err(StoreError::Missing { .. }) if !condition.admits(None) => return Err(ChannelError::Changed),
                Err(StoreError::Missing { .. }) => Some(self.create(name, component).await?),
                Err(error) => return Err(error.into()),
            }
        };
        match created {
            Some(channel) => self.view_of(channel).await,
            None => self.changed(name, condition, ChannelChange::Switch { component: component.to_owned() }).await,
        }
    }

    async fn create(&self, name: &str, component: &str) -> Result<Channel, ChannelError> {
        let channel = Channel {
            name: name.to_owned(),
            component: component.to_owned(),
            config: BTreeMap::new(),
            former: BTreeMap::new(),
            grants: Grants::default(),
            limits: PluginLimits::default(),
            enabled: false,
            life: ChannelVersions::default(),
        };
        let (component, detail) = (component.to_owned(), String::new());
        let event = ChannelEvent { at: clock::now(), event: EventKind::Created, component, detail };
        self.loader.store_channel(&channel, event).await?;
        Ok(channel)
    }

    /// Sets configuration values; none removes one. Values are checked now, whether all required ones are there when the
    /// channel is enabled.
    pub async fn configure(
        &self,
        name: &str,
        condition: &Precondition,
        values: BTreeMap<String, Option<String>>,
    ) -> Viewed {
        self.changed(name, condition, ChannelChange::Configure(values)).await
    }

    /// Replaces what the channel may reach, its credentials, or both; what is not given stays.
    pub async fn grant(
        &self,
        name: &str,
        condition: &Precondition,
        reach: Option<Vec<Grant>>,
        credentials: Option<Vec<Credential>>,
    ) -> Viewed {
        self.changed(name, condition, ChannelChange::Grant { reach, credentials }).await
    }

    /// Grants what the plugin asks for with its present configuration; with `private` also where it leads to private or
    /// loopback addresses, with `plain_http` HTTP requests also without TLS. Credentials stay.
    pub async fn grant_as_asked(
        &self,
        name: &str,
        condition: &Precondition,
        private: bool,
        plain_http: bool,
    ) -> Viewed {
        self.changed(name, condition, ChannelChange::GrantAsAsked { private, plain_http }).await
    }

    /// Sets what the plugin may use.
    pub async fn limit(&self, name: &str, condition: &Precondition, limits: PluginLimits) -> Viewed {
        ChannelError::check_bounds("", limits.errors())?;
        self.changed(name, condition, ChannelChange::Limit(limits)).await
    }

    /// Lets deliveries go out, the held ones too. A channel that cannot run stays disabled.
    pub async fn enable(&self, name: &str, condition: &Precondition) -> Viewed {
        self.loader.admitted(&self.environment().store.channel(name).await?.component).await?;
        self.changed(name, condition, ChannelChange::Enable).await
    }

    /// Holds deliveries. Returns when no call is in flight any more.
    pub async fn disable(&self, name: &str, condition: &Precondition) -> Viewed {
        self.changed(name, condition, ChannelChange::Disable).await
    }

    /// Forgets a disabled channel for which nothing waits.
    pub async fn remove(&self, name: &str, condition: &Precondition) -> Result<(), ChannelError> {
        self.environment().store.channel(name).await?;
        let actor = self.registry.actor(name)?;
        actor.ask(|reply| ActorCommand::Remove { condition: condition.clone(), reply }).await?;
        self.registry.forget(name, &actor);
        Ok(())
    }

    /// Sets what becomes of deliveries that the channel keeps waiting.
    pub async fn set_policy(&self, name: &str, condition: &Precondition, policy: FailurePolicy) -> Viewed {
        ChannelError::check_bounds("", policy.errors(name))?;
        self.changed(name, condition, ChannelChange::SetPolicy(policy)).await
    }

    /// Lets a quarantined channel try again.
    pub async fn release(&self, name: &str, condition: &Precondition) -> Viewed {
        self.changed(name, condition, ChannelChange::Release).await
    }

    /// Tries another version of the channel's plugin. Refused before anything changes: another plugin, one that cannot
    /// run here or breaks the contract, a configuration that does not fit.
    pub async fn upgrade(&self, name: &str, condition: &Precondition, upgrade: Upgrade) -> Viewed {
        ChannelError::check_bounds("canary.", upgrade.canary.as_ref().map(CanaryPlan::errors).unwrap_or_default())?;
        let admitted = self.loader.admitted(&upgrade.component).await?;
        if !upgrade.unproven {
            self.check_contract(&admitted).await?;
        }
        self.changed(name, condition, ChannelChange::Upgrade { upgrade, admitted }).await
    }

    /// Ends a trial, or returns to the previous version.
    pub async fn roll_back(&self, name: &str, condition: &Precondition) -> Viewed {
        self.changed(name, condition, ChannelChange::RollBack).await
    }

    /// Runs a component against a service on loopback, in the sandbox and with the limits of production. No delivery is at
    /// stake.
    async fn check_contract(&self, admitted: &Admitted) -> Result<(), ChannelError> {
        let findings = tidings_conformance::run(&self.environment().sandbox, admitted).await;
        let failed = findings.failures().map(|case| format!("{}: {}", case.name, case.verdict.why()));
        let failed: Vec<String> = failed.take(CONTRACT_LINES).collect();
        if failed.is_empty() { Ok(()) } else { Err(ChannelError::Contract(failed)) }
    }

    /// Has the channel's actor carry out a change, and shows the channel afterwards.
    async fn changed(&self, name: &str, condition: &Precondition, change: ChannelChange) -> Viewed {
        let channel = self.change(name, condition, change).await?;
        self.view_of(channel).await
    }
}
