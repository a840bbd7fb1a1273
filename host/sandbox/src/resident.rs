//! A resident plugin: one instance for one channel, kept over calls. A task owns it and does one thing at a time: deliver a
//! batch, or wake the plugin because a connection is readable or its timer is due. An instance that crashed is dropped
//! with its connections, and another one is started after a rest.

mod life;

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use crate::limits;
use tidings_domain::outcome::{CrashKind, Outcome};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::abi::WakeReason;
use crate::plugin::{Batch, Plugin, later};
use crate::report::{CallReport, CallStats};
use life::ResidentLifecycle;

/// What the instances of a channel did since it was started.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ResidentStats {
    /// Instances that were started, and those of them that crashed.
    pub starts: u64,
    pub crashes: u64,
    /// Those crashes that no delivery was in: at the start, or when it was woken.
    pub idle_crashes: u64,
    /// Crashes one after the other, of instances that lived less than [`limits::RESIDENT_SETTLED`]; 1 where the last one
    /// had lived longer.
    pub in_a_row: u32,
    /// The last crash: what it was, and more in one line.
    pub last_crash: Option<(CrashKind, String)>,
    pub deliveries: u64,
    pub wakes: u64,
    /// What those wakes used since somebody took it; the report of a delivery has its own.
    pub used: CallStats,
    /// Wakes that came due before [`limits::WAKE_INTERVAL`] had passed, and were held until then.
    pub held: u64,
    /// There is an instance.
    pub alive: bool,
}

/// A channel's resident plugin. It runs from the moment it is made, whether there is something to deliver or not. Dropping
/// this ends it at once; [`ResidentHandle::stop`] lets it say goodbye.
pub struct ResidentHandle {
    orders: mpsc::Sender<Order>,
    stats: Arc<watch::Sender<ResidentStats>>,
    task: JoinHandle<()>,
}

/// What the task is asked to do.
enum Order {
    Deliver(Errand),
    Stop { grace: Duration },
}

/// A batch to be delivered.
struct Errand {
    batch: Batch,
    /// Not begun later: whoever waits holds a lease on each delivery.
    by: Instant,
    cut_off: oneshot::Receiver<()>,
    reply: oneshot::Sender<Answer>,
}

/// A report; where the call was cut off, what had been settled by then.
type Answer = Result<CallReport, Vec<Option<Outcome>>>;

impl Plugin {
    /// Starts the plugin as a resident. Must be called within a runtime.
    pub fn reside(&self) -> ResidentHandle {
        // Nobody has more than one batch in flight; another one waits with its sender.
        let (orders, inbox) = mpsc::channel(1);
        let stats = Arc::<watch::Sender<ResidentStats>>::default();
        let life = ResidentLifecycle::new(self.clone(), Arc::clone(&stats));
        let lane = Arc::clone(&self.lane);
        let task = tokio::spawn(async move { lane.run(run(inbox, life)).await });
        ResidentHandle { orders, stats, task }
    }
}

impl ResidentHandle {
    /// Hands over a batch. Whatever happens, there is one outcome for each parcel.
    pub async fn deliver(&self, batch: &Batch) -> CallReport {
        match self.deliver_until(batch, std::future::pending()).await {
            Ok(report) => report,
            Err(_) => gone(batch.len()),
        }
    }

    /// The same, unless `cut_off` comes first: then the instance is dropped with its connections, and what comes back is
    /// what the plugin had settled by then. Of the other deliveries nothing is known.
    pub async fn deliver_until(&self, batch: &Batch, cut_off: impl Future<Output = ()>) -> Answer {
        let nothing = || Err(vec![None; batch.len()]);
        let by = Instant::now() + limits::INSTANCE_WAIT;
        tokio::pin!(cut_off);
        let place = tokio::select! {
            place = tokio::time::timeout_at(by, self.orders.reserve()) => place,
            () = &mut cut_off => return nothing(),
        };
        let place = match place {
            Ok(Ok(place)) => place,
            Ok(Err(_)) => return Ok(gone(batch.len())),
            Err(_) => return Ok(occupied(batch.len())),
        };
        let (cut, was_cut) = oneshot::channel();
        let (reply, mut answer) = oneshot::channel();
        place.send(Order::Deliver(Errand { batch: Arc::clone(batch), by, cut_off: was_cut, reply }));
        let ended = tokio::select! {
            ended = &mut answer => Some(ended),
            () = &mut cut_off => None,
        };
        let ended = match ended {
            Some(ended) => ended,
            None => {
                drop(cut);
                answer.await
            }
        };
        ended.unwrap_or_else(|_| nothing())
    }

    pub fn stats(&self) -> ResidentStats {
        self.stats.borrow().clone()
    }

    /// What its wakes used since this was asked last.
    pub fn take_used(&self) -> CallStats {
        let mut used = CallStats::default();
        self.stats.send_if_modified(|stats| {
            used = std::mem::take(&mut stats.used);
            false
        });
        used
    }

    /// Waits until it has crashed more often than `seen` times with nothing to deliver.
    pub async fn idle_crash(&self, seen: u64) -> ResidentStats {
        let mut changes = self.stats.subscribe();
        let crashed = changes.wait_for(|stats| stats.idle_crashes > seen).await.map(|stats| stats.clone());
        match crashed {
            Ok(stats) => stats,
            Err(_) => std::future::pending().await,
        }
    }

    /// Ends it: the plugin gets its last call, and is dropped with its connections when that has ended, at the latest
    /// after `grace`. When this returns, nothing of it is left. Nothing can be delivered afterwards.
    pub async fn stop(&self, grace: Duration) {
        let stop = async {
            // The channel closes when the task and all that it owns are gone.
            if self.orders.send(Order::Stop { grace }).await.is_ok() {
                self.orders.closed().await;
            }
        };
        if tokio::time::timeout(grace, stop).await.is_err() {
            self.task.abort();
            self.orders.closed().await;
        }
    }
}

impl Drop for ResidentHandle {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// It did not come to this batch in time: nobody's fault, so nothing is lost by it.
fn occupied(batch: usize) -> CallReport {
    later(batch, limits::INSTANCE_WAIT, "the channel's one instance is at work on another call".to_owned())
}

/// It was stopped.
fn gone(batch: usize) -> CallReport {
    later(batch, limits::INSTANCE_WAIT, "the channel's instance was stopped".to_owned())
}

/// What the task does next.
enum Next {
    Order(Option<Order>),
    Wake(WakeReason),
}

/// `life` comes last, so that it is dropped first: who sees `orders` closed knows that the instance is gone.
async fn run(mut orders: mpsc::Receiver<Order>, mut life: ResidentLifecycle) {
    loop {
        // Wakes leave room between them and come first: however much there is to deliver, a PING is answered.
        let next = tokio::select! {
            biased;
            reason = life.due() => Next::Wake(reason),
            order = orders.recv() => Next::Order(order),
        };
        match next {
            Next::Wake(reason) => life.wake(reason, limits::WAKE_DEADLINE).await,
            Next::Order(Some(Order::Deliver(errand))) => life.run(errand).await,
            Next::Order(Some(Order::Stop { grace })) => return life.wake(WakeReason::Stop, grace).await,
            Next::Order(None) => return,
        }
    }
}
