//! The versions that a worker calls, and what it learns of them: which is called next, how each did, and whether there is
//! something to report.

use std::sync::Arc;
use std::time::Duration;

use crate::dispatch::limits;
use tidings_domain::delivery::DeliveryId;
use tidings_domain::outcome::{CrashKind, Outcome};
use tidings_domain::plugin_life::canary::{self, CanaryDecision, Tally};
use tidings_domain::plugin_life::quarantine::{CallEnd, CrashRule, CrashWatch};
use tidings_domain::time::Timestamp;
use tidings_domain::window::CallResult;
use tidings_sandbox::ResidentStats;

use super::super::plugin_runner::CallOutcome;
use super::super::version_set::{CallableVersion, Rollout, RolloutReport, RolloutVerdict, VersionSet};
use super::{State, Worker};
use crate::clock;
use crate::dispatch::bounded_map::BoundedMap;

/// What is known of the versions in the fleet.
pub(super) struct RolloutTracker {
    fleet: Arc<VersionSet>,
    /// When the worker got it. A trial is as old as that: while nothing runs, nothing is tried.
    since: Timestamp,
    settled: CrashRule,
    /// The active version's last calls.
    watch: CrashWatch,
    active: Tally,
    candidate: Tally,
    /// Calls that were begun with the candidate, and with any version.
    begun: (u64, u64),
    /// Deliveries that a candidate failed with, and whether it refused them: they are the active version's.
    spared: BoundedMap<bool>,
    /// Crashes of the active version with nothing to deliver that were learned of.
    idle_crashes: u64,
    /// What is to be reported next.
    found: Option<(RolloutVerdict, Arc<str>, String)>,
    /// The candidate, or the active version, is left alone until there is another fleet.
    candidate_done: bool,
    halted: bool,
}

impl RolloutTracker {
    pub(super) fn new(fleet: Arc<VersionSet>, settled: CrashRule, now: Timestamp) -> RolloutTracker {
        let rule = rule(&fleet, settled);
        RolloutTracker {
            idle_crashes: fleet.active.sender.life().map_or(0, |stats| stats.idle_crashes),
            fleet,
            since: now,
            settled,
            watch: CrashWatch::new(rule),
            active: Tally::default(),
            candidate: Tally::default(),
            begun: (0, 0),
            spared: BoundedMap::new(limits::SUSPECTS),
            found: None,
            candidate_done: false,
            halted: false,
        }
    }

    /// Goes on with other versions. What a candidate failed with stays the active version's; the next candidate is not
    /// blamed for it. Says whether another version is active now.
    pub(super) fn adopt(&mut self, fleet: Arc<VersionSet>, now: Timestamp) -> bool {
        let changed = fleet.active.component != self.fleet.active.component;
        let mut next = RolloutTracker::new(fleet, self.settled, now);
        std::mem::swap(&mut next.spared, &mut self.spared);
        next.spared.values_mut().for_each(|refused| *refused = false);
        *self = next;
        changed
    }

    /// The active version.
    pub(super) fn active(&self) -> &CallableVersion {
        &self.fleet.active
    }

    /// Waits until the active version, a resident, crashes with nothing to deliver.
    pub(super) async fn idle_crash(&self) -> ResidentStats {
        self.fleet.active.sender.idle_crash(self.idle_crashes).await
    }

    /// Nothing is called until there is another fleet.
    pub(super) fn halted(&self) -> bool {
        self.halted
    }

    /// How long one call may take.
    pub(super) fn deadline(&self) -> Duration {
        let active = self.fleet.active.sender.deadline();
        self.fleet.candidate().map_or(active, |candidate| active.max(candidate.sender.deadline()))
    }

    pub(super) fn spares(&self, id: &DeliveryId) -> bool {
        self.spared.contains(id)
    }

    /// Bounded: a delivery that is forgotten may meet the candidate once more.
    pub(super) fn spare(&mut self, id: &DeliveryId, refused: bool) {
        self.spared.insert(id, refused);
    }

    /// The version for the next batch, and whether it is on trial. One that was `tested` is no candidate's.
    pub(super) fn next(&mut self, tested: bool) -> (CallableVersion, bool) {
        let (candidate, all) = &mut self.begun;
        if let Rollout::Canary { candidate: version, plan, .. } = &self.fleet.trial
            && !tested
            && !self.candidate_done
            && plan.takes_next(*candidate, *all)
        {
            *candidate += 1;
            *all += 1;
            return (version.clone(), true);
        }
        *all += 1;
        (self.fleet.active.clone(), false)
    }

    /// Whether the active version may be taken back because of what it does now.
    pub(super) fn watching(&self, now: Timestamp) -> bool {
        matches!(self.fleet.trial, Rollout::Watch { until } if now < until)
    }

