//! From frames to committed deliveries: parse, verify, compute facts, match, store, wake the workers. A message counts as
//! accepted once its commit has returned; until then it is in the buffer or in flight here. A message whose access lists are
//! not in memory waits for them, and others pass it. Intake never calls a plugin and never waits for one.

mod examine;
pub(crate) mod limits;
mod waiting;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt as _;
use futures::stream::FuturesUnordered;
use tidings_bus::Received;
use tidings_domain::delivery::{Acceptance, NewMessage};
use tidings_store::{Outbox, StoreError};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::access_lists::AccessLists;
use crate::clock;
use crate::dispatch::Wakers;
use crate::matching_state::MatchingState;
use crate::telemetry::{Metrics, chain};
use crate::verify::{Admissible, AdmissionPolicy};
use examine::{Examined, Examiner, Progress};
use waiting::Waiting;

/// How long intake pauses when the store is unavailable, before it tries the same commit again.
const STORE_PAUSE: Duration = Duration::from_millis(500);

/// The stage between the bus and the outbox.
#[derive(Clone)]
pub struct Intake {
    pub matching: Arc<MatchingState>,
    pub lists: Arc<AccessLists>,
    pub store: Arc<dyn Outbox>,
    pub policy: AdmissionPolicy,
    pub wakers: Arc<Wakers>,
    pub metrics: Arc<Metrics>,
}

/// A message that waits for its access lists.
struct WaitingMessage {
    received: Received,
    verified: Admissible,
}

impl Intake {
    /// Works until the sources are gone and the buffer is empty, or until `stop`; then finishes what is under way.
    pub async fn run(self, mut queue: mpsc::Receiver<Received>, stop: CancellationToken) {
        let (mut commits, mut views) = (FuturesUnordered::new(), FuturesUnordered::new());
        let (mut waiting, mut examiner, mut open) = (Waiting::default(), Examiner::new(&self), true);
        // What is to be committed next.
        let mut done: Vec<(Received, Examined)> = Vec::new();
        while open || !waiting.is_empty() {
            let has_capacity = commits.len() < limits::INTAKE_IN_FLIGHT && waiting.len() < limits::INTAKE_WAITING;
            tokio::select! {
                // Commits first: while there are as many as may be, nothing is read.
                biased;
                Some(()) = commits.next() => {}
                () = stop.cancelled() => break,
                Some((ticket, view)) = views.next() => {
                    waiting.arrive(ticket, view);
                    while let Some((WaitingMessage { received, verified }, view)) = waiting.pop() {
                        let examined = examiner.resume(&received, &verified, &view);
                        done.extend(examined.map(|examined| (received, examined)));
                    }
                }
                received = queue.recv(), if open && has_capacity => match received {
                    None => open = false,
                    Some(received) => match examiner.examine(&received, |packages| waiting.is_ahead_of(packages)) {
                        None => {}
                        Some(Progress::Examined(examined)) => done.push((received, *examined)),
                        Some(Progress::Waits(verified, needed)) if self.lists.are_local() => {
                            let examined = examiner.resume(&received, &verified, &self.lists.view(&needed).await);
                            done.extend(examined.map(|examined| (received, examined)));
                        }
                        Some(Progress::Waits(verified, needed)) => {
                            self.metrics.waited.inc();
                            let ticket = waiting.push(needed.packages.clone(), WaitingMessage { received, verified });
                            let lists = &self.lists;
                            views.push(async move { (ticket, lists.view(&needed).await) });
                        }
                    },
                },
            }
            for (received, examined) in done.drain(..) {
                let changes_rules = examined.changes_rules();
                commits.push(self.accept(received, examined, &stop));
                if changes_rules {
                    // Every earlier message is committed first; the next one is matched by the changed rules.
                    while commits.next().await.is_some() {}
                }
            }
        }
        while commits.next().await.is_some() {}
    }

    /// Commits a message, however long the store is unavailable, and wakes the workers that have deliveries of it. The
    /// message keeps its place in the buffer until then.
    async fn accept(&self, _received: Received, examined: Examined, stop: &CancellationToken) {
        let Examined { accepted, changed_user } = examined;
        let Some(acceptance) = self.commit(&accepted, stop).await else { return };
        match acceptance {
            Acceptance::New { deliveries: 0 } => _ = self.metrics.unmatched.inc(),
            Acceptance::New { deliveries } => {
                self.metrics.matched.inc();
                self.metrics.deliveries.inc_by(deliveries as u64);
                let channels: BTreeSet<&str> = accepted.recipients.iter().map(|r| r.channel.as_str()).collect();
                channels.into_iter().for_each(|channel| self.wakers.wake(channel));
            }
            Acceptance::Duplicate => _ = self.metrics.duplicate.inc(),
            Acceptance::Conflict => {
                self.metrics.conflict.inc();
                tracing::warn!(message = %accepted.id, "another message with the same id came before; this one is dropped");
            }
        }
        if accepted.fires() {
            self.in_force(self.matching.catch_up().await);
        }
        if let Some(user) = changed_user {
            self.in_force(self.matching.reload_user(&user).await);
        }
    }

    fn in_force(&self, read: Result<(), StoreError>) {
        if let Err(error) = read {
            tracing::error!(error = %chain(&error), "changed rules could not be read; the old ones stay in force for now");
        }
    }

    /// None if the daemon stops while the store is unavailable: the message was never accepted.
    async fn commit(&self, accepted: &NewMessage, stop: &CancellationToken) -> Option<Acceptance> {
        let mut reported = false;
        loop {
            match self.store.accept(accepted.clone(), clock::now()).await {
                Ok(acceptance) => return Some(acceptance),
                Err(StoreError::Unavailable { .. }) if stop.is_cancelled() => return None,
                Err(error @ StoreError::Unavailable { .. }) => {
                    self.metrics.store_retries.inc();
                    if !std::mem::replace(&mut reported, true) {
                        tracing::error!(error = %chain(&error), "intake waits for the store and tries again");
                    }
                    tokio::select! {
                        () = tokio::time::sleep(STORE_PAUSE) => {}
                        () = stop.cancelled() => {}
                    }
                }
                Err(error) => {
                    self.metrics.poison.inc();
                    tracing::error!(message = %accepted.id, error = %chain(&error), "a message cannot be stored; it is left out");
                    return None;
                }
            }
        }
    }
}
