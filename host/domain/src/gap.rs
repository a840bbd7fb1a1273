//! Detects missing messages of a publisher. A fedmsg publisher counts its messages in the field `i`, from 1 in each of
//! its runs; ZeroMQ drops messages silently. Pure: it sees only numbers and ids.

use std::collections::{HashMap, VecDeque};
use std::hash::{DefaultHasher, Hash, Hasher};

use crate::limits::{BUS_GAP_MAX, BUS_PUBLISHERS, BUS_RECENT};
use crate::message::MessageId;

/// What a message's number means for the messages before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sequence {
    /// The publisher's first message that was seen. Earlier messages are unknown, not missing.
    First,
    /// The expected number.
    Next,
    /// `missing` numbers after `after` did not arrive.
    Gap { after: u64, missing: u64 },
    /// A message that was counted as missing arrived late.
    Late,
    /// The publisher counts from 1 again; it sent its first `missing` messages before this subscription.
    Restart { missing: u64 },
    /// The same message again.
    Repeat,
    /// Several publishers count under one name (a relay, a gateway): gaps cannot be detected until the connection is
    /// replaced, and the `retracted` numbers that were reported missing were not missing.
    Mixed { retracted: u64 },
    /// The limit of followed publishers is reached: this one is not followed.
    Untracked,
}

/// The counters of one bus endpoint, one for each publisher name.
#[derive(Debug, Default)]
pub struct GapWatch {
    publishers: HashMap<String, Track>,
}

#[derive(Debug)]
struct Track {
    /// The connection of the latest message. A restarted publisher needs a new connection, so a counter that falls back
    /// within one connection is a second counter.
    connection: u64,
    last: u64,
    /// Numbers and hashed ids of the latest messages, in order of arrival.
    recent: VecDeque<(u64, u64)>,
    /// Numbers that were reported missing and have not arrived since, on this connection.
    missing: u64,
    mixed: bool,
}

impl GapWatch {
    /// Records message `id` with the number `i` from `publisher`. `connection` is a number that differs for each
    /// connection to the endpoint.
    pub fn observe(&mut self, connection: u64, publisher: &str, i: u64, id: &MessageId) -> Sequence {
        let id = hash(id);
        if let Some(track) = self.publishers.get_mut(publisher) {
            return track.observe(connection, i, id);
        }
        if self.publishers.len() >= BUS_PUBLISHERS {
            return Sequence::Untracked;
        }
        self.publishers.insert(publisher.to_owned(), Track::start(connection, i, id));
        Sequence::First
    }
}

impl Track {
    fn start(connection: u64, i: u64, id: u64) -> Track {
        Track { connection, last: i, recent: VecDeque::from([(i, id)]), missing: 0, mixed: false }
    }

    fn observe(&mut self, connection: u64, i: u64, id: u64) -> Sequence {
        let seen = self.recent.iter().find(|(number, _)| *number == i).map(|(_, id)| *id);
        if seen == Some(id) {
            return Sequence::Repeat;
        }
        let same_connection = connection == self.connection;
        if self.mixed {
            if same_connection {
                return Sequence::Mixed { retracted: 0 };
            }
            *self = Track::start(connection, i, id);
            return Sequence::First;
        }
        if i > self.last {
            return self.forward(connection, i, id);
        }
        if !same_connection {
            *self = Track::start(connection, i, id);
            self.missing = i.saturating_sub(1);
            return Sequence::Restart { missing: self.missing };
        }
        if seen.is_none() && self.missing > 0 && self.recent.iter().any(|(number, _)| *number < i) {
            self.missing -= 1;
            self.record(i, id);
            return Sequence::Late;
        }
        self.mark_mixed()
    }

    fn forward(&mut self, connection: u64, i: u64, id: u64) -> Sequence {
        let (after, missing) = (self.last, i - self.last - 1);
        if missing > BUS_GAP_MAX {
            self.connection = connection;
            return self.mark_mixed();
        }
        if connection != self.connection {
            (self.connection, self.missing) = (connection, 0);
        }
        self.last = i;
        self.missing += missing;
        self.record(i, id);
        if missing == 0 { Sequence::Next } else { Sequence::Gap { after, missing } }
    }

    fn mark_mixed(&mut self) -> Sequence {
        self.mixed = true;
        Sequence::Mixed { retracted: std::mem::take(&mut self.missing) }
    }

    fn record(&mut self, i: u64, id: u64) {
        if self.recent.len() == BUS_RECENT {
            self.recent.pop_front();
        }
        self.recent.push_back((i, id));
    }
}

