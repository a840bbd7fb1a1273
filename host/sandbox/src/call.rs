//! Calls of a plugin in one instance: a store with every limit set, a deadline around guest code and host calls, and a
//! report that is made the same way however a call ends. A store serves one call; only a resident plugin's serves more.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use tidings_domain::manifest::Manifest;
use tidings_domain::outcome::{CrashKind, Outcome};
use tokio::sync::OwnedSemaphorePermit;
use wasmtime::component::Instance;
use wasmtime::{Engine, Store, UpdateDeadline};

use crate::abi::{LinkedPlugin, WakeReason};
use crate::delivery_request::Batch;
use crate::guest_executor::processor_time;
use crate::instance::InstanceState;
use crate::limits;
use crate::report::{CallReport, CallStats, combine_outcomes};
use crate::violation::{Crash, crash};

/// How the work of a call ended, and its processor time.
struct Completion<T> {
    result: Result<wasmtime::Result<T>, DeadlineExceeded>,
    cpu: Duration,
}

struct DeadlineExceeded;

/// An instance's store and its current call. After a call that crashed or was dropped, it must not be called again.
pub(crate) struct Call {
    store: Store<InstanceState>,
    linked: Arc<LinkedPlugin>,
    /// Made within the first call, under its deadline.
    instance: Option<Instance>,
    time: Duration,
    _instance_permit: OwnedSemaphorePermit,
}

impl Call {
    /// A store whose first call may take `time`.
    pub(crate) fn new(
        engine: &Engine,
        linked: Arc<LinkedPlugin>,
        state: InstanceState,
        time: Duration,
        instance_permit: OwnedSemaphorePermit,
    ) -> wasmtime::Result<Call> {
        let hostcall_bytes = state.context.limits.hostcall_bytes;
        let mut store = Store::try_new(engine, state)?;
        store.limiter(|state| &mut state.growth);
        store.set_hostcall_fuel(hostcall_bytes);
        store.set_max_component_handles(limits::GUEST_HANDLES);
        store.set_epoch_deadline(1);
        store.epoch_deadline_callback(|store| on_epoch_tick(store.data()));
        Ok(Call { store, linked, instance: None, time, _instance_permit: instance_permit })
    }

    /// Starts the next call in the same instance, with its own quotas.
    pub(crate) fn begin(&mut self, batch: Batch, time: Duration) {
        self.time = time;
        self.store.data_mut().begin_call(batch, time);
    }

    pub(crate) async fn describe(&mut self) -> Result<Manifest, Crash> {
        let time = self.time;
        let work = async {
            let instance = self.instance().await?;
            self.linked.describe(&mut self.store, &instance).await
        };
        let completion = run_within(time, work).await;
        self.finish(completion).0
    }

    pub(crate) async fn check_address(&mut self, address: &str) -> Result<Result<String, String>, Crash> {
        let time = self.time;
        let work = async {
            let instance = self.instance().await?;
            self.linked.check_address(&mut self.store, &instance, address).await
        };
        let completion = run_within(time, work).await;
        self.finish(completion).0
    }

    /// Delivers the call's batch. The report has one outcome for each delivery, however the call ends.
    pub(crate) async fn deliver(&mut self) -> CallReport {
        let batch = Arc::clone(&self.store.data().batch);
        let time = self.time;
        let work = async {
            let instance = self.instance().await?;
            self.linked.deliver(&mut self.store, &instance, &batch).await
        };
        let completion = run_within(time, work).await;
        let (answer, stats, settled) = self.finish(completion);
        let context = &self.store.data().context;
        let (outcomes, crash) = combine_outcomes(answer, settled, |outcome| context.redacted(outcome));
        CallReport { outcomes, crash, stats }
    }

    /// Wakes a resident plugin. Returns the time after which it asks to be woken at the latest, and what the wake used.
    pub(crate) async fn wake(&mut self, reason: WakeReason) -> (Result<Option<Duration>, Crash>, CallStats) {
        let time = self.time;
        let work = async {
            let instance = self.instance().await?;
            self.linked.wake(&mut self.store, &instance, reason).await
        };
        let completion = run_within(time, work).await;
        let (answer, stats, _) = self.finish(completion);
        (answer, stats)
    }

    /// Ready when one of the instance's connections has something to read or has ended.
    pub(crate) fn poll_readable(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.store.data_mut().poll_readable(cx)
    }

    /// The outcomes that the plugin has settled in a call that was dropped.
    pub(crate) fn take_settled(&mut self) -> Vec<Option<Outcome>> {
        self.store.data_mut().take_report().1
    }

    /// The instance, made in the first call.
    async fn instance(&mut self) -> wasmtime::Result<Instance> {
        match self.instance {
            Some(instance) => Ok(instance),
            None => Ok(*self.instance.insert(self.linked.instantiate(&mut self.store).await?)),
        }
    }

    /// The answer or the crash, what the call used, and the outcomes that it settled.
    fn finish<T>(&mut self, completion: Completion<T>) -> (Result<T, Crash>, CallStats, Vec<Option<Outcome>>) {
        let state = self.store.data_mut();
        state.stats.cpu = completion.cpu;
        let answer = match completion.result {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) => {
                let (kind, detail) = crash(&error, state.is_instantiated());
                Err((kind, state.context.redaction.apply(detail)))
            }
            Err(DeadlineExceeded) => {
                Err((CrashKind::Timeout, format!("no answer within {} ms", state.elapsed().as_millis())))
            }
        };
        let (stats, settled) = state.take_report();
        (answer, stats, settled)
    }
}

/// Runs guest code and host calls for at most `time`, and measures their processor time. Drops what is not done by
/// then.
async fn run_within<T>(time: Duration, work: impl Future<Output = wasmtime::Result<T>>) -> Completion<T> {
    let (mut work, mut cpu) = (pin!(work), Duration::ZERO);
    // A poll stays on its thread: guest code runs in it until it waits, or until the next tick.
    let measured = poll_fn(|cx| {
        let before = processor_time();
        let polled = work.as_mut().poll(cx);
        cpu += processor_time().saturating_sub(before);
        polled
    });
    let result = tokio::time::timeout(time, measured).await.map_err(|_| DeadlineExceeded);
    Completion { result, cpu }
}

/// Runs at every epoch tick of a guest: ends it at its deadline or beyond its host calls, and lets it yield otherwise.
/// tokio's own yield lets the executor poll its timers and sockets first; a plain one would run the guest again at
/// once, dozens of times in a row.
fn on_epoch_tick(state: &InstanceState) -> wasmtime::Result<UpdateDeadline> {
    state.check_host_calls()?;
    if Instant::now() >= state.deadline() {
        return Ok(UpdateDeadline::Interrupt);
    }
    Ok(UpdateDeadline::YieldCustom(1, Box::pin(tokio::task::yield_now())))
}
