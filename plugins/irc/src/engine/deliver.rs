//! Delivers a batch within the rate limit. A server does not acknowledge a line, but it reads lines in order. So a PING
//! follows up to [`WINDOW`] deliveries: when its PONG arrives, all errors about them have arrived, and the others are
//! delivered.
//!
//! What a call leaves unfinished is trouble of the channel, not of a delivery, so the daemon keeps the order.

mod identity_check;
mod progress;

use tidings_plugin::stream::StreamHost;
use tidings_plugin::{Content, Delivery, Outcome};

use super::{Engine, RETURN_MS};
use crate::{address, compose, line};
use identity_check::IdentityCheck;
use progress::BatchProgress;

/// The most deliveries before a PING.
const WINDOW: usize = 16;
/// The time that is kept for the answer to the last PING, in milliseconds; less in a short call.
const CONFIRM_MS: u64 = 5000;
/// When deliveries are tried again that did not fit into the call, in milliseconds.
const NEXT_CALL_MS: u64 = 1000;

impl<H: StreamHost> Engine<H> {
    /// Returns one outcome for each delivery. Calls `settled` with each outcome and its index as soon as it is known.
    pub fn deliver(&mut self, batch: &[Delivery], settled: impl FnMut(usize, &Outcome)) -> Vec<Outcome> {
        let (now_ms, call_ms) = (self.host.now_ms(), self.host.remaining_ms());
        let mut progress = BatchProgress::new(batch, settled, now_ms, call_ms, self.settings.perishable_ms);
        if self.ensure_online(confirm_ms(call_ms)) {
            progress.set_casing(self.casing());
            for (index, delivery) in batch.iter().enumerate() {
                if self.connection.is_none() || !self.write_delivery(&mut progress, index, delivery) {
                    break;
                }
                if progress.unconfirmed() >= WINDOW {
                    self.confirm(&mut progress);
                }
            }
            self.confirm(&mut progress);
        } else if self.connection.is_some() {
            self.offline_reason = "not registered yet".to_owned();
        }
        if let Some(connection) = &mut self.connection {
            connection.session.set_reply_quota(None);
        }
        self.finish(progress)
    }

    /// Waits until the registration is complete. Returns false when less than `reserve_ms` is left, or without
    /// connection.
    fn ensure_online(&mut self, reserve_ms: u64) -> bool {
        if self.connection.is_none() && self.backoff.wait_ms(self.host.monotonic_ms()) == 0 {
            self.connect();
        }
        while self.connection.is_some() && self.nick().is_none() {
            let Some(wait_ms) = self.host.remaining_ms().checked_sub(reserve_ms).filter(|ms| *ms > 0) else {
                return false;
            };
            self.poll(wait_ms);
        }
        self.connection.is_some()
    }

