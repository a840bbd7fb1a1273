//! One channel's worker: a loop over a closed set of events (a call ended, something is due, other versions are to be
//! called, told to stop). It connects values that decide: the scheduler (how many calls, with which leases), the rollout
//! tracker (which version, and whether it is sound) and the settler (what an outcome means).

mod completion;
mod handle;
mod leasing;
mod outcome_writer;
mod rollout_tracker;
mod scheduler;
mod settler;

use std::sync::Arc;
use std::time::Duration;

use tidings_domain::window::Window;
use tidings_store::Outbox;
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::limits;
use super::plugin_runner::CallOutcome;
use super::settings::DispatchSettings;
use super::version_set::{CallableVersion, RolloutReports, VersionSet};
use crate::clock;
use crate::telemetry::Metrics;
use outcome_writer::OutcomeWriter;
use rollout_tracker::RolloutTracker;
use scheduler::Scheduler;
use settler::Settler;

pub use handle::{ChannelRest, WorkerHandle, WorkerMonitor};

/// How long a worker waits after it broke, before it is started again.
const RESTART_PAUSE: Duration = Duration::from_secs(1);

/// What the worker of one channel needs.
#[derive(Clone)]
pub struct Worker {
    pub channel: String,
    pub outbox: Arc<dyn Outbox>,
    pub settings: DispatchSettings,
    pub waker: Arc<Notify>,
    pub metrics: Arc<Metrics>,
    pub reports: RolloutReports,
    /// Ends it.
    pub stop: CancellationToken,
}

/// A call that ended, and the version that was called.
struct CompletedCall {
    version: CallableVersion,
    /// The version was the candidate.
    on_trial: bool,
    outcome: CallOutcome,
}

/// What the loop keeps between events.
struct State {
    scheduler: Scheduler,
    rollout: RolloutTracker,
    settler: Settler,
    writer: OutcomeWriter,
    rest: Arc<watch::Sender<Option<ChannelRest>>>,
}

impl Worker {
    /// Starts the worker. Where it breaks it is started again: its leases end, and what they held is sent again.
    pub fn start(self, versions: VersionSet) -> WorkerHandle {
        versions.active.runner.begin();
        let (stop, grace) = (self.stop.clone(), self.settings.stop_grace);
        let rest = Arc::new(watch::Sender::new(None));
        let monitored = rest.subscribe();
        let (sender, versions) = watch::channel(Arc::new(versions));
        let task = tokio::spawn(self.supervise(versions, rest));
        WorkerHandle::new(stop, task, sender, monitored, grace)
    }

    async fn supervise(
        self,
        versions: watch::Receiver<Arc<VersionSet>>,
        rest: Arc<watch::Sender<Option<ChannelRest>>>,
    ) {
        while let Err(error) = tokio::spawn(self.clone().run(versions.clone(), Arc::clone(&rest))).await {
            tracing::error!(channel = self.channel, error = %error, "a channel's worker broke and is started again");
            tokio::select! {
                () = tokio::time::sleep(RESTART_PAUSE) => {}
                () = self.stop.cancelled() => return,
            }
        }
    }

    async fn run(self, mut versions: watch::Receiver<Arc<VersionSet>>, rest: Arc<watch::Sender<Option<ChannelRest>>>) {
        let first = Arc::clone(&versions.borrow_and_update());
        let mut state = State {
            scheduler: Scheduler::new(self.window(&first)),
            rollout: RolloutTracker::new(first, self.settings.quarantine, clock::now()),
            settler: Settler::new(self.settings.policy),
            writer: OutcomeWriter::new(&self.channel, &self.outbox, &self.stop),
            rest,
        };
        let mut calls = JoinSet::new();
        let cut_off = CancellationToken::new();
        while !self.stop.is_cancelled() {
            self.fill(&mut state, &mut calls, &cut_off).await;
            let now = clock::now();
            let judgement = state.rollout.next_judgement(now);
            let nap = state.scheduler.nap(calls.is_empty() && !state.rollout.is_halted(), judgement, now);
            tokio::select! {
                () = self.stop.cancelled() => {}
                Some(ended) = calls.join_next() => self.complete(&mut state, ended).await,
                Ok(()) = versions.changed() => {
                    let versions = Arc::clone(&versions.borrow_and_update());
                    self.adopt(&mut state, versions);
                }
                stats = state.rollout.idle_crash() => self.record_idle_crash(&mut state, &stats),
                () = self.waker.notified() => state.scheduler.look_now(),
                () = tokio::time::sleep(nap) => state.scheduler.look_now(),
            }
            self.count_resident_use(&state);
            self.report(&mut state).await;
        }
        self.drain(state, calls, &cut_off).await;
    }

    /// Goes on with other versions. Where another version is active its window is new: it does not rest for the trouble of
    /// the one before.
    fn adopt(&self, state: &mut State, versions: Arc<VersionSet>) {
        let window = self.window(&versions);
        if state.rollout.adopt(versions, clock::now()) {
            state.scheduler.replace_window(window);
            state.rest.send_replace(None);
        }
        state.scheduler.look_now();
    }

    fn window(&self, versions: &VersionSet) -> Window {
        let most = versions.active.runner.window(self.settings.window);
        Window::new(most, limits::CHANNEL_REST_MIN, self.settings.policy.backoff_max)
    }

    /// Sends a report about a version where there is one.
    async fn report(&self, state: &mut State) {
        let Some(report) = state.rollout.take_report(clock::now()) else { return };
        tokio::select! {
            sent = self.reports.send(report) => if sent.is_err() {
                tracing::error!(
                    channel = self.channel,
                    "a report about a version was lost: its receiver ended; the version is called no more"
                );
            },
            () = self.stop.cancelled() => {}
        }
    }

    /// Lets calls in flight finish within the grace, cuts off the rest, and gives back what was not tried.
    async fn drain(&self, mut state: State, mut calls: JoinSet<CompletedCall>, cut_off: &CancellationToken) {
        let grace = tokio::time::sleep(self.settings.stop_grace);
        tokio::pin!(grace);
        loop {
            tokio::select! {
                ended = calls.join_next() => match ended {
                    Some(ended) => self.complete(&mut state, ended).await,
                    None => break,
                },
                () = &mut grace, if !cut_off.is_cancelled() => cut_off.cancel(),
            }
        }
        let waiting = state.scheduler.take_waiting();
        state.writer.release(waiting).await;
        self.count_resident_use(&state);
    }
}
