//! Decides on which thread a guest runs. A call starts on the caller's thread, which suits calls that wait for a
//! server. A call that computes for longer continues on its channel's own thread, which has a lower priority than the
//! daemon's: the operating system then shares the processors between channels, and only the guest's own channel waits
//! for its ticks.

use std::future::{Future, poll_fn};
use std::io;
use std::panic::resume_unwind;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};
use std::time::Duration;

use rustix::process::nice;
use rustix::time::{ClockId, clock_gettime};
use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinSet;

use crate::limits;

type Work<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// The executor of one channel's guests.
#[derive(Default)]
pub(crate) struct GuestExecutor {
    /// Started at the first need: most channels never compute for long. None if the system refused a thread.
    thread: OnceLock<Option<Runtime>>,
    /// The last call that ended computed for long, so the next one starts on the guest thread.
    computes: Arc<AtomicBool>,
}

impl GuestExecutor {
    /// Runs a call's work to its end. Dropping the future ends the work, at its next tick at the latest.
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
        self.run_on_guest_thread(work, !computes).await
    }

    /// Runs the rest of the work on the guest thread. `computed` says whether it has computed for long already.
    async fn run_on_guest_thread<T: Send + 'static>(&self, mut work: Work<T>, mut computed: bool) -> T {
        let Some(thread) = self.thread() else { return work.await };
        let computes = Arc::clone(&self.computes);
        // A set aborts its tasks when it is dropped.
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
            // Only dropping this future aborts the task.
            Some(Err(_)) | None => std::future::pending().await,
        }
    }

    fn thread(&self) -> Option<&Runtime> {
        let start = || {
            let mut thread = Builder::new_multi_thread();
            thread.worker_threads(1).thread_name("guest").enable_all().on_thread_start(|| {
                // If the system refuses, the thread keeps the daemon's priority.
                let _ = nice(limits::GUEST_NICE);
            });
            let log = |error: &io::Error| tracing::error!(%error, "no guest thread; guests use the daemon's threads");
            thread.build().inspect_err(log).ok()
        };
        self.thread.get_or_init(start).as_ref()
    }
}

impl Drop for GuestExecutor {
    fn drop(&mut self) {
        // The drop of a channel's last plugin must not wait for the thread.
        if let Some(Some(thread)) = self.thread.take() {
            thread.shutdown_background();
        }
    }
}

/// Polls, and returns whether that took more processor time than a burst. Wall-clock time would count waits on a busy
/// machine.
fn timed<T>(work: &mut Work<T>, cx: &mut Context<'_>) -> (Poll<T>, bool) {
    let began = processor_time();
    let polled = work.as_mut().poll(cx);
    (polled, processor_time().saturating_sub(began) >= limits::GUEST_BURST)
}

/// The processor time of this thread.
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

    fn thread_name() -> String {
        thread::current().name().unwrap_or_default().to_owned()
    }

    /// Whether the two parts of a call ran on the guest thread. The first part computes for this long, then the call
    /// yields.
    async fn parts(executor: &GuestExecutor, first: Duration) -> [bool; 2] {
        let on_guest_thread = || thread_name() == "guest";
        let work = async move {
            let one = on_guest_thread();
            compute(first);
            tokio::task::yield_now().await;
            [one, on_guest_thread()]
        };
        executor.run(work).await
    }

    #[tokio::test]
    async fn a_call_that_computes_continues_on_the_guest_thread_and_the_next_one_starts_there() {
        let executor = GuestExecutor::default();
        let long = 2 * limits::GUEST_BURST;
        assert_eq!(parts(&executor, Duration::ZERO).await, [false, false]);
        assert!(executor.thread.get().is_none(), "a call that does not compute needs no thread");
        assert_eq!(parts(&executor, long).await, [false, true]);
        assert_eq!(parts(&executor, long).await, [true, true]);
        assert_eq!(parts(&executor, Duration::ZERO).await, [true, true]);
        assert_eq!(parts(&executor, Duration::ZERO).await, [false, false], "the one before did not compute");
    }

    #[tokio::test]
    async fn after_a_call_that_computed_and_ended_the_next_one_starts_on_the_guest_thread() {
        let executor = GuestExecutor::default();
        executor.run(async { compute(2 * limits::GUEST_BURST) }).await;
        assert_eq!(parts(&executor, Duration::ZERO).await, [true, true]);
    }

    #[tokio::test]
    async fn the_guest_thread_has_a_lower_priority() {
        let executor = GuestExecutor::default();
        let before = nice(0).expect("a nice value");
        executor.run(async { compute(2 * limits::GUEST_BURST) }).await;
        assert_eq!(executor.run(async { nice(0) }).await, Ok((before + limits::GUEST_NICE).min(19)));
        assert_eq!(nice(0), Ok(before), "the caller's thread keeps its priority");
    }

    #[tokio::test]
    async fn work_whose_caller_stops_waiting_ends() {
        let executor = GuestExecutor::default();
        executor.run(async { compute(2 * limits::GUEST_BURST) }).await;
        let (guard, dropped) = tokio::sync::oneshot::channel::<()>();
        let endless = async move {
            let _guard = guard;
            loop {
                tokio::task::yield_now().await;
            }
        };
        let ended = tokio::time::timeout(Duration::from_millis(50), executor.run::<()>(endless)).await;
        assert!(ended.is_err());
        assert!(dropped.await.is_err(), "what it owned is dropped");
    }
}
