//! From the queue into calls: leases what is due, lets the scheduler sort it into batches, and hands each batch to a
//! version.

use std::sync::Arc;
use std::time::Duration;

use tidings_domain::time::Timestamp;
use tidings_store::{Lease, LeaseRequest, StoreError};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::scheduler::{LOOK_AT_LEAST, LeaseClass};
use super::{CompletedCall, State, Worker};
use crate::clock;
use crate::dispatch::limits;
use crate::telemetry::chain;

/// How long a worker pauses when the store is unavailable.
const STORE_PAUSE: Duration = Duration::from_millis(500);

impl Worker {
    /// Calls as many batches as the window allows; none while the version waits for a decision about it.
    pub(super) async fn fill(
        &self,
        state: &mut State,
        calls: &mut JoinSet<CompletedCall>,
        cut_off: &CancellationToken,
    ) {
        loop {
            if state.rollout.is_halted() {
                // What was leased and not called waits in the store.
                let waiting = state.scheduler.take_waiting();
                return state.writer.release(waiting).await;
            }
            let now = clock::now();
            if !state.scheduler.has_capacity(calls.len(), now) {
                return;
            }
            if state.scheduler.needs_leases(now) {
                self.lease(state, now).await;
            }
            let Some(batch) = state.scheduler.pop() else { return };
            let leases = self.drop_late(state, batch.leases, now).await;
            if leases.is_empty() {
                continue;
            }
            let choice = state.rollout.choose(batch.excluded_from_canary);
            let call = Arc::clone(&choice.version.runner).call(leases, cut_off.child_token());
            calls.spawn(async move {
                CompletedCall { outcome: call.await, version: choice.version, on_trial: choice.on_trial }
            });
        }
    }

    /// Leases what is due and sorts it into batches.
    async fn lease(&self, state: &mut State, now: Timestamp) {
        let request = LeaseRequest {
            channel: self.channel.clone(),
            now,
            lifetime: state.rollout.deadline() + limits::LEASE_MARGIN,
            max: self.settings.batch,
            digest_events: limits::DIGEST_EVENTS,
        };
        let leased = match self.outbox.lease(request).await {
            Ok(leased) => leased,
            Err(error) => return self.wait_for_store(state, "leasing due deliveries", &error),
        };
        if leased.is_empty() {
            let at_least = now.after(LOOK_AT_LEAST);
            match self.outbox.next_due(&self.channel).await {
                Ok(due) => state.scheduler.look_at(due.map_or(at_least, |due| due.min(at_least))),
                Err(error) => self.wait_for_store(state, "reading when something is due", &error),
            }
            return;
        }
        let (mut current, mut expired) = (Vec::with_capacity(leased.len()), Vec::new());
        for lease in leased {
            match state.settler.expired(&lease, now) {
                Some(settlement) => expired.push((lease, settlement)),
                None => current.push(lease),
            }
        }
        let State { scheduler, rollout, settler, writer, .. } = state;
        scheduler.push(current, |lease| {
            let id = &lease.delivery().id;
            if settler.is_suspect(id) {
                LeaseClass::Suspect
            } else if rollout.is_excluded_from_canary(id) {
                LeaseClass::ExcludedFromCanary
            } else {
                LeaseClass::Untested
            }
        });
        writer.settle(expired).await;
    }

    /// Gives back what could not be finished within its lease any more, and returns the rest.
    async fn drop_late(&self, state: &State, batch: Vec<Lease>, now: Timestamp) -> Vec<Lease> {
        let ends = now.after(state.rollout.deadline());
        let (in_time, late): (Vec<Lease>, Vec<Lease>) = batch.into_iter().partition(|lease| lease.until() > ends);
        state.writer.release(late).await;
        in_time
    }

    fn wait_for_store(&self, state: &mut State, doing: &str, error: &StoreError) {
        let error = chain(error);
        tracing::error!(channel = self.channel, doing, error, "dispatch waits for the store and tries again");
        state.scheduler.look_at(clock::now().after(STORE_PAUSE));
    }
}
