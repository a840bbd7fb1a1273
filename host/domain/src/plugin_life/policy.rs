//! What happens to deliveries that an enabled channel delays. A disabled channel holds them under any policy, since an
//! administrator asked for it. A delivery that waits for its digest is not delayed: it is late when the digest is due,
//! and a digest is as old as its latest member.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::limits;
use crate::time::Timestamp;

/// A channel's failure policy.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(tag = "policy", rename_all = "snake_case", deny_unknown_fields)]
pub enum FailurePolicy {
    /// They wait, up to `dispatch.max_age`.
    #[default]
    Hold,
    /// Older deliveries are dead.
    DropAfter { after_seconds: u64 },
    /// Older deliveries, or all while the channel is quarantined, go to the user's first address on `channel` instead.
    /// Without such an address, or if the message was given up there, they are held here.
    FallBack { channel: String, after_seconds: u64 },
}

/// What to do now with deliveries that were accepted before a moment and are due.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sweep {
    Nothing,
    Drop { accepted_before: Timestamp, reason: String },
    Move { to: String, accepted_before: Timestamp, reason: String },
}

impl FailurePolicy {
    /// Invalid fields for the channel `name`, with the reason.
    pub fn errors(&self, name: &str) -> Vec<(&'static str, &'static str)> {
        let (other, seconds) = match self {
            FailurePolicy::Hold => return Vec::new(),
            FailurePolicy::DropAfter { after_seconds } => (None, *after_seconds),
            FailurePolicy::FallBack { channel, after_seconds } => (Some(channel), *after_seconds),
        };
        let mut errors = Vec::new();
        if !(1..=limits::POLICY_AGE_MAX.as_secs()).contains(&seconds) {
            errors.push(("after_seconds", "must be 1 to 2592000"));
        }
        if other.is_some_and(|other| other == name) {
            errors.push(("channel", "must be another channel"));
        }
        errors
    }

    /// What to do at `now` for a channel that is enabled.
    pub fn sweep(&self, quarantined: bool, now: Timestamp) -> Sweep {
        match self {
            FailurePolicy::Hold => Sweep::Nothing,
            FailurePolicy::DropAfter { after_seconds } => Sweep::Drop {
                accepted_before: now.before(Duration::from_secs(*after_seconds)),
                reason: format!("dropped by the failure policy of the channel: not delivered within {after_seconds} s"),
            },
            FailurePolicy::FallBack { channel, after_seconds } => {
                let (accepted_before, why) = if quarantined {
                    (now, "the channel is quarantined".to_owned())
                } else {
                    let cutoff = now.before(Duration::from_secs(*after_seconds));
                    (cutoff, format!("not delivered within {after_seconds} s"))
                };
                Sweep::Move {
                    to: channel.clone(),
                    accepted_before,
                    reason: format!("moved to the channel {channel}: {why}"),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_policy_selects_the_late_deliveries_with_a_reason() {
        let now = Timestamp::from_millis(10_000_000);
        let hour_ago = now.before(Duration::from_secs(3600));
        let drop = FailurePolicy::DropAfter { after_seconds: 3600 };
        let fall_back = FailurePolicy::FallBack { channel: "email".into(), after_seconds: 3600 };
        for (policy, quarantined, late_before, word) in [
            (&drop, false, hour_ago, "3600 s"),
            (&drop, true, hour_ago, "3600 s"),
            (&fall_back, false, hour_ago, "3600 s"),
            (&fall_back, true, now, "quarantined"),
        ] {
            match (policy, policy.sweep(quarantined, now)) {
                (FailurePolicy::DropAfter { .. }, Sweep::Drop { accepted_before, reason }) => {
                    assert_eq!((accepted_before, reason.contains(word)), (late_before, true), "{policy:?}");
                }
                (FailurePolicy::FallBack { .. }, Sweep::Move { to, accepted_before, reason }) => {
                    assert_eq!((to.as_str(), accepted_before), ("email", late_before), "{policy:?} {quarantined}");
                    assert!(reason.contains(word), "{reason}");
                }
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(FailurePolicy::Hold.sweep(true, now), Sweep::Nothing);
    }

    #[test]
    fn a_policy_with_invalid_fields_is_refused() {
        for (policy, fields) in [
            (FailurePolicy::Hold, vec![]),
            (FailurePolicy::DropAfter { after_seconds: 0 }, vec!["after_seconds"]),
            (FailurePolicy::FallBack { channel: "irc".into(), after_seconds: 60 }, vec!["channel"]),
            (FailurePolicy::FallBack { channel: "email".into(), after_seconds: 60 }, vec![]),
        ] {
            let found: Vec<&str> = policy.errors("irc").into_iter().map(|(field, _)| field).collect();
            assert_eq!(found, fields, "{policy:?}");
        }
    }
}
