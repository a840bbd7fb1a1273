//! The task of a resident plugin: it owns the running instance, or the backoff before the next one. Nothing here runs
//! at the same time as anything else.

use std::sync::Arc;
use std::time::Duration;

use tidings_domain::outcome::Outcome;
use tokio::sync::oneshot::error::TryRecvError;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{Instant, sleep_until};

use super::command::{DeliverCommand, DeliveryResult, ResidentCommand, busy};
use super::instance::ResidentInstance;
use super::stats::ResidentStats;
use crate::abi::WakeReason;
use crate::delivery_request::Batch;
use crate::limits;
use crate::plugin::Plugin;
use crate::report::CallReport;
use crate::violation::Crash;

/// A channel's plugin over all its instances.
pub(super) struct ResidentTask {
    plugin: Plugin,
    stats: Arc<watch::Sender<ResidentStats>>,
    state: State,
    /// Consecutive crashes of instances that did not live long.
    failures: u32,
}

enum State {
    /// None is started before then.
    Absent {
        start_at: Instant,
    },
    Running(Box<ResidentInstance>),
}

/// What an instance was doing when it crashed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Activity {
    Delivery,
    /// A start or a wake.
    Wake,
}

/// What the task does next.
enum Next {
    Command(Option<ResidentCommand>),
    Wake(WakeReason),
}

impl ResidentTask {
    pub(super) fn new(plugin: Plugin, stats: Arc<watch::Sender<ResidentStats>>) -> ResidentTask {
        ResidentTask { plugin, stats, state: State::Absent { start_at: Instant::now() }, failures: 0 }
    }

    /// Waits until the plugin is to be started or woken. Cancel-safe.
    async fn next_wake(&mut self) -> WakeReason {
        match &mut self.state {
            State::Running(instance) => instance.next_wake().await,
            State::Absent { start_at } => {
                sleep_until(*start_at).await;
                WakeReason::Start
            }
        }
    }

    /// Wakes the instance, for `time` at most. [`WakeReason::Start`] starts one if none is running.
    async fn wake(&mut self, reason: WakeReason, time: Duration) {
        let time = time.min(limits::WAKE_DEADLINE).min(self.plugin.deadline());
        let instance = match &mut self.state {
            State::Running(instance) => instance,
            State::Absent { .. } if reason == WakeReason::Start => return self.start(time).await,
            State::Absent { .. } => return,
        };
        let early = instance.count_early_wake(reason);
        if early == Some(limits::EARLY_WAKES_LOGGED) {
            let (channel, interval) = (&self.plugin.context.channel, limits::WAKE_INTERVAL);
            tracing::warn!(%channel, ?interval, "the plugin asks for wakes without a pause; they are delayed");
        }
        instance.call.begin(Batch::default(), time);
        let (answer, used) = instance.call.wake(reason).await;
        self.stats.send_modify(|stats| {
            stats.wakes += 1;
            stats.delayed_wakes += u64::from(early.is_some());
            stats.used.add(&used);
        });
        match answer {
            Ok(timer) => instance.schedule(timer),
            Err(crash) => self.crashed(crash, Activity::Wake),
        }
    }

    /// Delivers a batch, unless it is too late or the call was cut off already.
    async fn handle_delivery(&mut self, command: DeliverCommand) {
        let DeliverCommand { batch, start_by, mut cut_off, reply } = command;
        let result = match cut_off.try_recv() {
            Ok(()) | Err(TryRecvError::Closed) => Err(vec![None; batch.len()]),
            Err(TryRecvError::Empty) if Instant::now() > start_by => Ok(busy(batch.len())),
            Err(TryRecvError::Empty) => self.deliver(&batch, cut_off).await,
        };
        // If the caller is gone, its leases expire.
        let _ = reply.send(result);
    }

    /// Delivers a batch; starts an instance if none is running.
    async fn deliver(&mut self, batch: &Batch, mut cut_off: oneshot::Receiver<()>) -> DeliveryResult {
        if let State::Absent { start_at } = self.state {
            let wait = start_at.saturating_duration_since(Instant::now());
            if wait > limits::RESIDENT_START_WAIT {
                return Ok(self.not_running(batch, wait));
            }
            let start = async {
                sleep_until(start_at).await;
                self.wake(WakeReason::Start, limits::WAKE_DEADLINE).await;
            };
            tokio::select! {
                () = start => {}
                _ = &mut cut_off => return Err(vec![None; batch.len()]),
            }
        }
        let instance = match &mut self.state {
            State::Running(instance) => instance,
            State::Absent { start_at } => {
                let wait = start_at.saturating_duration_since(Instant::now());
                return Ok(self.not_running(batch, wait));
            }
        };
        instance.call.begin(Arc::clone(batch), self.plugin.deadline());
        let report = tokio::select! {
            biased;
            report = instance.call.deliver() => Some(report),
            _ = &mut cut_off => None,
        };
        self.stats.send_modify(|stats| stats.deliveries += 1);
        let Some(report) = report else { return Err(self.abandon()) };
        if let Some(crash) = &report.crash {
            self.crashed(crash.clone(), Activity::Delivery);
        }
        Ok(report)
    }

