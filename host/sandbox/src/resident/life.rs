//! The instance itself, or the rest before the next one: when it is to be woken, what a call of it ends in, and how long
//! nothing is started after a crash. Nothing here runs at the same time as anything else.

use std::future::poll_fn;
use std::sync::Arc;
use std::time::Duration;

use crate::limits;
use tokio::sync::oneshot::error::TryRecvError;
use tokio::sync::{oneshot, watch};
use tokio::time::{Instant, sleep_until};

use super::{Answer, Errand, ResidentStats, occupied};
use crate::abi::{self, WakeReason};
use crate::call::{Call, Completion};
use crate::plugin::{Batch, Plugin, later};
use crate::report::{CallReport, assemble};
use crate::violation::Crash;

/// A channel's plugin over all its instances.
pub(super) struct ResidentLifecycle {
    plugin: Plugin,
    stats: Arc<watch::Sender<ResidentStats>>,
    state: State,
    /// Crashes one after the other, of instances that did not live long.
    failures: u32,
}

enum State {
    /// None is started before then.
    Absent {
        until: Instant,
    },
    Present(Box<Instance>),
}

/// What an instance was doing.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Work {
    Delivery,
    /// It was started or woken.
    None,
}

struct Instance {
    call: Call,
    resident: abi::ResidentInstance,
    born: Instant,
    /// When the plugin wants to be woken.
    timer: Option<Instant>,
    /// It is not woken before.
    rested: Instant,
    /// Wakes in a row that came due before.
    early: u32,
}

impl ResidentLifecycle {
    pub(super) fn new(plugin: Plugin, stats: Arc<watch::Sender<ResidentStats>>) -> ResidentLifecycle {
        ResidentLifecycle { plugin, stats, state: State::Absent { until: Instant::now() }, failures: 0 }
    }

    /// Waits until the plugin is to be woken, and says why. May be dropped and asked again.
    pub(super) async fn due(&mut self) -> WakeReason {
        let instance = match &mut self.state {
            State::Absent { until } => {
                sleep_until(*until).await;
                return WakeReason::Start;
            }
            State::Present(instance) => instance,
        };
        let timer = instance.timer;
        let timer = async {
            match timer {
                Some(at) => sleep_until(at).await,
                None => std::future::pending().await,
            }
        };
        let room = instance.call.store().data_mut();
        let reason = tokio::select! {
            () = poll_fn(|cx| room.poll_readable(cx)) => WakeReason::Readable,
            () = timer => WakeReason::Timer,
        };
        sleep_until(instance.rested).await;
        reason
    }

    /// Wakes the instance, for `time` at most; for [`WakeReason::Start`], one is made.
    pub(super) async fn wake(&mut self, reason: WakeReason, time: Duration) {
        let time = time.min(limits::WAKE_DEADLINE).min(self.plugin.deadline());
        let instance = match &mut self.state {
            State::Present(instance) => instance,
            State::Absent { .. } if reason == WakeReason::Start => return self.start(time).await,
            State::Absent { .. } => return,
        };
        let early = instance.timer.filter(|at| reason == WakeReason::Timer && *at < instance.rested).is_some()
            || (reason == WakeReason::Readable && instance.rested.elapsed() < limits::EPOCH_TICK);
        instance.early = if early { instance.early.saturating_add(1) } else { 0 };
        if instance.early == limits::WAKE_STORM {
            let (channel, interval) = (&self.plugin.furniture.channel, limits::WAKE_INTERVAL);
            tracing::warn!(%channel, ?interval, "the plugin asks to be woken all the time; it is held back");
        }
        instance.call.begin(Batch::default(), time);
        let ended = Call::within(time, instance.resident.wake(instance.call.store(), reason)).await;
        let (answer, used, _) = instance.call.close(ended);
        self.stats.send_modify(|stats| {
            stats.wakes += 1;
            stats.held += u64::from(early);
            stats.used.add(&used);
        });
        match answer {
            Ok(next) => instance.woken(next),
            Err(crash) => self.crashed(crash, Work::None),
        }
    }

    /// Delivers a batch, unless it is too late for that or nobody wants it any more.
    pub(super) async fn run(&mut self, errand: Errand) {
        let Errand { batch, by, mut cut_off, reply } = errand;
        let answer = match cut_off.try_recv() {
            Ok(()) | Err(TryRecvError::Closed) => Err(vec![None; batch.len()]),
            Err(TryRecvError::Empty) if Instant::now() > by => Ok(occupied(batch.len())),
            Err(TryRecvError::Empty) => self.deliver(&batch, cut_off).await,
        };
        // Where nobody waits for the answer any more, the leases end by themselves.
        let _ = reply.send(answer);
    }

