//! Versions: a new one on trial beside the active one, promoted or given up; the way back; quarantine. A change of versions
//! is one transaction, and interrupts no call: the worker goes on with other versions, and a call ends with the one that
//! it began with.

use std::collections::BTreeMap;

use tidings_domain::manifest::Lifetime;
use tidings_domain::plugin_life::{CanaryPlan, Candidate, ChannelEvent, EventKind, Quarantine};
use tidings_sandbox::Admitted;
use tidings_store::Channel;
use tidings_store::limits;

use super::{ChannelError, ChannelView, Channels, Slot, VersionView, Workers, config_compat};
use crate::clock;
use crate::dispatch::{RolloutReport, RolloutVerdict};
use crate::telemetry::VersionLabel;

/// Cases that a refusal names of a component that breaks the contract.
const CONTRACT_LINES: usize = 10;

type Viewed = Result<ChannelView, ChannelError>;

/// A wish for another version.
#[derive(Clone, Debug)]
pub struct Upgrade {
    /// SHA-256 of an installed component.
    pub component: String,
    /// How it is tried; none: it becomes active at once, and is watched.
    pub canary: Option<CanaryPlan>,
    /// Configuration values that go with it. With a trial, only of fields that the active version does not have.
    pub config: BTreeMap<String, Option<String>>,
    /// It is not tried against the contract first.
    pub unproven: bool,
}

impl Channels {
    /// Tries another version of the channel's plugin. Refused before anything changes: another plugin, one that cannot
    /// run here or breaks the contract, a configuration that does not fit.
    pub async fn upgrade(&self, name: &str, wish: Upgrade) -> Viewed {
        let mistakes = wish.canary.as_ref().map(CanaryPlan::errors).unwrap_or_default();
        if !mistakes.is_empty() {
            let lines = mistakes.iter().map(|(field, what)| format!("canary.{field}: {what}"));
            return Err(ChannelError::Config(lines.collect()));
        }
        let admitted = self.admitted(&wish.component).await?;
        if !wish.unproven {
            self.prove(&admitted).await?;
        }
        let workers = self.workers.lock().await;
        let mut channel = self.environment.store.channel(name).await?;
        if channel.component == wish.component {
            return Err(ChannelError::NotReady("this version is the active one".into()));
        }
        let active = self.manifest(&channel.component).await?;
        config_compat::same_plugin(admitted.manifest(), &active)?;
        let resident = [admitted.manifest(), &active].iter().any(|manifest| manifest.lifetime == Lifetime::Resident);
        // Nothing goes out that could be compared: a disabled or quarantined channel; and two residents cannot both be
        // the one user that a far side knows.
        let comparable = channel.enabled && channel.life.quarantine.is_none() && !resident;
        let canary = wish.canary.filter(|_| comparable);
        if canary.is_some() {
            config_compat::apart(&active, &wish.config)?;
        }
        let before = |name: &String| (name.clone(), channel.config.get(name).cloned());
        channel.former = wish.config.keys().map(before).collect();
        config_compat::edit(admitted.manifest(), &mut channel.config, wish.config)?;
        if channel.enabled {
            self.checked(&channel, &wish.component).await?;
        } else {
            config_compat::well_formed(admitted.manifest(), &channel.config)?;
        }
        match canary {
            Some(plan) => self.begin_canary(workers, channel, wish.component, plan).await,
            None => {
                let before = std::mem::replace(&mut channel.component, wish.component.clone());
                channel.life.switch(before, &wish.component, clock::now());
                self.store_change(&channel, EventKind::Switched, "at once").await?;
                self.exchange(workers, channel).await
            }
        }
    }

    /// Runs it against a far side on loopback, in the sandbox and with the limits of production. No delivery is at stake.
    async fn prove(&self, admitted: &Admitted) -> Result<(), ChannelError> {
        let findings = tidings_conformance::run(&self.environment.sandbox, admitted).await;
        let failed = findings.failures().map(|case| format!("{}: {}", case.name, case.verdict.why()));
        let failed: Vec<String> = failed.take(CONTRACT_LINES).collect();
        if failed.is_empty() { Ok(()) } else { Err(ChannelError::Contract(failed)) }
    }

    async fn begin_canary(
        &self,
        workers: Workers<'_>,
        mut channel: Channel,
        component: String,
        plan: CanaryPlan,
    ) -> Viewed {
        let now = clock::now();
        let detail = format!("{} % of the calls", plan.share_percent);
        channel.life.candidate = Some(Candidate { component: component.clone(), plan, since: now });
        let event = ChannelEvent { at: now, event: EventKind::CanaryStarted, component, detail };
        self.store_event(&channel, event).await?;
        self.exchange(workers, channel).await
    }

    /// Ends a trial, or returns to the previous version.
    pub async fn roll_back(&self, name: &str) -> Viewed {
        let workers = self.workers.lock().await;
        let channel = self.environment.store.channel(name).await?;
        if let Some(candidate) = channel.life.candidate.clone() {
            return self.give_up(workers, channel, candidate, "by an administrator").await;
        }
        let returned = self.returned(&channel).await?;
        self.return_to_previous(workers, &channel.component, returned, "by an administrator").await
    }

