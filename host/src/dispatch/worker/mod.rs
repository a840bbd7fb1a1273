//! One channel's worker: a loop over a closed set of events (a call ended, something is due, other versions are to be
//! called, told to stop). How many calls may be in flight is the window's word; what an outcome means is the retry
//! policy's; whether a version is good is the trial's.

mod completion;
mod lease;
mod rollout_tracker;
mod settle;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::dispatch::limits;
use tidings_domain::plugin_life::quarantine::CrashRule;
use tidings_domain::retry::RetryPolicy;
use tidings_domain::time::Timestamp;
use tidings_domain::window::Window;
use tidings_store::{Lease, Store};
use tokio::sync::{Notify, watch};
use tokio::task::{JoinHandle, JoinSet};
use tokio_util::sync::CancellationToken;

use self::rollout_tracker::RolloutTracker;
use super::PluginRunner;
use super::plugin_runner::CallOutcome;
use super::version_set::{CallableVersion, RolloutReports, VersionSet};
use crate::clock;
use crate::config::DispatchConfig;
use crate::dispatch::bounded_map::BoundedMap;
use crate::telemetry::Metrics;

/// How long a worker pauses when the store is unavailable.
const STORE_PAUSE: Duration = Duration::from_millis(500);
/// How long a worker that broke stays away.
const RESTART_PAUSE: Duration = Duration::from_secs(1);
/// A worker looks for due deliveries at least this often, whatever it was told: clocks jump.
const LOOK_AT_LEAST: Duration = Duration::from_secs(30);

/// How deliveries are sent; the settings `dispatch.*`.
#[derive(Clone, Copy, Debug)]
pub struct DispatchSettings {
    pub batch: usize,
    pub window: usize,
    pub policy: RetryPolicy,
    pub stop_grace: Duration,
    pub quarantine: CrashRule,
}

impl From<&DispatchConfig> for DispatchSettings {
    fn from(config: &DispatchConfig) -> DispatchSettings {
        DispatchSettings {
            batch: config.batch,
            window: config.window,
            policy: config.retry_policy(),
            stop_grace: config.stop_grace,
            quarantine: CrashRule::settled(config.quarantine_crashes, config.quarantine_calls),
        }
    }
}

/// What a worker is doing, for whoever asks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WorkerStatus {
    /// The channel rests until then, with the reason it gave.
    pub resting: Option<(Timestamp, String)>,
}

/// A running worker.
pub struct WorkerHandle {
    stop: CancellationToken,
    task: JoinHandle<()>,
    fleet: watch::Sender<Arc<VersionSet>>,
    status: Arc<Mutex<WorkerStatus>>,
    grace: Duration,
}

impl WorkerHandle {
    /// Stops it: calls in flight may finish within the grace, then they are cut off; a resident plugin gets its last call,
    /// within the grace again. Returns when nothing is left.
    pub async fn stop(self) {
        self.stop.cancel();
        if let Err(error) = self.task.await {
            tracing::error!(error = %error, "a channel's worker ended badly");
        }
        let fleet = Arc::clone(&self.fleet.borrow());
        fleet.active.sender.end(self.grace).await;
    }

    /// What it sends with, apart from what is on trial.
    pub fn sender(&self) -> Arc<PluginRunner> {
        Arc::clone(&self.fleet.borrow().active.sender)
    }

    /// The versions that it calls.
    pub fn fleet(&self) -> Arc<VersionSet> {
        Arc::clone(&self.fleet.borrow())
    }

    /// From now on it calls these versions. Calls in flight are not interrupted.
    pub fn call(&self, fleet: VersionSet) {
        self.fleet.send_replace(Arc::new(fleet));
    }

