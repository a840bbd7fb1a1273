//! What a call that ended means: for each of its deliveries, for the channel, and for the version that was called.

use crate::dispatch::limits;
use tidings_domain::delivery::DeliveryId;
use tidings_domain::outcome::{Outcome, Settlement};
use tidings_domain::retry::AttemptFacts;
use tidings_domain::time::Timestamp;
use tidings_sandbox::ResidentStats;
use tidings_store::Lease;
use tokio::task::JoinError;

use super::super::plugin_runner::CallOutcome;
use super::super::version_set::CallableVersion;
use super::{Ended, State, Worker};
use crate::clock;
use crate::dispatch::bounded_map::BoundedMap;
use crate::telemetry::{ChannelLabel, OutcomeLabel};

impl Worker {
    pub(super) async fn ended(&self, state: &mut State, ended: Result<Ended, JoinError>) {
        let Ended { version, on_trial, called } = match ended {
            Ok(ended) => ended,
            // Its leases expire by themselves.
            Err(error) => return tracing::error!(channel = self.channel, error = %error, "a call ended badly"),
        };
        let now = clock::now();
        self.measure(&called);
        self.metrics.versions.observe(&version.label, called.took, called.stats.as_ref(), called.crash());
        state.trial.observe(&version, on_trial, &called);
        // A candidate's troubles are its own until the active version has the same, and those of a version that was active
        // when it was called do not close its successor's window.
        if !on_trial && state.trial.active().component == version.component {
            state.window.observe(&called.result(), now);
            self.note(state, &called, now);
        }
        let alone = called.tried.len() == 1;
        let last = called.tried.iter().rposition(|(_, outcome)| matches!(outcome, Outcome::Delivered { .. }));
        let mut settled = Vec::with_capacity(called.tried.len());
        for (place, (lease, outcome)) in called.tried.into_iter().enumerate() {
            self.count(&outcome);
            let accepted_at = lease.delivery().accepted_at;
            let overtaken = last.is_some_and(|last| place < last);
            let tried = AttemptFacts { accepted_at, alone, crashes: 0, overtaken };
            let settlement = match on_trial {
                true => self.settled_by_candidate(state, &lease, outcome, tried, now),
                false => self.settled(state, &lease, outcome, tried, now),
            };
            settled.push((lease, settlement));
        }
        self.settle(settled).await;
        self.release(called.untried).await;
        state.look_at = None;
    }

    fn settled(&self, state: &mut State, lease: &Lease, outcome: Outcome, tried: AttemptFacts, now: Timestamp) -> Settlement {
        let alone = tried.alone;
        let id = &lease.delivery().id;
        state.trial.active_said(id, &outcome);
        let crashes = state.suspects.get(id).copied().unwrap_or(0);
        let watched = alone && state.trial.watching(now);
        // What crashes a version that may be taken back soon is not held against the delivery.
        suspect(&mut state.suspects, id, &outcome, alone && !watched);
        if let Outcome::Crash { kind, detail } = &outcome
            && watched
        {
            let reason = format!("the plugin crashed ({}): {detail}", kind.as_str());
            return Settlement::Again { not_before: now.after(limits::WATCH_RETRY), reason, counts: false };
        }
        let settlement = self.settings.policy.decide(outcome, AttemptFacts { crashes, ..tried }, now);
        if !matches!(settlement, Settlement::Again { .. }) {
            state.suspects.remove(id);
        }
        settlement
    }

    /// A candidate's word counts where it delivered, or where the far side asked to wait. Everything else the active
    /// version tries again at once, and has the last word.
    fn settled_by_candidate(
        &self,
        state: &mut State,
        lease: &Lease,
        outcome: Outcome,
        tried: AttemptFacts,
        now: Timestamp,
    ) -> Settlement {
        let delivery = lease.delivery();
        let reason = match outcome {
            Outcome::Delivered { .. } | Outcome::Retry { .. } => {
                return self.settings.policy.decide(outcome, AttemptFacts { alone: false, ..tried }, now);
            }
            Outcome::Rejected { ref reason } | Outcome::AddressGone { ref reason, .. } => {
                format!("the version on trial refused it: {reason}")
            }
            Outcome::ChannelTrouble { ref reason, .. } => format!("the version on trial was in trouble: {reason}"),
            Outcome::Crash { kind, ref detail } => {
                format!("the version on trial crashed ({}): {detail}", kind.as_str())
            }
        };
        let refused = matches!(outcome, Outcome::Rejected { .. } | Outcome::AddressGone { .. });
        state.trial.spare(&delivery.id, refused);
        Settlement::Again { not_before: now, reason, counts: false }
    }

    /// Publishes whether the channel rests, and says so in the log when it begins.
    fn note(&self, state: &State, called: &CallOutcome, now: Timestamp) {
        let resting = state.window.resting_until(now).map(|until| (until, called.trouble().unwrap_or_default()));
        let mut status = state.status.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if let (Some((until, reason)), None) = (&resting, &status.resting) {
            let seconds = until.since(now).as_secs();
            tracing::warn!(channel = self.channel, reason, seconds, "the channel is in trouble and rests");
        }
        if resting.is_none() && status.resting.is_some() {
            tracing::info!(channel = self.channel, "the channel works again");
        }
        status.resting = resting;
    }

    /// The active version, a resident, crashed with nothing to deliver.
    pub(super) fn crashed_idle(&self, state: &mut State, stats: &ResidentStats) {
        for _ in 0..state.trial.crashed_idle(stats) {
            if let Some((kind, _)) = &stats.last_crash {
                self.metrics.versions.crashed(&state.trial.active().label, *kind);
            }
        }
    }

    /// Counts what a resident used apart from deliveries.
    pub(super) fn count_wakes(&self, state: &State) {
        let CallableVersion { sender, label, .. } = state.trial.active();
        if let Some(used) = sender.take_used() {
            self.metrics.versions.used(label, &used);
        }
    }

    fn measure(&self, called: &CallOutcome) {
        let label = ChannelLabel { channel: self.channel.clone() };
        self.metrics.calls.get_or_create(&label).inc();
        self.metrics.call_seconds.get_or_create(&label).observe(called.took.as_secs_f64());
    }

    fn count(&self, outcome: &Outcome) {
        let outcome = match outcome {
            Outcome::Delivered { .. } => "delivered",
            Outcome::Retry { .. } => "retry",
            Outcome::Rejected { .. } => "rejected",
            Outcome::AddressGone { .. } => "address_gone",
            Outcome::ChannelTrouble { .. } => "channel_trouble",
            Outcome::Crash { kind, .. } => kind.as_str(),
        };
        self.metrics.outcomes.get_or_create(&OutcomeLabel { channel: self.channel.clone(), outcome }).inc();
    }
}

/// Keeps the list of deliveries that are sent alone; forgetting one only costs its company a repetition.
fn suspect(suspects: &mut BoundedMap<u32>, id: &DeliveryId, outcome: &Outcome, counts: bool) {
    match outcome {
        Outcome::Crash { .. } => {
            let before = suspects.get(id).copied().unwrap_or(0);
            suspects.insert(id, before + u32::from(counts));
        }
        _ => drop(suspects.remove(id)),
    }
}
