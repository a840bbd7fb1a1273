//! One channel's worker: a loop over a closed set of events (a call ended, something is due, told to stop). How many calls
//! may be in flight is the window's word; what an outcome means is the retry policy's.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tidings_domain::delivery::DeliveryId;
use tidings_domain::limits;
use tidings_domain::outcome::{Outcome, Settlement};
use tidings_domain::retry::{RetryPolicy, Tried};
use tidings_domain::time::Timestamp;
use tidings_domain::window::Window;
use tidings_store::{Lease, LeaseRequest, Store, StoreError};
use tokio::sync::Notify;
use tokio::task::{JoinHandle, JoinSet};
use tokio_util::sync::CancellationToken;

use super::call::{Called, Sender};
use crate::clock;
use crate::config::DispatchConfig;
use crate::telemetry::{ChannelLabel, Metrics, OutcomeLabel, chain};

/// How long a worker pauses when the store is unavailable.
const STORE_PAUSE: Duration = Duration::from_millis(500);
/// How long a worker that broke stays away.
const RESTART_PAUSE: Duration = Duration::from_secs(1);
/// A worker looks for due deliveries at least this often, whatever it was told: clocks jump.
const LOOK_AT_LEAST: Duration = Duration::from_secs(30);

/// How deliveries are sent; the settings `dispatch.*`.
#[derive(Clone, Copy, Debug)]
pub struct Dispatch {
    pub batch: usize,
    pub window: usize,
    pub policy: RetryPolicy,
    pub stop_grace: Duration,
}