    pub fn status(&self) -> WorkerStatus {
        self.status.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// The worker of one channel.
#[derive(Clone)]
pub struct Worker {
    pub channel: String,
    pub store: Arc<dyn Store>,
    pub settings: DispatchSettings,
    pub waker: Arc<Notify>,
    pub metrics: Arc<Metrics>,
    pub findings: RolloutReports,
    /// Ends it.
    pub stop: CancellationToken,
}

/// Deliveries that go out together.
struct Batch {
    leases: Vec<Lease>,
    /// A candidate failed with them, or one of them crashed its plugin: the active version's alone.
    tested: bool,
}

/// A call that ended, and which version it was.
struct Ended {
    version: CallableVersion,
    /// It was the candidate's.
    on_trial: bool,
    called: CallOutcome,
}

/// What the loop keeps between events.
struct State {
    window: Window,
    /// Deliveries that were in a call that crashed, with how often they crashed alone. They are sent alone.
    suspects: BoundedMap<u32>,
    /// Leased, not called yet.
    ready: VecDeque<Batch>,
    /// When to look for due deliveries again; none: now.
    look_at: Option<Timestamp>,
    trial: RolloutTracker,
    status: Arc<Mutex<WorkerStatus>>,
}

impl Worker {
    /// Starts it. Should it break, it is started again: its leases end, and what they held is sent again.
    pub fn start(self, fleet: VersionSet) -> WorkerHandle {
        let (stop, grace) = (self.stop.clone(), self.settings.stop_grace);
        fleet.active.sender.begin();
        let status = Arc::new(Mutex::new(WorkerStatus::default()));
        let (sender, fleet) = watch::channel(Arc::new(fleet));
        let task = tokio::spawn(self.supervise(fleet, Arc::clone(&status)));
        WorkerHandle { stop, task, fleet: sender, status, grace }
    }

    async fn supervise(self, fleet: watch::Receiver<Arc<VersionSet>>, status: Arc<Mutex<WorkerStatus>>) {
        while let Err(error) = tokio::spawn(self.clone().run(fleet.clone(), Arc::clone(&status))).await {
            tracing::error!(channel = self.channel, error = %error, "a channel's worker broke and is started again");
            tokio::select! {
                () = tokio::time::sleep(RESTART_PAUSE) => {}
                () = self.stop.cancelled() => return,
            }
        }
    }

    async fn run(self, mut fleets: watch::Receiver<Arc<VersionSet>>, status: Arc<Mutex<WorkerStatus>>) {
        let fleet = Arc::clone(&fleets.borrow_and_update());
        let mut state = State {
            window: self.window(&fleet),
            suspects: BoundedMap::new(limits::SUSPECTS),
            ready: VecDeque::new(),
            look_at: None,
            trial: RolloutTracker::new(fleet, self.settings.quarantine, clock::now()),
            status,
        };
        let mut calls = JoinSet::new();
        let cut_off = CancellationToken::new();
        while !self.stop.is_cancelled() {
            self.fill(&mut state, &mut calls, &cut_off).await;
            let nap = self.nap(&state, calls.is_empty());
            tokio::select! {
                () = self.stop.cancelled() => {}
                Some(ended) = calls.join_next() => self.ended(&mut state, ended).await,
                Ok(()) = fleets.changed() => {
                    let fleet = Arc::clone(&fleets.borrow_and_update());
                    self.adopt(&mut state, fleet);
                }
                crashed = state.trial.idle_crash() => self.crashed_idle(&mut state, &crashed),
                () = self.waker.notified() => state.look_at = None,
                () = tokio::time::sleep(nap) => state.look_at = None,
            }
            self.count_wakes(&state);
            self.report(&mut state).await;
        }
        self.drain(state, calls, &cut_off).await;
    }

    /// Goes on with other versions. Another active version's window is new: it does not rest for its predecessor's trouble.
    fn adopt(&self, state: &mut State, fleet: Arc<VersionSet>) {
        let window = self.window(&fleet);
        if state.trial.adopt(fleet, clock::now()) {
            state.window = window;
            state.status.lock().unwrap_or_else(PoisonError::into_inner).resting = None;
        }
        state.look_at = None;
    }

    fn window(&self, fleet: &VersionSet) -> Window {
        let most = fleet.active.sender.window(self.settings.window);
        Window::new(most, limits::CHANNEL_REST_MIN, self.settings.policy.backoff_max)
    }

    /// Lets calls in flight finish within the grace, cuts off the rest, and gives back what was not tried.
    async fn drain(&self, mut state: State, mut calls: JoinSet<Ended>, cut_off: &CancellationToken) {
        let grace = tokio::time::sleep(self.settings.stop_grace);
        tokio::pin!(grace);
        loop {
            tokio::select! {
                ended = calls.join_next() => match ended {
                    Some(ended) => self.ended(&mut state, ended).await,
                    None => break,
                },
                () = &mut grace, if !cut_off.is_cancelled() => cut_off.cancel(),
            }
        }
        for batch in std::mem::take(&mut state.ready) {
            self.release(batch.leases).await;
        }
        self.count_wakes(&state);
    }
}
