//! The versions that a worker calls, and what it learns of them: which is called next, how each did, and whether there is
//! something to report. It does no I/O.

use std::sync::Arc;
use std::time::Duration;

use tidings_domain::delivery::DeliveryId;
use tidings_domain::outcome::{CrashKind, Outcome};
use tidings_domain::plugin_life::canary::{self, CanaryDecision, Tally};
use tidings_domain::plugin_life::quarantine::{CallEnd, CrashRule, CrashWatch};
use tidings_domain::time::Timestamp;
use tidings_domain::window::CallResult;
use tidings_sandbox::ResidentStats;

use crate::dispatch::bounded_map::BoundedMap;
use crate::dispatch::limits;
use crate::dispatch::plugin_runner::CallOutcome;
use crate::dispatch::version_set::{CallableVersion, Rollout, RolloutReport, RolloutVerdict, VersionSet};

/// What is known of the versions of a channel.
pub(super) struct RolloutTracker {
    versions: Arc<VersionSet>,
    /// When the worker got them. A trial is as old as that: while no worker runs, nothing is tried.
    since: Timestamp,
    /// The rule for an active version that is not watched.
    settled: CrashRule,
    /// The active version's last calls.
    watch: CrashWatch,
    active: Tally,
    candidate: Tally,
    begun: BegunCalls,
    /// Deliveries that a candidate failed with, and whether it refused them: only the active version gets them.
    excluded_from_canary: BoundedMap<bool>,
    /// Crashes of the active version with nothing to deliver that are counted already.
    idle_crashes: u64,
    /// What is to be reported next.
    report: Option<RolloutReport>,
    /// The candidate is called no more until there is another set of versions.
    candidate_done: bool,
    /// No version is called until there is another set of versions.
    halted: bool,
}

/// Calls that were begun with these versions.
#[derive(Clone, Copy, Debug, Default)]
struct BegunCalls {
    candidate: u64,
    all: u64,
}

/// The version for a batch.
pub(super) struct VersionChoice {
    pub(super) version: CallableVersion,
    /// It is the candidate.
    pub(super) on_trial: bool,
}

impl RolloutTracker {
    pub(super) fn new(versions: Arc<VersionSet>, settled: CrashRule, now: Timestamp) -> RolloutTracker {
        let rule = first_rule(&versions, settled);
        RolloutTracker {
            idle_crashes: versions.active.runner.resident_stats().map_or(0, |stats| stats.idle_crashes),
            versions,
            since: now,
            settled,
            watch: CrashWatch::new(rule),
            active: Tally::default(),
            candidate: Tally::default(),
            begun: BegunCalls::default(),
            excluded_from_canary: BoundedMap::new(limits::SUSPECTS),
            report: None,
            candidate_done: false,
            halted: false,
        }
    }

    /// Goes on with other versions. What a candidate failed with stays with the active version; the next candidate is not
    /// blamed for it. Returns whether another version is active now.
    pub(super) fn adopt(&mut self, versions: Arc<VersionSet>, now: Timestamp) -> bool {
        let changed = versions.active.component != self.versions.active.component;
        let mut next = RolloutTracker::new(versions, self.settled, now);
        std::mem::swap(&mut next.excluded_from_canary, &mut self.excluded_from_canary);
        next.excluded_from_canary.values_mut().for_each(|refused| *refused = false);
        *self = next;
        changed
    }

    /// The active version.
    pub(super) fn active(&self) -> &CallableVersion {
        &self.versions.active
    }

    /// Waits until the active version, a resident, crashes with nothing to deliver.
    pub(super) async fn idle_crash(&self) -> ResidentStats {
        self.versions.active.runner.idle_crash(self.idle_crashes).await
    }

    /// Whether nothing is called until there is another set of versions.
    pub(super) fn is_halted(&self) -> bool {
        self.halted
    }

    /// How long one call may take.
    pub(super) fn deadline(&self) -> Duration {
        let active = self.versions.active.runner.deadline();
        self.versions.candidate().map_or(active, |candidate| active.max(candidate.runner.deadline()))
    }

    pub(super) fn is_excluded_from_canary(&self, id: &DeliveryId) -> bool {
        self.excluded_from_canary.contains(id)
    }

    /// From now on only the active version gets the delivery. Bounded: one that is forgotten may meet the candidate again.
    pub(super) fn exclude_from_canary(&mut self, id: &DeliveryId, refused: bool) {
        self.excluded_from_canary.insert(id, refused);
    }

    /// Chooses the version for the next batch; the active one where the batch is excluded from the canary.
    pub(super) fn choose(&mut self, excluded_from_canary: bool) -> VersionChoice {
        let before = self.begun;
        self.begun.all += 1;
        if let Rollout::Canary { candidate, plan, .. } = &self.versions.trial
            && !excluded_from_canary
            && !self.candidate_done
            && plan.takes_next(before.candidate, before.all)
        {
            self.begun.candidate += 1;
            return VersionChoice { version: candidate.clone(), on_trial: true };
        }
        VersionChoice { version: self.versions.active.clone(), on_trial: false }
    }

