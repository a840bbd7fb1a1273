//! Canaries: which share of the calls a candidate version gets, and when it has proved itself or failed. It is compared
//! with the active version over the same time, since a remote server that is down troubles both.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::limits;
use crate::time::Timestamp;

/// How a candidate is tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(default, deny_unknown_fields)]
pub struct CanaryPlan {
    /// Its share of the calls: 1 to 100.
    pub share_percent: u8,
    /// Calls after which it is promoted unless it does worse.
    pub min_calls: u64,
    /// After this long, one call is enough to promote it unless it does worse.
    pub max_seconds: u64,
}

impl Default for CanaryPlan {
    fn default() -> Self {
        CanaryPlan {
            share_percent: limits::CANARY_SHARE_PERCENT,
            min_calls: limits::CANARY_CALLS,
            max_seconds: limits::CANARY_TIME.as_secs(),
        }
    }
}

impl CanaryPlan {
    /// Invalid fields, with the reason.
    pub fn errors(&self) -> Vec<(&'static str, &'static str)> {
        let checks = [
            ((1..=100).contains(&self.share_percent), ("share_percent", "must be 1 to 100")),
            ((1..=limits::CANARY_CALLS_MAX).contains(&self.min_calls), ("min_calls", "must be 1 to 1000000")),
            (
                (1..=limits::CANARY_TIME_MAX.as_secs()).contains(&self.max_seconds),
                ("max_seconds", "must be 1 to 86400"),
            ),
        ];
        checks.into_iter().filter(|(valid, _)| !valid).map(|(_, error)| error).collect()
    }

    /// Whether the next call is the candidate's, after `candidate` of the `all` calls were. The first one is.
    pub fn takes_next(&self, candidate: u64, all: u64) -> bool {
        candidate.saturating_mul(100) < all.saturating_mul(u64::from(self.share_percent)) || candidate == 0
    }
}

/// Counts of one version's calls.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    pub calls: u64,
    pub crashes: u64,
    /// Calls that found the channel in trouble.
    pub troubles: u64,
    /// Deliveries that this version rejected and the other one delivered.
    pub overruled: u64,
}

/// What to do with a candidate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CanaryDecision {
    Continue,
    Promote(PromotionReason),
    FallBack(FallbackReason),
}

/// Why a candidate is promoted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PromotionReason {
    /// It made this many calls as well as the active version.
    Calls(u64),
    /// Its time is over without a reason against it; it made this many calls.
    Time(u64),
}

/// Why a candidate falls back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FallbackReason {
    Crashes { crashes: u64, calls: u64 },
    Troubles { troubles: u64, calls: u64 },
    Overruled(u64),
}

impl fmt::Display for PromotionReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PromotionReason::Calls(calls) => {
                write!(f, "it made {calls} calls without more faults than the active version")
            }
            PromotionReason::Time(calls) => {
                write!(f, "its trial time ended without a reason against it, after {calls} calls")
            }
        }
    }
}

impl fmt::Display for FallbackReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FallbackReason::Crashes { crashes, calls } => write!(f, "{crashes} of its {calls} calls crashed"),
            FallbackReason::Troubles { troubles, calls } => {
                write!(
                    f,
                    "{troubles} of its {calls} calls reported channel trouble, a higher share than of the active version"
                )
            }
            FallbackReason::Overruled(n) => write!(f, "it refused {n} deliveries that the active version delivered"),
        }
    }
}

/// Decides on a candidate that started at `since`. Time alone proves nothing: without a call the canary continues, and
/// the first call is the candidate's.
pub fn decide(
    plan: &CanaryPlan,
    candidate: &Tally,
    active: &Tally,
    since: Timestamp,
    now: Timestamp,
) -> CanaryDecision {
    let Tally { calls, crashes, troubles, overruled } = *candidate;
    if crashes >= limits::CANARY_FAULTS && worse((crashes, calls), (active.crashes, active.calls)) {
        return CanaryDecision::FallBack(FallbackReason::Crashes { crashes, calls });
    }
    if troubles >= limits::CANARY_FAULTS && worse((troubles, calls), (active.troubles, active.calls)) {
        return CanaryDecision::FallBack(FallbackReason::Troubles { troubles, calls });
    }
    if overruled >= limits::CANARY_FAULTS {
        return CanaryDecision::FallBack(FallbackReason::Overruled(overruled));
    }
    let over = calls > 0 && now.since(since) >= Duration::from_secs(plan.max_seconds);
    // One fault is not enough to fall back, and too much to be promoted unless most calls succeeded.
    if (crashes + troubles + overruled).saturating_mul(limits::CANARY_GOOD_CALLS) > calls {
        return match (over, crashes, overruled) {
            (true, 1.., _) => CanaryDecision::FallBack(FallbackReason::Crashes { crashes, calls }),
            (true, 0, 1..) => CanaryDecision::FallBack(FallbackReason::Overruled(overruled)),
            // Trouble is usually the remote server's: the canary lasts until it works again.
            _ => CanaryDecision::Continue,
        };
    }
    match (calls >= plan.min_calls, over) {
        (true, _) => CanaryDecision::Promote(PromotionReason::Calls(calls)),
        (false, true) => CanaryDecision::Promote(PromotionReason::Time(calls)),
        (false, false) => CanaryDecision::Continue,
    }
}