    async fn give_up(&self, workers: Workers<'_>, mut channel: Channel, candidate: Candidate, why: &str) -> Viewed {
        channel.life.candidate = None;
        config_compat::put_back(&mut channel);
        let (component, detail) = (candidate.component, why.to_owned());
        self.store_event(&channel, ChannelEvent { at: clock::now(), event: EventKind::FellBack, component, detail })
            .await?;
        self.exchange(workers, channel).await
    }

    /// The channel as it is with its previous version active again and the values that this had, where that can run.
    async fn returned(&self, channel: &Channel) -> Result<Channel, ChannelError> {
        let mut returned = channel.clone();
        let previous = returned.life.previous.take();
        returned.component = previous.ok_or_else(|| ChannelError::NotReady("there is no previous version".into()))?;
        config_compat::put_back(&mut returned);
        if returned.enabled {
            self.checked(&returned, &returned.component).await?;
        }
        returned.life.switched_at = Some(clock::now());
        returned.life.candidate = None;
        returned.life.quarantine = None;
        Ok(returned)
    }

    async fn return_to_previous(&self, workers: Workers<'_>, failed: &str, returned: Channel, why: &str) -> Viewed {
        let (component, detail) = (failed.to_owned(), why.to_owned());
        let event = ChannelEvent { at: clock::now(), event: EventKind::RolledBack, component, detail };
        self.store_event(&returned, event).await?;
        self.exchange(workers, returned).await
    }

    /// All versions that the channel has or had, and its history.
    pub async fn versions(&self, name: &str) -> Result<Vec<VersionView>, ChannelError> {
        self.environment.store.channel(name).await?;
        let components = self.environment.store.components().await?;
        let versions = self.environment.store.channel_versions(name).await?.into_iter();
        let view = |version: tidings_store::ChannelVersion| {
            let info = components.iter().find(|info| info.digest == version.component);
            let label = info.map(|info| VersionLabel::new(name, &info.manifest, &info.digest));
            VersionView {
                version: info.map(|info| info.manifest.version.clone()),
                stats: label.map(|label| self.environment.metrics.versions.stats(&label)),
                component: version.component,
                state: version.state,
                since: version.since,
            }
        };
        Ok(versions.map(view).collect())
    }

    /// The channel's history, newest first.
    pub async fn events(&self, name: &str) -> Result<Vec<ChannelEvent>, ChannelError> {
        self.environment.store.channel(name).await?;
        Ok(self.environment.store.channel_events(name, limits::CHANNEL_EVENTS).await?)
    }

    /// Does what follows from a worker's finding, unless the worker calls others by now: other versions, or the same with
    /// another configuration or other grants.
    pub(super) async fn act_on(&self, finding: &RolloutReport) -> Result<(), ChannelError> {
        let workers = self.workers.lock().await;
        match workers.get(&finding.channel) {
            Some(Slot::Running(worker)) if worker.fleet().number == finding.fleet => {}
            _ => return Ok(()),
        }
        let mut channel = self.environment.store.channel(&finding.channel).await?;
        let (name, reason) = (channel.name.clone(), finding.reason.as_str());
        let candidate = channel.life.candidate.clone().filter(|c| *c.component == *finding.component);
        let active = *channel.component == *finding.component && channel.enabled && channel.life.quarantine.is_none();
        match (finding.verdict, candidate) {
            (RolloutVerdict::Proved, Some(candidate)) => {
                let before = std::mem::replace(&mut channel.component, candidate.component.clone());
                channel.life.switch(before, &candidate.component, clock::now());
                self.store_change(&channel, EventKind::Promoted, reason).await?;
                tracing::info!(channel = name, component = candidate.component, reason, "a new version is promoted");
                self.exchange(workers, channel).await?;
            }
            (RolloutVerdict::Failed, Some(candidate)) => {
                tracing::error!(
                    channel = name,
                    component = candidate.component,
                    reason,
                    "a new version failed its trial"
                );
                self.give_up(workers, channel, candidate, reason).await?;
            }
            (RolloutVerdict::Broken, _) if active => {
                let now = clock::now();
                if channel.life.watched_until(tidings_domain::limits::WATCH_TIME).is_some_and(|until| now < until) {
                    match self.returned(&channel).await {
                        Ok(returned) => {
                            self.return_to_previous(workers, &channel.component, returned, reason).await?;
                            tracing::error!(channel = name, reason, "a new version is broken and was rolled back");
                            return Ok(());
                        }
                        Err(error) if error.is_passing() => return Err(error),
                        Err(error) => {
                            tracing::error!(channel = name, %error, "a broken version cannot be rolled back");
                        }
                    }
                }
                self.quarantine(workers, channel, reason).await?;
            }
            _ => {}
        }
        Ok(())
    }

    async fn quarantine(&self, workers: Workers<'_>, mut channel: Channel, reason: &str) -> Result<(), ChannelError> {
        channel.life.candidate = None;
        channel.life.quarantine = Some(Quarantine { since: clock::now(), reason: reason.to_owned() });
        tracing::error!(channel = channel.name, reason, "the channel is quarantined; its deliveries are held");
        self.change(workers, channel, EventKind::Quarantined, reason).await.map(drop)
    }
}
