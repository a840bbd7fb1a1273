//! A call that ended: hands it to the values that learn from it, counts it, and writes what became of its deliveries.

use tidings_domain::outcome::Outcome;
use tidings_domain::time::Timestamp;
use tidings_sandbox::ResidentStats;
use tokio::task::JoinError;

use super::handle::ChannelRest;
use super::{CompletedCall, State, Worker};
use crate::clock;
use crate::dispatch::plugin_runner::CallOutcome;
use crate::telemetry::{ChannelLabel, OutcomeLabel};

impl Worker {
    pub(super) async fn complete(&self, state: &mut State, ended: Result<CompletedCall, JoinError>) {
        let CompletedCall { version, on_trial, outcome } = match ended {
            Ok(completed) => completed,
            Err(error) => {
                return tracing::error!(
                    channel = self.channel,
                    error = %error,
                    "a call panicked; its leases expire and its deliveries are sent again"
                );
            }
        };
        let now = clock::now();
        self.measure(&outcome);
        self.metrics.versions.observe(&version.label, outcome.took, outcome.stats.as_ref(), outcome.crash());
        state.rollout.observe(&version, on_trial, &outcome);
        // A candidate's troubles are its own until the active version has the same, and those of a version that was active
        // when it was called do not close its successor's window.
        if !on_trial && state.rollout.active().component == version.component {
            state.scheduler.observe(&outcome.result(), now);
            self.record_rest(state, &outcome, now);
        }
        let CallOutcome { tried, untried, .. } = outcome;
        tried.iter().for_each(|(_, outcome)| self.count(outcome));
        let settled = state.settler.settle(&mut state.rollout, tried, on_trial, now);
        state.writer.settle(settled).await;
        state.writer.release(untried).await;
        state.scheduler.look_now();
    }

    /// Publishes whether the channel rests, and logs it when that begins and ends.
    fn record_rest(&self, state: &State, outcome: &CallOutcome, now: Timestamp) {
        let rest = state.scheduler.resting_until(now);
        let rest = rest.map(|until| ChannelRest { until, reason: outcome.trouble().unwrap_or_default() });
        state.rest.send_if_modified(|present| {
            match (&*present, &rest) {
                (None, Some(ChannelRest { until, reason })) => {
                    let seconds = until.since(now).as_secs();
                    tracing::warn!(channel = self.channel, reason, seconds, "the channel is in trouble and rests");
                }
                (Some(_), None) => tracing::info!(channel = self.channel, "the channel works again"),
                _ => {}
            }
            let changed = *present != rest;
            *present = rest;
            changed
        });
    }

    /// The active version, a resident, crashed with nothing to deliver.
    pub(super) fn record_idle_crash(&self, state: &mut State, stats: &ResidentStats) {
        for _ in 0..state.rollout.observe_idle_crashes(stats) {
            if let Some((kind, _)) = &stats.last_crash {
                self.metrics.versions.crashed(&state.rollout.active().label, *kind);
            }
        }
    }

    /// Counts what a resident used apart from deliveries.
    pub(super) fn count_resident_use(&self, state: &State) {
        let active = state.rollout.active();
        if let Some(used) = active.runner.take_used() {
            self.metrics.versions.used(&active.label, &used);
        }
    }

    fn measure(&self, outcome: &CallOutcome) {
        let label = ChannelLabel { channel: self.channel.clone() };
        self.metrics.calls.get_or_create(&label).inc();
        self.metrics.call_seconds.get_or_create(&label).observe(outcome.took.as_secs_f64());
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