    /// Writes the lines of one delivery, or settles it without. Returns false when the call has no time for it, nor for
    /// later ones.
    fn write_delivery<F>(&mut self, progress: &mut BatchProgress<'_, F>, index: usize, delivery: &Delivery) -> bool
    where
        F: FnMut(usize, &Outcome),
    {
        let target = &delivery.recipient.address;
        let invalid = address::parse(target).err().map(|error| Outcome::Rejected(error.to_string()));
        if let Some(outcome) = invalid.or_else(|| progress.outcome_without_attempt(index)) {
            progress.settle(index, outcome);
            return true;
        }
        if matches!(delivery.content, Content::Confirmation(_)) && !address::is_channel(target) {
            match self.check_identity(progress, delivery) {
                IdentityCheck::Passed => {}
                IdentityCheck::NoTime => return false,
                IdentityCheck::Failed(outcome) => {
                    progress.settle(index, outcome);
                    return true;
                }
            }
        }
        let Some(connection) = &mut self.connection else { return false };
        let capacity = line::text_capacity(connection.session.source_octets(), "PRIVMSG", target);
        let most = most_lines(connection.session.bucket().lines_within(writing_ms(progress.call_ms)));
        let lines = compose::compose(&self.settings, delivery, progress.now_ms, capacity, most);
        if address::is_channel(target) && self.settings.join {
            connection.session.join(target);
        }
        connection.session.set_reply_quota(Some(progress.reply_quota));
        for (written, text) in lines.iter().enumerate() {
            if !self.wait_to_send(progress, written, lines.len()) {
                if written > 0 {
                    progress.record_written(index, written);
                }
                return false;
            }
            let Some(connection) = &mut self.connection else { return false };
            connection.session.send(format!("PRIVMSG {target} :{text}"));
            connection.session.set_reply_quota(Some(0));
        }
        progress.record_written(index, lines.len());
        progress.reply_quota = lines.len();
        if let Some(connection) = &mut self.connection
            && let Err(error) = connection.flush(&self.host)
        {
            self.host.warn(&error.reason);
        }
        true
    }

    /// Waits until the next line of a delivery of `lines` lines is sent at once; `written` lines have been sent.
    /// Returns false when that is not within the call, or the connection is lost. A delivery that was started may use
    /// all the time.
    fn wait_to_send<F>(&mut self, progress: &mut BatchProgress<'_, F>, written: usize, lines: usize) -> bool
    where
        F: FnMut(usize, &Outcome),
    {
        loop {
            let Some(connection) = &self.connection else { return false };
            let now_ms = self.host.monotonic_ms();
            let can_send = connection.session.can_send(now_ms);
            let wait_ms = connection.session.bucket().wait_ms(now_ms);
            let left_ms = self.host.remaining_ms().saturating_sub(RETURN_MS);
            if left_ms == 0 || (written == 0 && !self.has_time_for(progress, lines, 0)) {
                return false;
            }
            if can_send {
                return true;
            }
            let (events, _) = self.poll(left_ms.min(wait_ms));
            progress.on_events(&events);
        }
    }

    /// Whether the call has time for so many lines, for the PING after them and its answer, and for `more_ms`. A call
    /// that has just started always has: no later call has more time.
    fn has_time_for<F>(&self, progress: &BatchProgress<'_, F>, lines: usize, more_ms: u64) -> bool
    where
        F: FnMut(usize, &Outcome),
    {
        let Some(connection) = &self.connection else { return false };
        let lines_ms = connection.session.time_for(lines + 1, self.host.monotonic_ms());
        let need_ms = (lines_ms + more_ms).min(writing_ms(progress.call_ms)) + confirm_ms(progress.call_ms);
        self.host.remaining_ms() >= need_ms
    }

    /// Sends a PING after the unconfirmed deliveries, and waits for its answer.
    fn confirm<F: FnMut(usize, &Outcome)>(&mut self, progress: &mut BatchProgress<'_, F>) {
        let Some(connection) = self.connection.as_mut().filter(|_| progress.unconfirmed() > 0) else { return };
        progress.token = Some(connection.session.ping());
        while self.connection.is_some() && progress.token.is_some() {
            let left_ms = self.host.remaining_ms().saturating_sub(RETURN_MS);
            if left_ms == 0 {
                return;
            }
            let (events, _) = self.poll(left_ms);
            progress.on_events(&events);
        }
    }

    /// Settles the deliveries that have no outcome yet.
    fn finish<F: FnMut(usize, &Outcome)>(&self, mut progress: BatchProgress<'_, F>) -> Vec<Outcome> {
        let trouble = self.trouble();
        let later = |reason| Outcome::trouble(Some(NEXT_CALL_MS), reason);
        for index in 0..progress.batch.len() {
            if progress.outcomes[index].is_some() {
                continue;
            }
            let outcome = match (self.nick().is_some(), progress.is_unconfirmed(index)) {
                (true, true) => later("the server did not confirm it in time"),
                (true, false) => later("the rate limit left no time for it in this call"),
                (false, true) => Outcome::trouble(trouble.after_ms, format!("not confirmed: {}", trouble.reason)),
                (false, false) => Outcome::ChannelTrouble(trouble.clone()),
            };
            progress.settle(index, outcome);
        }
        progress.outcomes.into_iter().flatten().collect()
    }
}

/// The time that is kept of a call for the answer to the last PING and for the return, in milliseconds.
fn confirm_ms(call_ms: u64) -> u64 {
    RETURN_MS + CONFIRM_MS.min(call_ms / 4)
}

/// The time for writing of a call that has just started, in milliseconds.
fn writing_ms(call_ms: u64) -> u64 {
    (call_ms - call_ms / 8).saturating_sub(confirm_ms(call_ms))
}

/// The most lines of a delivery, if a call can send `lines`: the rest is for a JOIN, a PING and a reply.
fn most_lines(lines: usize) -> usize {
    lines.saturating_sub(3).max(1)
}