    /// Starts an instance and makes its first call.
    async fn start(&mut self, time: Duration) {
        let Some(mut call) = self.plugin.open_call(Batch::default(), time).await else {
            self.state = State::Absent { start_at: Instant::now() + limits::INSTANCE_WAIT };
            return;
        };
        self.stats.send_modify(|stats| stats.starts += 1);
        let started = Instant::now();
        let (answer, used) = call.wake(WakeReason::Start).await;
        self.stats.send_modify(|stats| stats.used.add(&used));
        match answer {
            Ok(timer) => {
                self.state = State::Running(Box::new(ResidentInstance::new(call, started, timer)));
                self.stats.send_modify(|stats| stats.alive = true);
            }
            Err(crash) => self.crashed(crash, Activity::Wake),
        }
    }

    /// Drops the instance and its connections. The backoff doubles while instances crash soon after their start.
    fn crashed(&mut self, (kind, detail): Crash, activity: Activity) {
        let lived = match &self.state {
            State::Running(instance) => instance.age(),
            State::Absent { .. } => Duration::ZERO,
        };
        self.failures = if lived >= limits::RESIDENT_STABLE_AFTER { 1 } else { self.failures.saturating_add(1) };
        let backoff = backoff(self.failures);
        let (channel, crash) = (&self.plugin.context.channel, format!("{}: {detail}", kind.as_str()));
        tracing::warn!(%channel, crash, ?backoff, "the resident plugin crashed; it is started again after the backoff");
        self.state = State::Absent { start_at: Instant::now() + backoff };
        let consecutive = self.failures;
        self.stats.send_modify(|stats| {
            stats.crashes += 1;
            stats.idle_crashes += u64::from(activity == Activity::Wake);
            (stats.consecutive_crashes, stats.last_crash, stats.alive) = (consecutive, Some((kind, detail)), false);
        });
    }

    /// Drops the instance in the middle of a call; returns the outcomes that it had settled.
    fn abandon(&mut self) -> Vec<Option<Outcome>> {
        // After a cut-off the caller usually stops the channel, once it has stored the outcomes. An instance that is
        // started meanwhile would connect only to disconnect again.
        let absent = State::Absent { start_at: Instant::now() + limits::RESIDENT_BACKOFF_MIN };
        self.stats.send_modify(|stats| stats.alive = false);
        match std::mem::replace(&mut self.state, absent) {
            State::Running(mut instance) => instance.call.take_settled(),
            State::Absent { .. } => Vec::new(),
        }
    }

    fn not_running(&self, batch: &Batch, wait: Duration) -> CallReport {
        let reason = match (&self.stats.borrow().last_crash, self.failures) {
            (Some((kind, detail)), 1..) => {
                format!("the plugin is started again after a crash ({}: {detail})", kind.as_str())
            }
            _ => "no instance of the plugin could be started".to_owned(),
        };
        CallReport::postponed(batch.len(), wait, reason)
    }
}

/// The wait before the next start, after this many consecutive crashes: it doubles up to a maximum.
fn backoff(failures: u32) -> Duration {
    let doublings = failures.saturating_sub(1).min(16);
    limits::RESIDENT_BACKOFF_MIN.saturating_mul(1 << doublings).min(limits::RESIDENT_BACKOFF_MAX)
}

/// Runs until the plugin is stopped or its handle is dropped. `task` is the last parameter, so it is dropped before
/// `commands`: once the channel is closed, the instance is gone.
pub(super) async fn run(mut commands: mpsc::Receiver<ResidentCommand>, mut task: ResidentTask) {
    loop {
        // Wakes keep a distance and come first: the plugin answers a PING however much there is to deliver.
        let next = tokio::select! {
            biased;
            reason = task.next_wake() => Next::Wake(reason),
            command = commands.recv() => Next::Command(command),
        };
        match next {
            Next::Wake(reason) => task.wake(reason, limits::WAKE_DEADLINE).await,
            Next::Command(Some(ResidentCommand::Deliver(command))) => task.handle_delivery(command).await,
            Next::Command(Some(ResidentCommand::Stop { grace })) => return task.wake(WakeReason::Stop, grace).await,
            Next::Command(None) => return,
        }
    }
}

impl Drop for ResidentTask {
    fn drop(&mut self) {
        self.stats.send_modify(|stats| stats.alive = false);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_backoff_doubles_with_each_crash_up_to_its_maximum() {
        let seconds: Vec<u64> = [1, 2, 3, 4, 9, 10, 11, u32::MAX].map(|failures| backoff(failures).as_secs()).into();
        assert_eq!(seconds, [1, 2, 4, 8, 256, 300, 300, 300]);
    }
}
