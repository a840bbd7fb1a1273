//! Retry decisions: delivered, retried at a time, or dead with a reason. Backoff is by age, as in Postfix: the wait is
//! the age of the delivery within bounds, so retries spread without a table of delays.

use std::time::Duration;

use crate::limits;
use crate::outcome::{CrashKind, Outcome, Settlement};
use crate::time::Timestamp;

/// The bounds of retries; the settings `dispatch.*`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetryPolicy {
    pub backoff_min: Duration,
    pub backoff_max: Duration,
    /// A delivery older than this is dead.
    pub max_age: Duration,
    /// A delivery that crashed its plugin this often, alone in its call, is dead.
    pub max_crashes: u32,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        RetryPolicy {
            backoff_min: limits::BACKOFF_MIN,
            backoff_max: limits::BACKOFF_MAX,
            max_age: limits::DELIVERY_MAX_AGE,
            max_crashes: limits::MAX_CRASHES,
        }
    }
}

/// The facts about one attempt that the decision needs.
#[derive(Clone, Copy, Debug)]
pub struct AttemptFacts {
    pub accepted_at: Timestamp,
    /// It was the only delivery of its call, so that it caused the crash.
    pub alone: bool,
    /// How often it crashed its plugin before, alone.
    pub crashes: u32,
    /// A delivery behind it in the same call was delivered: it loses its position, and the trouble was not the
    /// channel's.
    pub overtaken: bool,
}

impl RetryPolicy {
    /// The wait before the next attempt of a delivery of this age, given the wait that the remote server requested.
    pub fn wait(&self, age: Duration, requested: Option<Duration>) -> Duration {
        requested.unwrap_or(age).clamp(self.backoff_min, self.backoff_max)
    }

    /// Whether a delivery is too old to be sent at all.
    pub fn expired(&self, accepted_at: Timestamp, now: Timestamp) -> Option<Settlement> {
        let age = now.since(accepted_at);
        (age > self.max_age)
            .then(|| Settlement::Dead { reason: format!("expired: not delivered within {} s", self.max_age.as_secs()) })
    }

    /// What `outcome` makes of a delivery.
    pub fn decide(&self, outcome: Outcome, attempt: AttemptFacts, now: Timestamp) -> Settlement {
        match outcome {
            Outcome::Delivered { receipt } => Settlement::Delivered { receipt },
            Outcome::Rejected { reason } => Settlement::Dead { reason: format!("rejected: {reason}") },
            Outcome::AddressGone { replacement, reason } => Settlement::AddressGone { replacement, reason },
            Outcome::Retry { after, reason } => self.again(attempt, after, reason, true, now),
            Outcome::ChannelTrouble { after, reason } if attempt.overtaken => {
                self.again(attempt, after, reason, false, now)
            }
            Outcome::ChannelTrouble { after, reason } => self.held(attempt, after, reason, now),
            Outcome::Crash { kind, detail } => self.crashed(kind, &detail, attempt, now),
        }
    }

    /// A crash with several deliveries in the call proves nothing about this one: retry it soon, alone. Alone, it
    /// counts.
    fn crashed(&self, kind: CrashKind, detail: &str, attempt: AttemptFacts, now: Timestamp) -> Settlement {
        let reason = format!("the plugin crashed ({}): {detail}", kind.as_str());
        if !attempt.alone {
            return Settlement::Again { not_before: now, reason, counts: false };
        }
        if attempt.crashes + 1 >= self.max_crashes {
            return Settlement::Dead { reason };
        }
        self.again(attempt, None, reason, true, now)
    }

    /// The channel rests, so the delivery does not wait by itself: it keeps its position before later ones. It is dead
    /// if it is too old after the rest.
    fn held(&self, attempt: AttemptFacts, rest: Option<Duration>, reason: String, now: Timestamp) -> Settlement {
        let rest = rest.unwrap_or_default().min(self.backoff_max);
        if now.since(attempt.accepted_at) + rest > self.max_age {
            return Settlement::Dead { reason: format!("expired: {reason}") };
        }
        Settlement::Held { reason }
    }