    /// When the trial is to be judged although nothing happens; none where that is over and only a call can decide.
    pub(super) fn judged_at(&self, now: Timestamp) -> Option<Timestamp> {
        match &self.fleet.trial {
            Rollout::Canary { plan, .. } if !self.candidate_done => {
                Some(self.since.after(Duration::from_secs(plan.max_seconds))).filter(|at| now < *at)
            }
            _ => None,
        }
    }

    /// The active version's word on a delivery that a candidate failed with.
    pub(super) fn active_said(&mut self, id: &DeliveryId, outcome: &Outcome) {
        if let Some(refused) = self.spared.remove(id)
            && refused
            && matches!(outcome, Outcome::Delivered { .. })
        {
            self.candidate.overruled += 1;
        }
    }

    /// Learns from a call of a version, unless it is not in the fleet any more.
    pub(super) fn observe(&mut self, version: &CallableVersion, on_trial: bool, called: &CallOutcome) {
        let result = called.result();
        let tally = match &self.fleet.trial {
            Rollout::Canary { candidate, .. } if on_trial && candidate.component == version.component => {
                &mut self.candidate
            }
            _ if !on_trial && self.fleet.active.component == version.component => &mut self.active,
            _ => return,
        };
        tally.calls += 1;
        tally.crashes += u64::from(result == CallResult::Crashed);
        tally.troubles += u64::from(matches!(result, CallResult::Trouble { .. }));
        if on_trial {
            return;
        }
        let end = match (result, called.tried.as_slice()) {
            (CallResult::Crashed, [(lease, _)]) => CallEnd::CrashedAlone(lease.delivery().id.clone()),
            (CallResult::Crashed, _) => CallEnd::CrashedTogether,
            // A resident that is not there did nothing, neither good nor bad.
            (CallResult::Trouble { .. }, _) if version.resident => return,
            _ => CallEnd::Fine,
        };
        self.ended(end, called.crash());
    }

    /// Learns that the active version, a resident, crashed with nothing to deliver. Only instances that do not live long
    /// count together. Returns how many crashes are new.
    pub(super) fn crashed_idle(&mut self, stats: &ResidentStats) -> u64 {
        let new = stats.idle_crashes.saturating_sub(self.idle_crashes);
        self.idle_crashes = stats.idle_crashes;
        if stats.consecutive_crashes <= 1 {
            self.watch.forget();
        }
        let last = stats.last_crash.as_ref().map(|(kind, detail)| (*kind, detail.as_str()));
        for _ in 0..new {
            self.ended(CallEnd::CrashedIdle, last);
        }
        new
    }

    /// The active version did something; where that was one crash too many, it is broken.
    fn ended(&mut self, end: CallEnd, crash: Option<(CrashKind, &str)>) {
        let Some(broken) = self.watch.observe(end) else { return };
        if self.halted {
            return;
        }
        let (kind, detail) = crash.map_or(("", ""), |(kind, detail)| (kind.as_str(), detail));
        self.halted = true;
        self.candidate_done = true;
        let reason = format!("{broken}, the last with {kind}: {detail}");
        self.found = Some((RolloutVerdict::Broken, Arc::clone(&self.fleet.active.component), reason));
    }

    /// Judges what is on trial.
    fn judge(&mut self, now: Timestamp) {
        match &self.fleet.trial {
            Rollout::None => {}
            Rollout::Watch { until } => {
                if now >= *until && self.watch.rule() != self.settled {
                    self.watch.judge_by(self.settled);
                }
            }
            Rollout::Canary { .. } if self.candidate_done => {}
            Rollout::Canary { candidate, plan } => {
                let (found, reason) = match canary::judge(plan, &self.candidate, &self.active, self.since, now) {
                    CanaryDecision::Continue => return,
                    CanaryDecision::Promote(proof) => (RolloutVerdict::Proved, proof.to_string()),
                    CanaryDecision::FallBack(fault) => (RolloutVerdict::Failed, fault.to_string()),
                };
                self.candidate_done = true;
                self.found = Some((found, Arc::clone(&candidate.component), reason));
            }
        }
    }
}

/// The rule by which the active version is judged at first.
fn rule(fleet: &VersionSet, settled: CrashRule) -> CrashRule {
    match fleet.trial {
        Rollout::Watch { .. } => CrashRule::watched(),
        Rollout::None | Rollout::Canary { .. } => settled,
    }
}

impl Worker {
    /// Tells what it found out about a version, once.
    pub(super) async fn report(&self, state: &mut State) {
        state.trial.judge(clock::now());
        let Some((verdict, component, reason)) = state.trial.found.take() else { return };
        let fleet = state.trial.fleet.number;
        let finding = RolloutReport { channel: self.channel.clone(), fleet, component, verdict, reason };
        tokio::select! {
            sent = self.findings.send(finding) => if sent.is_err() {
                tracing::error!(channel = self.channel, "nobody hears what was found about a version");
            },
            () = self.stop.cancelled() => {}
        }
    }
}