    /// Delivers a batch, with a new instance where there is none.
    async fn deliver(&mut self, batch: &Batch, mut cut_off: oneshot::Receiver<()>) -> Answer {
        let nothing = || Err(vec![None; batch.len()]);
        if let State::Absent { until } = self.state {
            let wait = until.saturating_duration_since(Instant::now());
            if wait > limits::RESIDENT_PATIENCE {
                return Ok(self.not_now(batch, wait));
            }
            let start = async {
                sleep_until(until).await;
                self.wake(WakeReason::Start, limits::WAKE_DEADLINE).await;
            };
            tokio::select! {
                () = start => {}
                _ = &mut cut_off => return nothing(),
            }
        }
        let instance = match &mut self.state {
            State::Present(instance) => instance,
            State::Absent { until } => {
                let wait = until.saturating_duration_since(Instant::now());
                return Ok(self.not_now(batch, wait));
            }
        };
        let time = self.plugin.deadline();
        instance.call.begin(Arc::clone(batch), time);
        let work = instance.resident.deliver(instance.call.store(), batch);
        let ended = tokio::select! {
            biased;
            ended = Call::within(time, work) => Some(ended),
            _ = &mut cut_off => None,
        };
        self.stats.send_modify(|stats| stats.deliveries += 1);
        let Some(ended) = ended else { return Err(self.abandon()) };
        let (answer, stats, settled) = instance.call.close(ended);
        let (outcomes, crash) = assemble(answer, settled, |outcome| self.plugin.furniture.redacted(outcome));
        if let Some(crash) = &crash {
            self.crashed(crash.clone(), Work::Delivery);
        }
        Ok(CallReport { outcomes, crash, stats })
    }

    /// A new instance and its first call.
    async fn start(&mut self, time: Duration) {
        let Some(mut call) = self.plugin.room(time).await else {
            self.state = State::Absent { until: Instant::now() + limits::INSTANCE_WAIT };
            return;
        };
        self.stats.send_modify(|stats| stats.starts += 1);
        let born = Instant::now();
        let linked = &self.plugin.admitted.inner.linked;
        let first = async {
            let store = call.store();
            let resident = linked.reside(store).await?;
            let next = resident.wake(store, WakeReason::Start).await?;
            Ok((resident, next))
        };
        let ended: Completion<_> = Call::within(time, first).await;
        let (answer, used, _) = call.close(ended);
        self.stats.send_modify(|stats| stats.used.add(&used));
        match answer {
            Ok((resident, next)) => {
                let mut instance = Instance { call, resident, born, timer: None, rested: born, early: 0 };
                instance.woken(next);
                self.state = State::Present(Box::new(instance));
                self.stats.send_modify(|stats| stats.alive = true);
            }
            Err(crash) => self.crashed(crash, Work::None),
        }
    }

    /// Drops the instance and its connections; the next one waits the longer the sooner this one broke.
    fn crashed(&mut self, (kind, detail): Crash, work: Work) {
        let lived = match &self.state {
            State::Present(instance) => instance.born.elapsed(),
            State::Absent { .. } => Duration::ZERO,
        };
        self.failures = if lived >= limits::RESIDENT_SETTLED { 1 } else { self.failures.saturating_add(1) };
        let rest = limits::RESIDENT_BACKOFF_MIN.saturating_mul(1 << (self.failures - 1).min(16));
        let rest = rest.min(limits::RESIDENT_BACKOFF_MAX);
        let (channel, crash) = (&self.plugin.furniture.channel, format!("{}: {detail}", kind.as_str()));
        tracing::warn!(%channel, crash, ?rest, "the resident plugin crashed; it is started again after a rest");
        self.state = State::Absent { until: Instant::now() + rest };
        let in_a_row = self.failures;
        self.stats.send_modify(|stats| {
            stats.crashes += 1;
            stats.idle_crashes += u64::from(work == Work::None);
            (stats.in_a_row, stats.last_crash, stats.alive) = (in_a_row, Some((kind, detail)), false);
        });
    }

    /// Drops the instance in the middle of a call; returns what had been settled.
    fn abandon(&mut self) -> Vec<Option<tidings_domain::outcome::Outcome>> {
        // Whoever cuts a call off mostly ends the whole, once he has stored what came of it: another instance, started
        // meanwhile, would make its connections only to take leave.
        let absent = State::Absent { until: Instant::now() + limits::RESIDENT_BACKOFF_MIN };
        self.stats.send_modify(|stats| stats.alive = false);
        match std::mem::replace(&mut self.state, absent) {
            State::Present(instance) => instance.call.abandon(),
            State::Absent { .. } => Vec::new(),
        }
    }

    fn not_now(&self, batch: &Batch, wait: Duration) -> CallReport {
        let reason = match (&self.stats.borrow().last_crash, self.failures) {
            (Some((kind, detail)), 1..) => {
                format!("the plugin is started again after a crash ({}: {detail})", kind.as_str())
            }
            _ => "no instance of the plugin could be started".to_owned(),
        };
        later(batch.len(), wait, reason)
    }
}

impl Drop for ResidentLifecycle {
    fn drop(&mut self) {
        self.stats.send_modify(|stats| stats.alive = false);
    }
}

impl Instance {
    /// It was woken and asks for this.
    fn woken(&mut self, next: Option<Duration>) {
        let now = Instant::now();
        self.timer = next.map(|next| now + next.min(limits::WAIT_MAX));
        self.rested = now + limits::WAKE_INTERVAL;
    }
}
