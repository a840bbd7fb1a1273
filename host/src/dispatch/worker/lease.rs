//! From the queue into calls: leases what is due, sorts it into batches, and hands each to a version.

use std::sync::Arc;
use std::time::Duration;

use crate::dispatch::limits;
use tidings_domain::time::Timestamp;
use tidings_store::{Lease, LeaseRequest};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::{Batch, Ended, LOOK_AT_LEAST, State, Worker};
use crate::clock;

impl Worker {
    /// Calls as many batches as the window allows; none while the version waits for a decision about it.
    pub(super) async fn fill(&self, state: &mut State, calls: &mut JoinSet<Ended>, cut_off: &CancellationToken) {
        loop {
            if state.trial.halted() {
                return self.give_back(state).await;
            }
            let now = clock::now();
            if calls.len() >= state.window.size(now) {
                return;
            }
            if state.ready.is_empty() && state.look_at.is_none_or(|at| at <= now) {
                self.lease(state, now).await;
            }
            let Some(Batch { leases, tested }) = state.ready.pop_front() else { return };
            let leases = self.still_ours(state, leases, now).await;
            if leases.is_empty() {
                continue;
            }
            let (version, on_trial) = state.trial.next(tested);
            let call = Arc::clone(&version.sender).call(leases, cut_off.child_token());
            calls.spawn(async move { Ended { called: call.await, version, on_trial } });
        }
    }

    /// Leases what is due and sorts it into batches.
    async fn lease(&self, state: &mut State, now: Timestamp) {
        let request = LeaseRequest {
            channel: self.channel.clone(),
            now,
            lifetime: state.trial.deadline() + limits::LEASE_MARGIN,
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
        let (mut company, mut spared, mut expired) = (Vec::new(), Vec::new(), Vec::new());
        for lease in leased {
            let id = &lease.delivery().id;
            if let Some(dead) = self.settings.policy.expired(lease.delivery().accepted_at, now) {
                expired.push((lease, dead));
            } else if state.suspects.contains(id) {
                state.ready.push_back(Batch { leases: vec![lease], tested: true });
            } else if state.trial.spares(id) {
                spared.push(lease);
            } else {
                company.push(lease);
            }
        }
        for (leases, tested) in [(spared, true), (company, false)] {
            if !leases.is_empty() {
                state.ready.push_front(Batch { leases, tested });
            }
        }
        self.settle(expired).await;
    }

    /// Drops from a waiting batch what could not be finished within its lease any more.
    async fn still_ours(&self, state: &State, batch: Vec<Lease>, now: Timestamp) -> Vec<Lease> {
        let ends = now.after(state.trial.deadline());
        let (good, late): (Vec<Lease>, Vec<Lease>) = batch.into_iter().partition(|lease| lease.until() > ends);
        self.release(late).await;
        good
    }

    /// What was leased and not called waits in the store.
    async fn give_back(&self, state: &mut State) {
        let leases = state.ready.drain(..).flat_map(|batch| batch.leases).collect();
        self.release(leases).await;
    }

    /// How long to wait if nothing happens.
    pub(super) fn nap(&self, state: &State, idle: bool) -> Duration {
        let now = clock::now();
        let wake = match state.window.resting_until(now) {
            Some(until) => until,
            // The window is full, or a decision is awaited: both wake the loop.
            None if !idle || state.trial.halted() => now.after(LOOK_AT_LEAST),
            None => state.look_at.unwrap_or(now),
        };
        let wake = state.trial.judged_at(now).map_or(wake, |at| wake.min(at));
        wake.since(now).clamp(Duration::from_millis(5), LOOK_AT_LEAST)
    }
}
