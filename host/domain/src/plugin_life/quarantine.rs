//! Whether a plugin is broken, or only met a message that crashes it. A broken plugin crashes on anything: many of its
//! last calls crashed, with more than one delivery.

use std::collections::{BTreeSet, VecDeque};
use std::fmt;

use crate::delivery::DeliveryId;
use crate::limits;

/// When a plugin counts as broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CrashRule {
    /// This many crashes; 0: never.
    pub crashes: usize,
    /// Among this many last calls.
    pub calls: usize,
    /// Caused by this many different deliveries, each alone in its call: fewer are poison messages, which die by
    /// themselves. A crash without a delivery counts as another one.
    pub deliveries: usize,
}

impl CrashRule {
    /// The rule for a version that has proved itself.
    pub const fn settled(crashes: usize, calls: usize) -> CrashRule {
        CrashRule { crashes, calls, deliveries: limits::QUARANTINE_DELIVERIES }
    }

    /// The rule for a version that just became active, if a rollback is possible.
    pub const fn watched() -> CrashRule {
        CrashRule { crashes: limits::WATCH_CRASHES, calls: limits::QUARANTINE_CALLS, deliveries: 1 }
    }
}

/// How a call ended, for the health of its plugin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CallEnd {
    Success,
    /// It crashed with several deliveries: the cause is unknown.
    CrashedTogether,
    /// It crashed with this delivery alone.
    CrashedAlone(DeliveryId),
    /// A resident plugin crashed at its start, or when it was woken.
    CrashedIdle,
}

/// Why a plugin counts as broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CrashLimitReached {
    pub crashes: usize,
    pub calls: usize,
}

impl fmt::Display for CrashLimitReached {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of its last {} calls crashed", self.crashes, self.calls)
    }
}

/// The last calls of one version.
#[derive(Clone, Debug)]
pub struct CrashWatch {
    rule: CrashRule,
    last: VecDeque<CallEnd>,
}

impl CrashWatch {
    pub fn new(rule: CrashRule) -> CrashWatch {
        CrashWatch { rule, last: VecDeque::with_capacity(rule.calls) }
    }

    /// Continues with another rule and the same recorded calls.
    pub fn set_rule(&mut self, rule: CrashRule) {
        self.rule = rule;
        while self.last.len() > rule.calls {
            self.last.pop_front();
        }
    }

    pub fn rule(&self) -> CrashRule {
        self.rule
    }

    /// Clears the recorded calls, after the version ran for long without a crash.
    pub fn clear(&mut self) {
        self.last.clear();
    }

    /// Records a call that ended. Only a crash can return a result.
    pub fn observe(&mut self, end: CallEnd) -> Option<CrashLimitReached> {
        let crashed = end != CallEnd::Success;
        self.last.push_back(end);
        while self.last.len() > self.rule.calls {
            self.last.pop_front();
        }
        if !crashed || self.rule.crashes == 0 {
            return None;
        }
        let crashes = self.last.iter().filter(|end| **end != CallEnd::Success).count();
        let idle = self.last.iter().filter(|end| **end == CallEnd::CrashedIdle).count();
        let alone = self.last.iter().filter_map(|end| match end {
            CallEnd::CrashedAlone(id) => Some(id),
            CallEnd::Success | CallEnd::CrashedTogether | CallEnd::CrashedIdle => None,
        });
        let causes = alone.collect::<BTreeSet<_>>().len() + idle;
        let broken = crashes >= self.rule.crashes && causes >= self.rule.deliveries;
        broken.then_some(CrashLimitReached { crashes, calls: self.last.len() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::MessageId;

    /// `.` success, `*` crashed together, `!` crashed with nothing to deliver, a letter: that delivery crashed alone.
    fn calls(text: &str) -> Vec<CallEnd> {
        let end = |c: char| match c {
            '.' => CallEnd::Success,
            '*' => CallEnd::CrashedTogether,
            '!' => CallEnd::CrashedIdle,
            name => CallEnd::CrashedAlone(DeliveryId::derive(&MessageId::made(&name.to_string()), "c", "a")),
        };
        text.chars().map(end).collect()
    }

    #[test]
    fn crashes_of_several_deliveries_reach_the_limit_and_those_of_one_delivery_do_not() {
        let rule = CrashRule { crashes: 5, calls: 10, deliveries: 2 };
        for (ends, broken) in [
            ("", None),
            ("....", None),
            ("*abcd", Some((5, 5))),
            ("*abab", Some((5, 5))),
            ("*aaaaaaaaaa", None),
            ("****", None),
            ("*****", None),
            ("*****a", None),
            ("*****ab", Some((7, 7))),
            ("*.a.b.c.", None),
            (".*.a.b.c.d", Some((5, 10))),
            ("ab........cde", None),
            ("abcd......", None),
            ("!!!!!", Some((5, 5))),
            ("!!!!", None),
            ("aaa!", None),
            ("aaaa!", Some((5, 5))),
        ] {
            let mut watch = CrashWatch::new(rule);
            let last = calls(ends).into_iter().fold(None, |_, end| watch.observe(end));
            assert_eq!(last.map(|CrashLimitReached { crashes, calls }| (crashes, calls)), broken, "{ends}");
        }
    }

    #[test]
    fn a_rule_of_zero_crashes_never_reaches_the_limit() {
        let mut watch = CrashWatch::new(CrashRule::settled(0, 10));
        assert!(calls("abcdefghij").into_iter().all(|end| watch.observe(end).is_none()));
    }

    #[test]
    fn a_watched_version_reaches_the_limit_earlier_than_a_proven_one() {
        let count = |rule| {
            let mut watch = CrashWatch::new(rule);
            calls("*abcdefgh").into_iter().position(|end| watch.observe(end).is_some())
        };
        let (watched, settled) = (count(CrashRule::watched()), count(CrashRule::settled(5, 10)));
        assert!(watched < settled && watched.is_some(), "{watched:?} {settled:?}");
    }

    #[test]
    fn cleared_calls_do_not_count() {
        let mut watch = CrashWatch::new(CrashRule::watched());
        assert!(calls("!!").into_iter().all(|end| watch.observe(end).is_none()));
        watch.clear();
        assert!(calls("!!").into_iter().all(|end| watch.observe(end).is_none()));
        assert_eq!(watch.observe(CallEnd::CrashedIdle), Some(CrashLimitReached { crashes: 3, calls: 3 }));
    }

    #[test]
    fn another_rule_applies_to_the_recorded_calls() {
        let mut watch = CrashWatch::new(CrashRule { crashes: 5, calls: 10, deliveries: 2 });
        assert!(calls("*ab").into_iter().all(|end| watch.observe(end).is_none()));
        watch.set_rule(CrashRule { crashes: 3, calls: 3, deliveries: 1 });
        assert_eq!(
            calls("c").into_iter().find_map(|end| watch.observe(end)),
            Some(CrashLimitReached { crashes: 3, calls: 3 })
        );
    }
}