    fn again(
        &self,
        attempt: AttemptFacts,
        requested: Option<Duration>,
        reason: String,
        counts: bool,
        now: Timestamp,
    ) -> Settlement {
        let age = now.since(attempt.accepted_at);
        let wait = self.wait(age, requested);
        if age + wait > self.max_age {
            return Settlement::Dead { reason: format!("expired: {reason}") };
        }
        Settlement::Again { not_before: now.after(wait), reason, counts }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLICY: RetryPolicy = RetryPolicy {
        backoff_min: Duration::from_secs(60),
        backoff_max: Duration::from_secs(4000),
        max_age: Duration::from_secs(86_400),
        max_crashes: 3,
    };
    const ACCEPTED: Timestamp = Timestamp::from_millis(1_000_000);

    fn retry(after: Option<u64>) -> Outcome {
        Outcome::Retry { after: after.map(Duration::from_secs), reason: "busy".into() }
    }

    #[test]
    fn the_wait_is_the_age_or_the_requested_time_within_bounds() {
        for (age, requested, wait) in [
            (0, None, 60),
            (100, None, 100),
            (9_999, None, 4000),
            (100, Some(600), 600),
            (100, Some(1), 60),
            (100, Some(315_360_000), 4000),
        ] {
            let now = ACCEPTED.after(Duration::from_secs(age));
            let attempt = AttemptFacts { accepted_at: ACCEPTED, alone: true, crashes: 0, overtaken: false };
            let expected = Settlement::Again {
                not_before: now.after(Duration::from_secs(wait)),
                reason: "busy".into(),
                counts: true,
            };
            assert_eq!(POLICY.decide(retry(requested), attempt, now), expected, "age {age}, requested {requested:?}");
        }
    }

    #[test]
    fn each_outcome_has_its_settlement() {
        let now = ACCEPTED.after(Duration::from_secs(61));
        let alone = AttemptFacts { accepted_at: ACCEPTED, alone: true, crashes: 0, overtaken: false };
        let trouble = |after| Outcome::ChannelTrouble { after, reason: "auth".into() };
        let crash = || Outcome::Crash { kind: CrashKind::Trap, detail: "unreachable".into() };
        let again = |wait, reason: &str, counts| Settlement::Again {
            not_before: now.after(Duration::from_secs(wait)),
            reason: reason.into(),
            counts,
        };
        let crashed = "the plugin crashed (trap): unreachable";
        let cases = [
            (Outcome::Delivered { receipt: None }, alone, Settlement::Delivered { receipt: None }),
            (Outcome::Rejected { reason: "no".into() }, alone, Settlement::Dead { reason: "rejected: no".into() }),
            (
                Outcome::AddressGone { replacement: None, reason: "left".into() },
                alone,
                Settlement::AddressGone { replacement: None, reason: "left".into() },
            ),
            (trouble(None), alone, Settlement::Held { reason: "auth".into() }),
            (trouble(None), AttemptFacts { overtaken: true, ..alone }, again(61, "auth", false)),
            (crash(), alone, again(61, crashed, true)),
            (crash(), AttemptFacts { alone: false, ..alone }, again(0, crashed, false)),
            (crash(), AttemptFacts { crashes: 2, ..alone }, Settlement::Dead { reason: crashed.into() }),
        ];
        for (outcome, attempt, expected) in cases {
            assert_eq!(POLICY.decide(outcome.clone(), attempt, now), expected, "{outcome:?} {attempt:?}");
        }
    }

    #[test]
    fn a_delivery_is_dead_if_the_wait_would_exceed_its_maximum_age() {
        let now = ACCEPTED.after(Duration::from_secs(86_000));
        let attempt = AttemptFacts { accepted_at: ACCEPTED, alone: true, crashes: 0, overtaken: false };
        assert_eq!(POLICY.decide(retry(None), attempt, now), Settlement::Dead { reason: "expired: busy".into() });
        assert_eq!(POLICY.expired(ACCEPTED, now), None);
        assert!(POLICY.expired(ACCEPTED, now.after(Duration::from_secs(401))).is_some());
    }

    #[test]
    fn a_held_delivery_is_dead_if_the_pause_of_the_channel_exceeds_its_maximum_age() {
        let now = ACCEPTED.after(Duration::from_secs(86_000));
        let attempt = AttemptFacts { accepted_at: ACCEPTED, alone: true, crashes: 0, overtaken: false };
        for (after, dead) in [(None, false), (Some(400), false), (Some(401), true), (Some(315_360_000), true)] {
            let trouble = Outcome::ChannelTrouble { after: after.map(Duration::from_secs), reason: "down".into() };
            let expected = if dead {
                Settlement::Dead { reason: "expired: down".into() }
            } else {
                Settlement::Held { reason: "down".into() }
            };
            assert_eq!(POLICY.decide(trouble, attempt, now), expected, "{after:?}");
        }
    }

    #[test]
    fn a_clock_that_jumped_back_gives_age_zero_and_no_panic() {
        let now = Timestamp::from_millis(5);
        let attempt = AttemptFacts { accepted_at: ACCEPTED, alone: true, crashes: 0, overtaken: false };
        let Settlement::Again { not_before, .. } = POLICY.decide(retry(None), attempt, now) else {
            panic!("a retry is tried again");
        };
        assert_eq!(not_before, now.after(Duration::from_secs(60)));
    }
}
