//! The lines that wait to be sent. Replies to commands have a bounded queue of their own and alternate with deliveries,
//! so many commands delay no delivery.

use std::collections::VecDeque;

use crate::rate_limit::TokenBucket;

/// The most replies that wait. Further ones are dropped.
const REPLIES: usize = 60;

/// The lines of one connection that were not sent yet.
pub struct SendQueue {
    bucket: TokenBucket,
    /// Lines without rate limit.
    urgent: VecDeque<String>,
    /// Lines with rate limit: deliveries, and commands of the session.
    lines: VecDeque<String>,
    replies: VecDeque<String>,
    /// The number of replies that may be sent before the next line; none: all, since nothing is being delivered.
    reply_quota: Option<usize>,
}

impl SendQueue {
    pub fn new(bucket: TokenBucket) -> Self {
        let (urgent, lines, replies) = (VecDeque::new(), VecDeque::new(), VecDeque::new());
        SendQueue { bucket, urgent, lines, replies, reply_quota: None }
    }

    pub fn bucket(&self) -> &TokenBucket {
        &self.bucket
    }

    /// Adds a line that is sent before all others, without rate limit.
    pub fn push_urgent(&mut self, line: String) {
        self.urgent.push_back(line);
    }

    pub fn push(&mut self, line: String) {
        self.lines.push_back(line);
    }

    /// Adds a reply to a command, unless too many wait.
    pub fn push_reply(&mut self, line: String) {
        if self.replies.len() < REPLIES {
            self.replies.push_back(line);
        }
    }

    /// Sets how many replies are sent before the next line; none: all.
    pub fn set_reply_quota(&mut self, quota: Option<usize>) {
        self.reply_quota = quota;
    }

    /// Drops all lines with rate limit.
    pub fn clear(&mut self) {
        self.lines.clear();
        self.replies.clear();
    }

    /// Removes the next line to send, if one may be sent now.
    pub fn pop(&mut self, now_ms: u64) -> Option<String> {
        if let Some(line) = self.urgent.pop_front() {
            return Some(line);
        }
        if self.bucket.wait_ms(now_ms) > 0 {
            return None;
        }
        let line = self.lines.pop_front().or_else(|| self.pop_reply())?;
        self.bucket.take(now_ms);
        Some(line)
    }

    fn pop_reply(&mut self) -> Option<String> {
        if self.due_replies() == 0 {
            return None;
        }
        self.reply_quota = self.reply_quota.map(|quota| quota.saturating_sub(1));
        self.replies.pop_front()
    }

    /// The number of replies that may be sent before the next line.
    fn due_replies(&self) -> usize {
        self.reply_quota.map_or(self.replies.len(), |quota| quota.min(self.replies.len()))
    }

    /// Whether a line that is added now is sent at once.
    pub fn can_send(&self, now_ms: u64) -> bool {
        self.waiting() == 0 && self.bucket.wait_ms(now_ms) == 0
    }

    /// The number of lines that wait for the rate limit only.
    fn waiting(&self) -> usize {
        self.lines.len() + self.due_replies()
    }

    /// The time until so many lines have been sent after those that wait, in milliseconds.
    pub fn time_for(&self, lines: usize, now_ms: u64) -> u64 {
        self.bucket.time_for(self.waiting() + lines, now_ms)
    }

    /// When the next waiting line may be sent.
    pub fn next_ms(&self, now_ms: u64) -> Option<u64> {
        (self.waiting() > 0).then(|| now_ms + self.bucket.wait_ms(now_ms))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drain(queue: &mut SendQueue) -> String {
        std::iter::from_fn(|| queue.pop(1000)).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn replies_are_bounded_and_alternate_with_deliveries() {
        let mut queue = SendQueue::new(TokenBucket::new(1000, 1));
        (0..500).for_each(|number| queue.push_reply(number.to_string()));
        queue.set_reply_quota(Some(0));
        assert!(queue.can_send(1000), "no reply is sent before the first delivery");
        queue.push("a".into());
        assert_eq!(drain(&mut queue), "a");
        queue.set_reply_quota(Some(2));
        assert!(!queue.can_send(1000));
        assert_eq!(queue.next_ms(1000), Some(1000));
        assert_eq!(drain(&mut queue), "0 1");
        assert_eq!((queue.can_send(1000), queue.next_ms(1000)), (true, None));
        queue.set_reply_quota(None);
        assert_eq!(drain(&mut queue).split(' ').count(), REPLIES - 2);
    }

    #[test]
    fn an_urgent_line_is_sent_first_and_without_rate_limit() {
        let mut queue = SendQueue::new(TokenBucket::new(1, 500));
        for line in ["a", "b"] {
            queue.push(line.into());
        }
        queue.push_urgent("PONG".into());
        assert_eq!(drain(&mut queue), "PONG a");
        queue.push_urgent("PONG".into());
        assert_eq!(drain(&mut queue), "PONG");
        assert_eq!((queue.next_ms(1000), queue.time_for(1, 1000)), (Some(1500), 1000));
        assert_eq!(queue.pop(1500).as_deref(), Some("b"));
    }
}