impl From<&DispatchConfig> for Dispatch {
    fn from(config: &DispatchConfig) -> Dispatch {
        Dispatch {
            batch: config.batch,
            window: config.window,
            policy: config.retry_policy(),
            stop_grace: config.stop_grace,
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
    status: Arc<Mutex<WorkerStatus>>,
    sender: Arc<Sender>,
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
        self.sender.end(self.grace).await;
    }

    /// What it sends with.
    pub fn sender(&self) -> &Arc<Sender> {
        &self.sender
    }

    pub fn status(&self) -> WorkerStatus {
        self.status.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// The worker of one channel.
#[derive(Clone)]
pub struct Worker {
    pub channel: String,
    pub sender: Arc<Sender>,
    pub store: Arc<dyn Store>,
    pub settings: Dispatch,
    pub waker: Arc<Notify>,
    pub metrics: Arc<Metrics>,
    /// Ends it.
    pub stop: CancellationToken,
}

/// What the loop keeps between events.
struct State {
    window: Window,
    /// Deliveries that were in a call that crashed, with how often they crashed alone. They are sent alone.
    suspects: HashMap<DeliveryId, u32>,
    /// Leased, not called yet.
    ready: VecDeque<Vec<Lease>>,
    /// When to look for due deliveries again; none: now.
    look_at: Option<Timestamp>,
    status: Arc<Mutex<WorkerStatus>>,
}

impl Worker {
    /// Starts it. Should it break, it is started again: its leases end, and what they held is sent again.
    pub fn start(self) -> WorkerHandle {
        let (stop, sender, grace) = (self.stop.clone(), Arc::clone(&self.sender), self.settings.stop_grace);
        sender.begin();
        let status = Arc::new(Mutex::new(WorkerStatus::default()));
        let task = tokio::spawn(self.supervise(Arc::clone(&status)));
        WorkerHandle { stop, task, status, sender, grace }
    }

    async fn supervise(self, status: Arc<Mutex<WorkerStatus>>) {
        while let Err(error) = tokio::spawn(self.clone().run(Arc::clone(&status))).await {
            tracing::error!(channel = self.channel, error = %error, "a channel's worker broke and is started again");
            tokio::select! {
                () = tokio::time::sleep(RESTART_PAUSE) => {}
                () = self.stop.cancelled() => return,
            }
        }
    }

    async fn run(self, status: Arc<Mutex<WorkerStatus>>) {
        let policy = &self.settings.policy;
        let mut state = State {
            window: Window::new(self.sender.window(self.settings.window), limits::CHANNEL_REST_MIN, policy.backoff_max),
            suspects: HashMap::new(),
            ready: VecDeque::new(),
            look_at: None,
            status,
        };
        let mut calls = JoinSet::new();
        let cut_off = CancellationToken::new();
        while !self.stop.is_cancelled() {
            self.fill(&mut state, &mut calls, &cut_off).await;
            let nap = self.nap(&state, calls.is_empty());
            tokio::select! {
                () = self.stop.cancelled() => {}
                Some(called) = calls.join_next() => self.ended(&mut state, called).await,
                () = self.waker.notified() => state.look_at = None,
                () = tokio::time::sleep(nap) => state.look_at = None,
            }
        }
        self.drain(state, calls, &cut_off).await;
    }

    /// Calls as many batches as the window allows.
    async fn fill(&self, state: &mut State, calls: &mut JoinSet<Called>, cut_off: &CancellationToken) {
        loop {
            let now = clock::now();
            if calls.len() >= state.window.size(now) {
                return;
            }
            if state.ready.is_empty() && state.look_at.is_none_or(|at| at <= now) {
                self.lease(state, now).await;
            }
            let Some(batch) = state.ready.pop_front() else { return };
            let batch = self.still_ours(batch, now).await;
            if !batch.is_empty() {
                calls.spawn(Arc::clone(&self.sender).call(batch, cut_off.child_token()));
            }
        }
    }

    /// Leases what is due and sorts it into batches.
    async fn lease(&self, state: &mut State, now: Timestamp) {
        let request = LeaseRequest {
            channel: self.channel.clone(),
            now,
            lifetime: self.sender.deadline() + limits::LEASE_MARGIN,
            max: self.settings.batch,
            digest_events: limits::DIGEST_EVENTS,
        };
        let leased = match self.store.lease(request).await {
            Ok(leased) => leased,
            Err(error) => return self.unavailable(state, "leasing", &error),
        };
        if leased.is_empty() {
            state.look_at = match self.store.next_due(&self.channel).await {
                Ok(due) => Some(due.map_or(now.after(LOOK_AT_LEAST), |due| due.min(now.after(LOOK_AT_LEAST)))),
                Err(error) => return self.unavailable(state, "asking what is due", &error),
            };
            return;
        }
        let mut company = Vec::new();
        let mut expired = Vec::new();
        for lease in leased {
            if let Some(dead) = self.settings.policy.expired(lease.delivery().accepted_at, now) {
                expired.push((lease, dead));
            } else if state.suspects.contains_key(&lease.delivery().id) {
                state.ready.push_back(vec![lease]);
            } else {
                company.push(lease);
            }
        }
        if !company.is_empty() {
            state.ready.push_front(company);
        }
        self.settle(expired).await;
    }

    /// Drops from a waiting batch what could not be finished within its lease any more.
    async fn still_ours(&self, batch: Vec<Lease>, now: Timestamp) -> Vec<Lease> {
        let ends = now.after(self.sender.deadline());
        let (good, late): (Vec<Lease>, Vec<Lease>) = batch.into_iter().partition(|lease| lease.until() > ends);
        self.release(late).await;
        good
    }

    /// How long to wait if nothing happens.
    fn nap(&self, state: &State, idle: bool) -> Duration {
        let now = clock::now();
        let wake = match state.window.resting_until(now) {
            Some(until) => until,
            // The window is full: a call that ends wakes the loop.
            None if !idle => now.after(LOOK_AT_LEAST),
            None => state.look_at.unwrap_or(now),
        };
        wake.since(now).clamp(Duration::from_millis(5), LOOK_AT_LEAST)
    }

    async fn ended(&self, state: &mut State, called: Result<Called, tokio::task::JoinError>) {
        let called = match called {
            Ok(called) => called,
            // Its leases expire by themselves.
            Err(error) => return tracing::error!(channel = self.channel, error = %error, "a call ended badly"),
        };
        let now = clock::now();
        let label = ChannelLabel { channel: self.channel.clone() };
        self.metrics.calls.get_or_create(&label).inc();
        self.metrics.call_seconds.get_or_create(&label).observe(called.took.as_secs_f64());
        let result = called.result();
        state.window.observe(&result, now);
        self.note(state, &called, now);
        let alone = called.tried.len() == 1;
        let mut settled = Vec::with_capacity(called.tried.len());
        for (lease, outcome) in called.tried {
            self.count(&outcome);
            let id = &lease.delivery().id;
            let crashes = state.suspects.get(id).copied().unwrap_or(0);
            suspect(&mut state.suspects, id, &outcome, alone);
            let tried = Tried { accepted_at: lease.delivery().accepted_at, alone, crashes };
            let settlement = self.settings.policy.decide(outcome, tried, now);
            settled.push((lease, settlement));
        }
        self.settle(settled).await;
        self.release(called.untried).await;
        state.look_at = None;
    }

    /// Publishes whether the channel rests, and says so in the log when it begins.
    fn note(&self, state: &State, called: &Called, now: Timestamp) {
        let resting = state.window.resting_until(now).map(|until| (until, called.trouble().unwrap_or_default()));
        let mut status = state.status.lock().unwrap_or_else(PoisonError::into_inner);
        if let (Some((until, reason)), None) = (&resting, &status.resting) {
            let seconds = until.since(now).as_secs();
            tracing::warn!(channel = self.channel, reason, seconds, "the channel is in trouble and rests");
        }
        if resting.is_none() && status.resting.is_some() {
            tracing::info!(channel = self.channel, "the channel works again");
        }
        status.resting = resting;
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

    /// Makes outcomes durable. While the store is unavailable the leases keep: after them, or when the daemon stops
    /// before, what was sent is sent again, with the same id.
    async fn settle(&self, settled: Vec<(Lease, Settlement)>) {
        let Some(until) = settled.iter().map(|(lease, _)| lease.until()).max() else { return };
        let mut reported = false;
        loop {
            let error = match self.store.settle(settled.clone(), clock::now()).await {
                Ok(0) => return,
                Ok(stale) => {
                    return tracing::warn!(channel = self.channel, stale, "leases had ended before their calls");
                }
                Err(error) => error,
            };
            let again = matches!(error, StoreError::Unavailable { .. }) && clock::now() < until;
            if !again || self.stop.is_cancelled() {
                let (channel, count) = (&self.channel, settled.len());
                return tracing::error!(channel, count, error = %chain(&error), "outcomes could not be stored");
            }
            if !std::mem::replace(&mut reported, true) {
                tracing::error!(channel = self.channel, error = %chain(&error), "outcomes wait for the store");
            }
            tokio::select! {
                () = tokio::time::sleep(STORE_PAUSE) => {}
                () = self.stop.cancelled() => {}
            }
        }
    }

    async fn release(&self, leases: Vec<Lease>) {
        if leases.is_empty() {
            return;
        }
        if let Err(error) = self.store.release(leases).await {
            tracing::warn!(channel = self.channel, error = %chain(&error), "leases could not be given back; they expire");
        }
    }

    fn unavailable(&self, state: &mut State, doing: &str, error: &StoreError) {
        tracing::error!(channel = self.channel, doing, error = %chain(error), "dispatch waits for the store");
        state.look_at = Some(clock::now().after(STORE_PAUSE));
    }

    /// Lets calls in flight finish within the grace, cuts off the rest, and gives back what was not tried.
    async fn drain(&self, mut state: State, mut calls: JoinSet<Called>, cut_off: &CancellationToken) {
        let grace = tokio::time::sleep(self.settings.stop_grace);
        tokio::pin!(grace);
        loop {
            tokio::select! {
                called = calls.join_next() => match called {
                    Some(called) => self.ended(&mut state, called).await,
                    None => break,
                },
                () = &mut grace, if !cut_off.is_cancelled() => cut_off.cancel(),
            }
        }
        for batch in state.ready {
            self.release(batch).await;
        }
    }
}

/// Keeps the list of deliveries that are sent alone; bounded, since forgetting one only costs its company a repetition.
fn suspect(suspects: &mut HashMap<DeliveryId, u32>, id: &DeliveryId, outcome: &Outcome, alone: bool) {
    if !matches!(outcome, Outcome::Crash { .. }) {
        suspects.remove(id);
    } else if suspects.len() < limits::SUSPECTS || suspects.contains_key(id) {
        *suspects.entry(id.clone()).or_insert(0) += u32::from(alone);
    }
}
