//! What waits to be written, and whose turn it is. Answers to people have a queue of their own with a bound, and take turns
//! with deliveries: anyone who asks much waits directly, and holds up nobody.

use std::collections::VecDeque;

use crate::pace::Bucket;

/// Answers that wait; what is more is not said.
const REPLIES: usize = 60;

/// The lines of one connection that are not written yet.
pub struct Outbox {
    bucket: Bucket,
    /// To be written at once.
    urgent: VecDeque<String>,
    /// To be written as the bucket allows: deliveries' lines, and what the connection needs for itself.
    queue: VecDeque<String>,
    replies: VecDeque<String>,
    /// How many replies may go before the next line of a delivery; none: all, nothing is being delivered.
    turns: Option<usize>,
}

impl Outbox {
    pub fn new(bucket: Bucket) -> Self {
        let (urgent, queue, replies) = (VecDeque::new(), VecDeque::new(), VecDeque::new());
        Outbox { bucket, urgent, queue, replies, turns: None }
    }

    pub fn bucket(&self) -> &Bucket {
        &self.bucket
    }

    /// Before everything else, whatever the bucket says.
    pub fn at_once(&mut self, line: String) {
        self.urgent.push_back(line);
    }

    pub fn say(&mut self, line: String) {
        self.queue.push_back(line);
    }

    /// To somebody who asked, unless too much waits already.
    pub fn reply(&mut self, line: String) {
        if self.replies.len() < REPLIES {
            self.replies.push_back(line);
        }
    }

    /// How many replies may go before the next line that is said; none: all.
    pub fn set_turns(&mut self, turns: Option<usize>) {
        self.turns = turns;
    }

    /// Drops what waits.
    pub fn clear(&mut self) {
        self.queue.clear();
        self.replies.clear();
    }

    /// The next line to write, if one may be written now.
    pub fn next(&mut self, now_ms: u64) -> Option<String> {
        if let Some(line) = self.urgent.pop_front() {
            return Some(line);
        }
        if self.bucket.wait_ms(now_ms) > 0 {
            return None;
        }
        let line = self.queue.pop_front().or_else(|| self.next_reply())?;
        self.bucket.take(now_ms);
        Some(line)
    }

    fn next_reply(&mut self) -> Option<String> {
        if self.due_replies() == 0 {
            return None;
        }
        self.turns = self.turns.map(|turns| turns.saturating_sub(1));
        self.replies.pop_front()
    }

    /// Replies whose turn comes before a delivery's.
    fn due_replies(&self) -> usize {
        self.turns.map_or(self.replies.len(), |turns| turns.min(self.replies.len()))
    }

    /// Whether a line that is said now goes at once.
    pub fn is_free(&self, now_ms: u64) -> bool {
        self.waiting() == 0 && self.bucket.wait_ms(now_ms) == 0
    }

    /// Lines that wait for the bucket and for nothing else.
    fn waiting(&self) -> usize {
        self.queue.len() + self.due_replies()
    }

    /// How long until so many lines more have gone after those that wait: milliseconds.
    pub fn time_for(&self, lines: usize, now_ms: u64) -> u64 {
        self.bucket.time_for(self.waiting() + lines, now_ms)
    }

    /// When the next line that waits may go.
    pub fn due_ms(&self, now_ms: u64) -> Option<u64> {
        (self.waiting() > 0).then(|| now_ms + self.bucket.wait_ms(now_ms))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drain(outbox: &mut Outbox) -> String {
        std::iter::from_fn(|| outbox.next(1000)).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn replies_are_bounded_and_take_turns_with_what_is_delivered() {
        let mut outbox = Outbox::new(Bucket::new(1000, 1));
        (0..500).for_each(|number| outbox.reply(number.to_string()));
        outbox.set_turns(Some(0));
        assert!(outbox.is_free(1000), "none of them is before the first delivery");
        outbox.say("a".into());
        assert_eq!(drain(&mut outbox), "a");
        outbox.set_turns(Some(2));
        assert!(!outbox.is_free(1000));
        assert_eq!(outbox.due_ms(1000), Some(1000));
        assert_eq!(drain(&mut outbox), "0 1");
        assert_eq!((outbox.is_free(1000), outbox.due_ms(1000)), (true, None));
        outbox.set_turns(None);
        assert_eq!(drain(&mut outbox).split(' ').count(), REPLIES - 2);
    }

    #[test]
    fn what_is_urgent_goes_first_and_needs_no_space() {
        let mut outbox = Outbox::new(Bucket::new(1, 500));
        for line in ["a", "b"] {
            outbox.say(line.into());
        }
        outbox.at_once("PONG".into());
        assert_eq!(drain(&mut outbox), "PONG a");
        outbox.at_once("PONG".into());
        assert_eq!(drain(&mut outbox), "PONG");
        assert_eq!((outbox.due_ms(1000), outbox.time_for(1, 1000)), (Some(1500), 1000));
        assert_eq!(outbox.next(1500).as_deref(), Some("b"));
    }
}
