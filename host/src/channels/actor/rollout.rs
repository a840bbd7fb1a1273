//! Versions: a new one on trial beside the active one, and the way back. A change of versions is one transaction, and
//! interrupts no call: the worker goes on with other versions, and a call ends with the one that it began with.

use std::collections::BTreeMap;

use tidings_domain::manifest::Lifetime;
use tidings_domain::plugin_life::{CanaryPlan, Candidate, ChannelEvent, EventKind};
use tidings_sandbox::Admitted;
use tidings_store::Channel;

use super::ChannelActor;
use crate::channels::{ChannelError, NotReady, config_compat};
use crate::clock;

type Changed = Result<Channel, ChannelError>;

/// Another version for a channel, and how it is taken into use.
#[derive(Clone, Debug)]
pub struct Upgrade {
    /// SHA-256 of an installed component.
    pub component: String,
    /// How it is tried; none: it becomes active at once, and is watched.
    pub canary: Option<CanaryPlan>,
    /// Configuration values that go with it. With a trial, only of fields that the active version does not have.
    pub config: BTreeMap<String, Option<String>>,
    /// It is not checked against the contract first.
    pub unproven: bool,
}

impl ChannelActor {
    pub(super) async fn upgrade(&mut self, upgrade: Upgrade, admitted: &Admitted) -> Changed {
        let mut channel = self.stored().await?;
        if channel.component == upgrade.component {
            return Err(NotReady::AlreadyActive.into());
        }
        let active = self.loader.manifest(&channel.component).await?;
        config_compat::same_plugin(admitted.manifest(), &active)?;
        let resident = [admitted.manifest(), &active].iter().any(|manifest| manifest.lifetime == Lifetime::Resident);
        // Nothing goes out that could be compared: a disabled or quarantined channel; and two residents cannot both be
        // the one user that a service knows.
        let comparable = channel.enabled && channel.life.quarantine.is_none() && !resident;
        let canary = upgrade.canary.filter(|_| comparable);
        if canary.is_some() {
            config_compat::check_not_shared(&active, &upgrade.config)?;
        }
        let before = |name: &String| (name.clone(), channel.config.get(name).cloned());
        channel.former = upgrade.config.keys().map(before).collect();
        config_compat::edit(admitted.manifest(), &mut channel.config, upgrade.config)?;
        if channel.enabled {
            self.loader.checked(&channel, &upgrade.component).await?;
        } else {
            config_compat::well_formed(admitted.manifest(), &channel.config)?;
        }
        match canary {
            Some(plan) => self.begin_canary(channel, upgrade.component, plan).await,
            None => {
                let before = std::mem::replace(&mut channel.component, upgrade.component.clone());
                channel.life.switch(before, &upgrade.component, clock::now());
                self.store_change(&channel, EventKind::Switched, "at once").await?;
                Ok(self.exchange(channel).await)
            }
        }
    }

    async fn begin_canary(&mut self, mut channel: Channel, component: String, plan: CanaryPlan) -> Changed {
        let now = clock::now();
        let detail = format!("{} % of the calls", plan.share_percent);
        channel.life.candidate = Some(Candidate { component: component.clone(), plan, since: now });
        self.store_event(&channel, ChannelEvent { at: now, event: EventKind::CanaryStarted, component, detail })
            .await?;
        Ok(self.exchange(channel).await)
    }

    /// Ends a trial, or returns to the previous version.
    pub(super) async fn roll_back(&mut self) -> Changed {
        let channel = self.stored().await?;
        if let Some(candidate) = channel.life.candidate.clone() {
            return self.end_trial(channel, candidate, "by an administrator").await;
        }
        let returned = self.with_previous_version(&channel).await?;
        self.return_to_previous(&channel.component, returned, "by an administrator").await
    }

    /// Gives up the version on trial.
    pub(super) async fn end_trial(&mut self, mut channel: Channel, candidate: Candidate, reason: &str) -> Changed {
        channel.life.candidate = None;
        config_compat::put_back(&mut channel);
        let (component, detail) = (candidate.component, reason.to_owned());
        let event = ChannelEvent { at: clock::now(), event: EventKind::FellBack, component, detail };
        self.store_event(&channel, event).await?;
        Ok(self.exchange(channel).await)
    }

    /// The channel as it is with its previous version active again and the values that this had, where that can run.
    pub(super) async fn with_previous_version(&self, channel: &Channel) -> Changed {
        let mut returned = channel.clone();
        returned.component = returned.life.previous.take().ok_or(NotReady::NoPreviousVersion)?;
        config_compat::put_back(&mut returned);
        if returned.enabled {
            self.loader.checked(&returned, &returned.component).await?;
        }
        returned.life.switched_at = Some(clock::now());
        returned.life.candidate = None;
        returned.life.quarantine = None;
        Ok(returned)
    }

    /// Makes the previous version active. `failed` is the version that was active.
    pub(super) async fn return_to_previous(&mut self, failed: &str, returned: Channel, reason: &str) -> Changed {
        let (component, detail) = (failed.to_owned(), reason.to_owned());
        let event = ChannelEvent { at: clock::now(), event: EventKind::RolledBack, component, detail };
        self.store_event(&returned, event).await?;
        Ok(self.exchange(returned).await)
    }
}
