//! What the outcomes of a call mean for its deliveries. It decides and writes nothing.

use tidings_domain::delivery::DeliveryId;
use tidings_domain::outcome::{Outcome, Settlement};
use tidings_domain::retry::{AttemptFacts, RetryPolicy};
use tidings_domain::time::Timestamp;
use tidings_store::Lease;

use super::rollout_tracker::RolloutTracker;
use crate::dispatch::bounded_map::BoundedMap;
use crate::dispatch::limits;

/// The retry policy, and the deliveries that it treats apart.
pub(super) struct Settler {
    policy: RetryPolicy,
    /// Deliveries that were in a call that crashed, with how often they crashed alone. They are sent alone.
    suspects: BoundedMap<u32>,
}

impl Settler {
    pub(super) fn new(policy: RetryPolicy) -> Settler {
        Settler { policy, suspects: BoundedMap::new(limits::SUSPECTS) }
    }

    /// Whether the delivery was in a call that crashed.
    pub(super) fn is_suspect(&self, id: &DeliveryId) -> bool {
        self.suspects.contains(id)
    }

    /// The end of a delivery that is too old to be sent.
    pub(super) fn expired(&self, lease: &Lease, now: Timestamp) -> Option<Settlement> {
        self.policy.expired(lease.delivery().accepted_at, now)
    }

    /// Decides about each delivery of a call.
    pub(super) fn settle(
        &mut self,
        rollout: &mut RolloutTracker,
        tried: Vec<(Lease, Outcome)>,
        on_trial: bool,
        now: Timestamp,
    ) -> Vec<(Lease, Settlement)> {
        let alone = tried.len() == 1;
        let last_delivered = tried.iter().rposition(|(_, outcome)| matches!(outcome, Outcome::Delivered { .. }));
        let settle = |(place, (lease, outcome)): (usize, (Lease, Outcome))| {
            let accepted_at = lease.delivery().accepted_at;
            let overtaken = last_delivered.is_some_and(|last| place < last);
            let tried = AttemptFacts { accepted_at, alone, crashes: 0, overtaken };
            let settlement = if on_trial {
                self.settle_for_candidate(rollout, &lease, outcome, tried, now)
            } else {
                self.settle_for_active(rollout, &lease, outcome, tried, now)
            };
            (lease, settlement)
        };
        tried.into_iter().enumerate().map(settle).collect()
    }

    fn settle_for_active(
        &mut self,
        rollout: &mut RolloutTracker,
        lease: &Lease,
        outcome: Outcome,
        tried: AttemptFacts,
        now: Timestamp,
    ) -> Settlement {
        let (id, alone) = (&lease.delivery().id, tried.alone);
        rollout.record_active_outcome(id, &outcome);
        let crashes = self.suspects.get(id).copied().unwrap_or(0);
        let watched = alone && rollout.watches_active(now);
        // What crashes a version that may be taken back soon is not held against the delivery.
        self.record_suspect(id, &outcome, alone && !watched);
        if let Outcome::Crash { kind, detail } = &outcome
            && watched
        {
            let reason = format!("the plugin crashed ({}): {detail}", kind.as_str());
            return Settlement::Again { not_before: now.after(limits::WATCH_RETRY), reason, counts: false };
        }
        let settlement = self.policy.decide(outcome, AttemptFacts { crashes, ..tried }, now);
        if !matches!(settlement, Settlement::Again { .. }) {
            self.suspects.remove(id);
        }
        settlement
    }

    /// A candidate's outcome counts where it delivered, or where the service asked to wait. Everything else the active
    /// version tries again at once, and its outcome counts.
    fn settle_for_candidate(
        &mut self,
        rollout: &mut RolloutTracker,
        lease: &Lease,
        outcome: Outcome,
        tried: AttemptFacts,
        now: Timestamp,
    ) -> Settlement {
        let reason = match outcome {
            Outcome::Delivered { .. } | Outcome::Retry { .. } => {
                return self.policy.decide(outcome, AttemptFacts { alone: false, ..tried }, now);
            }
            Outcome::Rejected { ref reason } | Outcome::AddressGone { ref reason, .. } => {
                format!("the version on trial refused it: {reason}")
            }
            Outcome::ChannelTrouble { ref reason, .. } => format!("the version on trial was in trouble: {reason}"),
            Outcome::Crash { kind, ref detail } => {
                format!("the version on trial crashed ({}): {detail}", kind.as_str())
            }
        };
        let refused = matches!(outcome, Outcome::Rejected { .. } | Outcome::AddressGone { .. });
        rollout.exclude_from_canary(&lease.delivery().id, refused);
        Settlement::Again { not_before: now, reason, counts: false }
    }

    /// Keeps the list of deliveries that are sent alone. Where one is forgotten, those that are sent with it are repeated.
    fn record_suspect(&mut self, id: &DeliveryId, outcome: &Outcome, counts: bool) {
        match outcome {
            Outcome::Crash { .. } => {
                let before = self.suspects.get(id).copied().unwrap_or(0);
                self.suspects.insert(id, before + u32::from(counts));
            }
            _ => drop(self.suspects.remove(id)),
        }
    }
}
