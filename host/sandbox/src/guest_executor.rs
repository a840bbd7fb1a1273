//! Where guests compute. A call begins on the thread that asks for it: one that talks to a server and waits is best served
//! there. One that computes goes on in its channel's own lane, a thread that is less urgent than the daemon's, so that it is
//! the machine that shares its processors between channels, and a guest's tick is waited for by its own channel alone.

use std::future::{Future, poll_fn};
use std::panic::resume_unwind;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};
use std::time::Duration;

use crate::limits;
use rustix::process::nice;
use rustix::time::{ClockId, clock_gettime};
use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinSet;

type Work<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// The lane of one channel.
#[derive(Default)]
pub(crate) struct GuestExecutor {
    /// Made when it is first needed: most channels never compute for long. None: the machine had no thread for it.
    thread: OnceLock<Option<Runtime>>,
    /// The last call that ended had computed: the next one begins here.
    computes: Arc<AtomicBool>,
}

impl GuestExecutor {
    /// Does a call's work to its end. Dropping this ends the work, at its next tick at the latest.
    pub(crate) async fn run<T: Send + 'static>(&self, work: impl Future<Output = T> + Send + 'static) -> T {
        let mut work: Work<T> = Box::pin(work);
        let computes = self.computes.load(Ordering::Relaxed);
        if !computes || self.thread().is_none() {
            let done = poll_fn(|cx| match timed(&mut work, cx) {
                (Poll::Pending, true) if self.thread().is_some() => Poll::Ready(Err(())),
                (Poll::Pending, _) => Poll::Pending,
                (Poll::Ready(done), long) => Poll::Ready(Ok((done, long))),
            });
            if let Ok((done, long)) = done.await {
                self.computes.store(long, Ordering::Relaxed);
                return done;
            }
        }
        self.go_on(work, !computes).await
    }

    /// Does the rest of it in the lane; `computed` says whether it has computed for long already.
    async fn go_on<T: Send + 'static>(&self, mut work: Work<T>, mut computed: bool) -> T {
        let Some(thread) = self.thread() else { return work.await };
        let computes = Arc::clone(&self.computes);
        // A set, since what is in it ends with it.
        let mut tasks = JoinSet::new();
        let rest = async move {
            let done = poll_fn(|cx| {
                let (polled, long) = timed(&mut work, cx);
                computed |= long;
                polled
            });
            let done = done.await;
            computes.store(computed, Ordering::Relaxed);
            done
        };
        tasks.spawn_on(rest, thread.handle());
        match tasks.join_next().await {
            Some(Ok(done)) => done,
            Some(Err(error)) if error.is_panic() => resume_unwind(error.into_panic()),
            // Nobody ends the task but who drops this.
            Some(Err(_)) | None => std::future::pending().await,
        }
    }

    fn thread(&self) -> Option<&Runtime> {
        let start = || {
            let mut thread = Builder::new_multi_thread();
            thread.worker_threads(1).thread_name("guest").enable_all().on_thread_start(|| {
                // Where that is refused it is as urgent as the others.
                let _ = nice(limits::LANE_NICE);
            });
            thread.build().inspect_err(|error| tracing::error!(%error, "no thread for a plugin that computes")).ok()
        };
        self.thread.get_or_init(start).as_ref()
    }
}

impl Drop for GuestExecutor {
    fn drop(&mut self) {
        // Waiting for its threads is not for whoever drops the last plugin of a channel.
        if let Some(Some(thread)) = self.thread.take() {
            thread.shutdown_background();
        }
    }
}

/// Polls, and says whether that took the processor for longer than a burst. The processor's time counts, not the clock's: on
/// a busy machine a thread waits for long without having done anything.
fn timed<T>(work: &mut Work<T>, cx: &mut Context<'_>) -> (Poll<T>, bool) {
    let began = processor_time();
    let polled = work.as_mut().poll(cx);
    (polled, processor_time().saturating_sub(began) >= limits::GUEST_BURST)
}

/// What this thread has had of a processor.
pub(crate) fn processor_time() -> Duration {
    Duration::try_from(clock_gettime(ClockId::ThreadCPUTime)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    fn compute(time: Duration) {
        let began = processor_time();
        while processor_time().saturating_sub(began) < time {}
    }

    fn here() -> String {
        thread::current().name().unwrap_or_default().to_owned()
    }

    /// The threads on which the parts of a call ran: one that computes for so long in its first part, and waits between them.
    async fn parts(lane: &GuestExecutor, first: Duration) -> [bool; 2] {
        let in_lane = || here() == "guest";
        let work = async move {
            let one = in_lane();
            compute(first);
            tokio::task::yield_now().await;
            [one, in_lane()]
        };
        lane.run(work).await
    }

    #[tokio::test]
    async fn who_computes_goes_on_in_the_lane_and_begins_there_the_next_time() {
        let lane = GuestExecutor::default();
        let long = 2 * limits::GUEST_BURST;
        assert_eq!(parts(&lane, Duration::ZERO).await, [false, false]);
        assert!(lane.thread.get().is_none(), "a call that does not compute needs no thread");
        assert_eq!(parts(&lane, long).await, [false, true]);
        assert_eq!(parts(&lane, long).await, [true, true]);
        assert_eq!(parts(&lane, Duration::ZERO).await, [true, true]);
        assert_eq!(parts(&lane, Duration::ZERO).await, [false, false], "the one before did not compute");
    }

    #[tokio::test]
    async fn who_computes_and_ends_begins_in_the_lane_the_next_time() {
        let lane = GuestExecutor::default();
        lane.run(async { compute(2 * limits::GUEST_BURST) }).await;
        assert_eq!(parts(&lane, Duration::ZERO).await, [true, true]);
    }

    #[tokio::test]
    async fn the_lane_is_less_urgent() {
        let lane = GuestExecutor::default();
        let before = nice(0).expect("it is told");
        lane.run(async { compute(2 * limits::GUEST_BURST) }).await;
        assert_eq!(lane.run(async { nice(0) }).await, Ok((before + limits::LANE_NICE).min(19)));
        assert_eq!(nice(0), Ok(before), "this thread is what it was");
    }

    #[tokio::test]
    async fn work_that_nobody_waits_for_ends() {
        let lane = GuestExecutor::default();
        lane.run(async { compute(2 * limits::GUEST_BURST) }).await;
        let (held, gone) = tokio::sync::oneshot::channel::<()>();
        let endless = async move {
            let _held = held;
            loop {
                tokio::task::yield_now().await;
            }
        };
        let ended = tokio::time::timeout(Duration::from_millis(50), lane.run::<()>(endless)).await;
        assert!(ended.is_err());
        assert!(gone.await.is_err(), "what it held is dropped");
    }
}