/// Whether the first fault rate is more than twice the second. A version without calls has no faults.
fn worse((faults, calls): (u64, u64), (other_faults, other_calls): (u64, u64)) -> bool {
    u128::from(faults) * u128::from(other_calls.max(1)) > 2 * u128::from(other_faults) * u128::from(calls)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAN: CanaryPlan = CanaryPlan { share_percent: 10, min_calls: 20, max_seconds: 600 };

    fn tally(calls: u64, crashes: u64, troubles: u64, overruled: u64) -> Tally {
        Tally { calls, crashes, troubles, overruled }
    }

    #[test]
    fn a_candidate_is_compared_with_the_active_version_by_its_calls() {
        let working = tally(100, 0, 0, 0);
        let down = tally(10, 0, 10, 0);
        let crashing = tally(100, 50, 0, 0);
        for (candidate, active, seconds, expected) in [
            (tally(0, 0, 0, 0), working, 0, CanaryDecision::Continue),
            (tally(19, 0, 0, 0), working, 599, CanaryDecision::Continue),
            (tally(20, 0, 0, 0), working, 1, CanaryDecision::Promote(PromotionReason::Calls(20))),
            (tally(3, 0, 0, 0), working, 600, CanaryDecision::Promote(PromotionReason::Time(3))),
            // Without calls there is no decision, however long that takes.
            (tally(0, 0, 0, 0), tally(0, 0, 0, 0), 600, CanaryDecision::Continue),
            (tally(0, 0, 0, 0), working, 86_400, CanaryDecision::Continue),
            (tally(1, 0, 0, 0), tally(0, 0, 0, 0), 600, CanaryDecision::Promote(PromotionReason::Time(1))),
            // One crash does not decide, two crashes do.
            (tally(1, 1, 0, 0), working, 1, CanaryDecision::Continue),
            (tally(2, 2, 0, 0), working, 1, CanaryDecision::FallBack(FallbackReason::Crashes { crashes: 2, calls: 2 })),
            (
                tally(2, 2, 0, 0),
                tally(0, 0, 0, 0),
                1,
                CanaryDecision::FallBack(FallbackReason::Crashes { crashes: 2, calls: 2 }),
            ),
            (
                tally(1, 1, 0, 0),
                working,
                600,
                CanaryDecision::FallBack(FallbackReason::Crashes { crashes: 1, calls: 1 }),
            ),
            (tally(30, 1, 0, 0), working, 1, CanaryDecision::Promote(PromotionReason::Calls(30))),
            // A message that crashes both versions is not the fault of the candidate.
            (tally(8, 4, 0, 0), crashing, 1, CanaryDecision::Continue),
            // A remote server that is down is not the candidate's fault; trouble of the candidate alone is.
            (tally(5, 0, 5, 0), down, 1, CanaryDecision::Continue),
            (tally(5, 0, 5, 0), down, 600, CanaryDecision::Continue),
            (tally(1, 0, 0, 1), working, 600, CanaryDecision::FallBack(FallbackReason::Overruled(1))),
            (
                tally(5, 0, 3, 0),
                working,
                1,
                CanaryDecision::FallBack(FallbackReason::Troubles { troubles: 3, calls: 5 }),
            ),
            (tally(5, 0, 0, 2), working, 1, CanaryDecision::FallBack(FallbackReason::Overruled(2))),
        ] {
            let now = Timestamp::from_millis(1_000_000);
            let decision = decide(&PLAN, &candidate, &active, now, now.after(Duration::from_secs(seconds)));
            assert_eq!(decision, expected, "{candidate:?} beside {active:?} after {seconds} s");
        }
    }

    #[test]
    fn the_candidate_gets_its_share_and_the_first_call() {
        for (share_percent, expected) in [(1, 10), (10, 100), (50, 500), (100, 1000)] {
            let plan = CanaryPlan { share_percent, ..PLAN };
            assert!(plan.takes_next(0, 0), "the first call");
            let mut candidate = 0;
            for all in 0..1000 {
                candidate += u64::from(plan.takes_next(candidate, all));
            }
            assert!(candidate.abs_diff(expected) <= 1, "{share_percent} %: {candidate}");
        }
    }

    #[test]
    fn invalid_fields_are_named() {
        assert_eq!(PLAN.errors(), []);
        let wrong = CanaryPlan { share_percent: 0, min_calls: 0, max_seconds: 0 };
        let fields: Vec<&str> = wrong.errors().into_iter().map(|(field, _)| field).collect();
        assert_eq!(fields, ["share_percent", "min_calls", "max_seconds"]);
    }
}