    /// Whether the active version may be taken back because of what it does now.
    pub(super) fn watches_active(&self, now: Timestamp) -> bool {
        matches!(self.versions.trial, Rollout::Watch { until } if now < until)
    }

    /// When the trial is to be judged although nothing happens; none where that is over and only a call can decide.
    pub(super) fn next_judgement(&self, now: Timestamp) -> Option<Timestamp> {
        match &self.versions.trial {
            Rollout::Canary { plan, .. } if !self.candidate_done => {
                Some(self.since.after(Duration::from_secs(plan.max_seconds))).filter(|at| now < *at)
            }
            _ => None,
        }
    }

    /// Learns what the active version made of a delivery that a candidate failed with.
    pub(super) fn record_active_outcome(&mut self, id: &DeliveryId, outcome: &Outcome) {
        if let Some(refused) = self.excluded_from_canary.remove(id)
            && refused
            && matches!(outcome, Outcome::Delivered { .. })
        {
            self.candidate.overruled += 1;
        }
    }

    /// Learns from a call of a version, unless the version is not in the set any more.
    pub(super) fn observe(&mut self, version: &CallableVersion, on_trial: bool, outcome: &CallOutcome) {
        let result = outcome.result();
        let tally = match &self.versions.trial {
            Rollout::Canary { candidate, .. } if on_trial && candidate.component == version.component => {
                &mut self.candidate
            }
            _ if !on_trial && self.versions.active.component == version.component => &mut self.active,
            _ => return,
        };
        tally.calls += 1;
        tally.crashes += u64::from(result == CallResult::Crashed);
        tally.troubles += u64::from(matches!(result, CallResult::Trouble { .. }));
        if on_trial {
            return;
        }
        let end = match (result, outcome.tried.as_slice()) {
            (CallResult::Crashed, [(lease, _)]) => CallEnd::CrashedAlone(lease.delivery().id.clone()),
            (CallResult::Crashed, _) => CallEnd::CrashedTogether,
            // A resident without an instance shows neither that its code is sound nor that it is not.
            (CallResult::Trouble { .. }, _) if version.is_resident() => return,
            _ => CallEnd::Success,
        };
        self.observe_active(end, outcome.crash());
    }

    /// Learns that the active version, a resident, crashed with nothing to deliver. Only instances that do not live long
    /// count together. Returns how many crashes are new.
    pub(super) fn observe_idle_crashes(&mut self, stats: &ResidentStats) -> u64 {
        let new = stats.idle_crashes.saturating_sub(self.idle_crashes);
        self.idle_crashes = stats.idle_crashes;
        if stats.consecutive_crashes <= 1 {
            self.watch.clear();
        }
        let last = stats.last_crash.as_ref().map(|(kind, detail)| (*kind, detail.as_str()));
        for _ in 0..new {
            self.observe_active(CallEnd::CrashedIdle, last);
        }
        new
    }

    /// Counts the end of a call of the active version; one crash too many breaks it.
    fn observe_active(&mut self, end: CallEnd, crash: Option<(CrashKind, &str)>) {
        let Some(broken) = self.watch.observe(end) else { return };
        if self.halted {
            return;
        }
        let (kind, detail) = crash.map_or(("", ""), |(kind, detail)| (kind.as_str(), detail));
        self.halted = true;
        self.candidate_done = true;
        let reason = format!("{broken}, the last with {kind}: {detail}");
        let component = Arc::clone(&self.versions.active.component);
        self.report = Some(self.about(component, RolloutVerdict::Broken, reason));
    }

    /// Judges what is on trial, and returns what is to be reported, once.
    pub(super) fn take_report(&mut self, now: Timestamp) -> Option<RolloutReport> {
        self.judge(now);
        self.report.take()
    }

    fn judge(&mut self, now: Timestamp) {
        match &self.versions.trial {
            Rollout::None => {}
            Rollout::Watch { until } => {
                if now >= *until && self.watch.rule() != self.settled {
                    self.watch.set_rule(self.settled);
                }
            }
            Rollout::Canary { .. } if self.candidate_done => {}
            Rollout::Canary { candidate, plan } => {
                let (verdict, reason) = match canary::decide(plan, &self.candidate, &self.active, self.since, now) {
                    CanaryDecision::Continue => return,
                    CanaryDecision::Promote(proof) => (RolloutVerdict::Proved, proof.to_string()),
                    CanaryDecision::FallBack(fault) => (RolloutVerdict::Failed, fault.to_string()),
                };
                let component = Arc::clone(&candidate.component);
                self.candidate_done = true;
                self.report = Some(self.about(component, verdict, reason));
            }
        }
    }

    fn about(&self, component: Arc<str>, verdict: RolloutVerdict, reason: String) -> RolloutReport {
        RolloutReport { version_set: self.versions.number, component, verdict, reason }
    }
}

/// The rule by which the active version is judged at first.
fn first_rule(versions: &VersionSet, settled: CrashRule) -> CrashRule {
    match versions.trial {
        Rollout::Watch { .. } => CrashRule::watched(),
        Rollout::None | Rollout::Canary { .. } => settled,
    }
}
