//! Calls of a plugin: a fresh store with every limit set, a deadline around everything in it, and an end that is the same
//! for all. A store is used for one call and dropped, whatever happened; only a resident plugin's serves for more.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::time::{Duration, Instant};

use crate::limits;
use tidings_domain::outcome::{CrashKind, Outcome};
use tokio::sync::OwnedSemaphorePermit;
use wasmtime::{Engine, Store, UpdateDeadline};

use crate::guest_executor::processor_time;
use crate::instance_state::InstanceState;
use crate::plugin::Batch;
use crate::report::CallStats;
use crate::violation::{Crash, crash};

/// How the work of a call ended, and what it cost.
pub(crate) struct Completion<T> {
    /// In time or not, well or not.
    end: Result<wasmtime::Result<T>, Late>,
    cpu: Duration,
}

/// The deadline passed.
struct Late;

/// A store that is about to be used.
pub(crate) struct Call {
    store: Store<InstanceState>,
    _place: OwnedSemaphorePermit,
}

impl Call {
    pub(crate) fn new(engine: &Engine, room: InstanceState, place: OwnedSemaphorePermit) -> wasmtime::Result<Call> {
        let plugin = room.furniture.limits;
        let mut store = Store::try_new(engine, room)?;
        store.limiter(|room| &mut room.growth);
        store.set_hostcall_fuel(plugin.hostcall_bytes);
        store.set_max_component_handles(limits::GUEST_HANDLES);
        store.set_epoch_deadline(1);
        store.epoch_deadline_callback(|store| tick(store.data()));
        Ok(Call { store, _place: place })
    }

    pub(crate) fn store(&mut self) -> &mut Store<InstanceState> {
        &mut self.store
    }

    /// Runs `work` for as long as `time` allows: guest code and host calls alike. What is not done by then is dropped.
    pub(crate) async fn within<T>(time: Duration, work: impl Future<Output = wasmtime::Result<T>>) -> Completion<T> {
        let (mut work, mut cpu) = (pin!(work), Duration::ZERO);
        // A poll stays on its thread: guest code runs in it until it waits, or until the next tick.
        let timed = poll_fn(|cx| {
            let before = processor_time();
            let polled = work.as_mut().poll(cx);
            cpu += processor_time().saturating_sub(before);
            polled
        });
        let end = tokio::time::timeout(time, timed).await.map_err(|_| Late);
        Completion { end, cpu }
    }

    /// Begins another call in the same store, with its own quotas.
    pub(crate) fn begin(&mut self, batch: Batch, time: Duration) {
        self.store.data_mut().begin(batch, time);
    }

    /// The answer or what there is instead, what the call used, and what had been settled. The instance is gone.
    pub(crate) fn leave<T>(mut self, ended: Completion<T>) -> (Result<T, Crash>, CallStats, Vec<Option<Outcome>>) {
        self.close(ended)
    }

    /// The same, and the instance stays. Where there was no answer, it must not be called again.
    pub(crate) fn close<T>(&mut self, ended: Completion<T>) -> (Result<T, Crash>, CallStats, Vec<Option<Outcome>>) {
        let room = self.store.data_mut();
        room.stats.cpu = ended.cpu;
        let answer = match ended.end {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) => {
                let (kind, detail) = crash(&error, room.has_entered());
                Err((kind, room.furniture.redaction.apply(detail)))
            }
            Err(Late) => Err((CrashKind::Timeout, format!("no answer within {} ms", room.elapsed().as_millis()))),
        };
        let (stats, settled) = room.report();
        (answer, stats, settled)
    }

    /// What had been settled by now; the call ends here, without an answer.
    pub(crate) fn abandon(mut self) -> Vec<Option<Outcome>> {
        self.store.data_mut().report().1
    }
}

/// What a running guest does at every tick: it ends at the deadline, or when it had all its host calls, and otherwise
/// yields. tokio's own way to yield lets the executor look at its timers and sockets first; a plain one would be run again
/// at once, dozens of times in a row.
fn tick(room: &InstanceState) -> wasmtime::Result<UpdateDeadline> {
    room.within_host_calls()?;
    if Instant::now() >= room.deadline() {
        return Ok(UpdateDeadline::Interrupt);
    }
    Ok(UpdateDeadline::YieldCustom(1, Box::pin(tokio::task::yield_now())))
}