fn hash(id: &MessageId) -> u64 {
    let mut hasher = DefaultHasher::new();
    id.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::Sequence::*;
    use super::*;
    use crate::message::{Envelope, Frame};

    fn id(text: &str) -> MessageId {
        let body = format!(r#"{{"topic":"t","msg_id":"{text}"}}"#).into_bytes();
        Envelope::read(&Frame { topic: None, body }).unwrap().id().clone()
    }

    /// Feeds (connection, number, id) and returns the result of each.
    fn watch(observations: &[(u64, u64, &str)]) -> Vec<Sequence> {
        let mut watch = GapWatch::default();
        observations.iter().map(|(connection, i, name)| watch.observe(*connection, "apache", *i, &id(name))).collect()
    }

    #[test]
    fn row_1_a_jump_of_the_counter_is_a_gap_of_the_numbers_between() {
        assert_eq!(
            watch(&[(1, 7, "a"), (1, 8, "b"), (1, 12, "c"), (1, 13, "d")]),
            [First, Next, Gap { after: 8, missing: 3 }, Next]
        );
    }

    #[test]
    fn a_gap_across_a_reconnection_is_detected() {
        assert_eq!(watch(&[(1, 7, "a"), (2, 10, "b")]), [First, Gap { after: 7, missing: 2 }]);
    }

    #[test]
    fn row_2_a_restart_is_not_a_gap() {
        assert_eq!(
            watch(&[(1, 7, "a"), (1, 8, "b"), (2, 1, "c"), (2, 2, "d")]),
            [First, Next, Restart { missing: 0 }, Next]
        );
    }

    #[test]
    fn messages_of_a_restarted_publisher_before_the_new_subscription_are_missing() {
        assert_eq!(watch(&[(1, 900, "a"), (2, 4, "b"), (2, 5, "c")]), [First, Restart { missing: 3 }, Next]);
    }

    #[test]
    fn a_restart_whose_numbers_were_all_seen_before_is_still_a_restart() {
        assert_eq!(
            watch(&[(1, 1, "a"), (1, 2, "b"), (1, 3, "c"), (2, 2, "d"), (2, 3, "e")]),
            [First, Next, Next, Restart { missing: 1 }, Next]
        );
    }

    #[test]
    fn the_same_message_over_two_connections_is_a_repeat() {
        assert_eq!(
            watch(&[(1, 7, "a"), (1, 8, "b"), (2, 7, "a"), (2, 8, "b"), (2, 9, "c")]),
            [First, Next, Repeat, Repeat, Next]
        );
    }

    #[test]
    fn two_messages_out_of_order_are_not_missing() {
        assert_eq!(
            watch(&[(1, 7, "a"), (1, 9, "b"), (1, 8, "c"), (1, 10, "d")]),
            [First, Gap { after: 7, missing: 1 }, Late, Next]
        );
    }

    #[test]
    fn two_counters_under_one_name_are_recognised_and_their_gaps_retracted() {
        let found = watch(&[(1, 102, "a"), (1, 5, "b"), (1, 103, "c"), (2, 6, "d"), (2, 7, "e")]);
        assert_eq!(found, [First, Mixed { retracted: 0 }, Mixed { retracted: 0 }, First, Next]);

        let mut watch = GapWatch::default();
        let (mut missing, mut mixed) = (0i64, false);
        for step in 0..300 {
            let (i, name) = if step % 2 == 0 { (5 + step / 2, "x") } else { (20 + step / 2, "y") };
            match watch.observe(1, "apache", i, &id(&format!("{name}{step}"))) {
                Gap { missing: more, .. } => missing += more as i64,
                Late => missing -= 1,
                Mixed { retracted } => (missing, mixed) = (missing - retracted as i64, true),
                _ => {}
            }
        }
        assert!(mixed, "fifteen numbers apart, the second counter reaches what the first has used");
        assert_eq!(missing, 0);
    }

    #[test]
    fn a_jump_above_the_largest_gap_is_another_counter() {
        assert_eq!(watch(&[(1, 7, "a"), (1, u64::MAX, "b"), (2, 8, "c")]), [First, Mixed { retracted: 0 }, First]);
    }

    #[test]
    fn each_publisher_is_tracked_separately_up_to_the_limit() {
        let mut watch = GapWatch::default();
        for n in 0..BUS_PUBLISHERS {
            assert_eq!(watch.observe(1, &format!("p{n}"), 1, &id("a")), First);
        }
        assert_eq!(watch.observe(1, "one more", 1, &id("a")), Untracked);
        assert_eq!(watch.observe(1, "p0", 2, &id("b")), Next);
    }
}
