//! A batch: lines at the network's pace, and for each delivery the server's word. A server does not acknowledge a line; but it
//! reads in order, so a PING behind some lines is answered after every complaint about them. Only then are they delivered.
//!
//! What a call ends without is the channel's affair, never a delivery's own: so the host keeps the order.

mod proof;
mod run;

use tidings_plugin::stream::StreamHost;
use tidings_plugin::{Content, Delivery, Outcome};

use super::{ANSWER_MS, Engine};
use crate::{address, compose, line};
use proof::Proof;
use run::Run;

/// Deliveries that wait for one PING's answer.
const WINDOW: usize = 16;
/// What is kept of a call for the last PING's answer: milliseconds; or less where the call is short.
const CONFIRM_MS: u64 = 5000;
/// When what found no time in this call is tried again: milliseconds.
const SOON_MS: u64 = 1000;

impl<H: StreamHost> Engine<H> {
    /// One outcome for each; `settled` hears each as soon as it is known.
    pub fn deliver(&mut self, batch: &[Delivery], settled: impl FnMut(usize, &Outcome)) -> Vec<Outcome> {
        let (now_ms, call_ms) = (self.host.now_ms(), self.host.remaining_ms());
        let mut run = Run::new(batch, settled, now_ms, call_ms, self.settings.perishable_ms);
        if self.ready(confirm_ms(call_ms)) {
            run.compare_by(self.casing());
            for (place, delivery) in batch.iter().enumerate() {
                if self.link.is_none() || !self.one(&mut run, place, delivery) {
                    break;
                }
                if run.under_way() >= WINDOW {
                    self.confirm(&mut run);
                }
            }
            self.confirm(&mut run);
        } else if self.link.is_some() {
            self.down = "not registered yet".to_owned();
        }
        if let Some(link) = &mut self.link {
            link.session.set_turns(None);
        }
        self.finish(run)
    }

    /// There is a connection, and the server takes our lines.
    fn ready(&mut self, reserve_ms: u64) -> bool {
        if self.link.is_none() && self.backoff.wait_ms(self.host.monotonic_ms()) == 0 {
            self.connect();
        }
        while self.link.is_some() && self.nick().is_none() {
            let Some(wait_ms) = self.host.remaining_ms().checked_sub(reserve_ms).filter(|ms| *ms > 0) else {
                return false;
            };
            self.pump(wait_ms);
        }
        self.link.is_some()
    }

    /// Writes one delivery. False: there is no time for it, nor for those behind it.
    fn one<F>(&mut self, run: &mut Run<'_, F>, place: usize, delivery: &Delivery) -> bool
    where
        F: FnMut(usize, &Outcome),
    {
        let target = &delivery.recipient.address;
        let refused = address::parse(target).err().map(|error| Outcome::Rejected(error.to_string()));
        if let Some(outcome) = refused.or_else(|| run.hopeless(place)) {
            run.settle(place, outcome);
            return true;
        }
        if matches!(delivery.content, Content::Confirmation(_)) && !address::is_channel(target) {
            match self.proof(run, delivery) {
                Proof::Given => {}
                Proof::NoTime => return false,
                Proof::Missing(outcome) => {
                    run.settle(place, outcome);
                    return true;
                }
            }
        }
        let Some(link) = &mut self.link else { return false };
        let space = line::room(link.session.source_octets(), "PRIVMSG", target);
        let most = most_lines(link.session.bucket().lines_within(begin_ms(run.call_ms)));
        let lines = compose::compose(&self.settings, delivery, run.now_ms, space, most);
        if address::is_channel(target) && self.settings.join {
            link.session.join(target);
        }
        link.session.set_turns(Some(run.owed));
        for (written, text) in lines.iter().enumerate() {
            if !self.turn_comes(run, written, lines.len()) {
                if written > 0 {
                    run.wrote(place, written);
                }
                return false;
            }
            let Some(link) = &mut self.link else { return false };
            link.session.say(format!("PRIVMSG {target} :{text}"));
            link.session.set_turns(Some(0));
        }
        run.wrote(place, lines.len());
        run.owed = lines.len();
        if let Some(link) = &mut self.link
            && let Err(fault) = link.flush(&self.host)
        {
            self.host.warn(&fault.reason);
        }
        true
    }

    /// Waits until the next line of a delivery of `lines` may go at once; `written` have gone. False: that is not within the
    /// call, or the connection is lost. What was begun goes on as long as there is time at all.
    fn turn_comes<F: FnMut(usize, &Outcome)>(&mut self, run: &mut Run<'_, F>, written: usize, lines: usize) -> bool {
        loop {
            let Some(link) = &self.link else { return false };
            let now_ms = self.host.monotonic_ms();
            let (free, wait_ms) = (link.session.is_free(now_ms), link.session.bucket().wait_ms(now_ms));
            let left_ms = self.host.remaining_ms().saturating_sub(ANSWER_MS);
            if left_ms == 0 || (written == 0 && !self.fits(run, lines, 0)) {
                return false;
            }
            if free {
                return true;
            }
            let (heard, _) = self.pump(left_ms.min(wait_ms));
            run.hear(&heard);
        }
    }

    /// Whether the rest of the call is enough for so many lines, for the PING behind them and its answer, and for `more_ms`. A
    /// call that has only begun is always enough: there will be no better one.
    fn fits<F: FnMut(usize, &Outcome)>(&self, run: &Run<'_, F>, lines: usize, more_ms: u64) -> bool {
        let Some(link) = &self.link else { return false };
        let lines_ms = link.session.time_for(lines + 1, self.host.monotonic_ms());
        let need_ms = (lines_ms + more_ms).min(begin_ms(run.call_ms)) + confirm_ms(run.call_ms);
        self.host.remaining_ms() >= need_ms
    }

    /// Asks the server whether it has read the window, and waits for its answer.
    fn confirm<F: FnMut(usize, &Outcome)>(&mut self, run: &mut Run<'_, F>) {
        let Some(link) = self.link.as_mut().filter(|_| run.under_way() > 0) else { return };
        run.token = Some(link.session.mark());
        while self.link.is_some() && run.token.is_some() {
            let left_ms = self.host.remaining_ms().saturating_sub(ANSWER_MS);
            if left_ms == 0 {
                return;
            }
            let (heard, _) = self.pump(left_ms);
            run.hear(&heard);
        }
    }

    /// What is left without an outcome.
    fn finish<F: FnMut(usize, &Outcome)>(&self, mut run: Run<'_, F>) -> Vec<Outcome> {
        let trouble = self.trouble();
        for place in 0..run.batch.len() {
            if run.outcomes[place].is_some() {
                continue;
            }
            let outcome = match (self.nick().is_some(), run.is_under_way(place)) {
                (true, true) => Outcome::trouble(Some(SOON_MS), "the server did not confirm it in time"),
                (true, false) => Outcome::trouble(Some(SOON_MS), "the network's pace left no time for it in this call"),
                (false, true) => Outcome::trouble(trouble.after_ms, format!("not confirmed: {}", trouble.reason)),
                (false, false) => Outcome::ChannelTrouble(trouble.clone()),
            };
            run.settle(place, outcome);
        }
        run.outcomes.into_iter().flatten().collect()
    }
}

/// What is kept of a call for the last PING's answer, and to tell the outcomes: milliseconds.
fn confirm_ms(call_ms: u64) -> u64 {
    ANSWER_MS + CONFIRM_MS.min(call_ms / 4)
}

/// What a call has for writing when it has hardly begun: milliseconds.
fn begin_ms(call_ms: u64) -> u64 {
    (call_ms - call_ms / 8).saturating_sub(confirm_ms(call_ms))
}

/// The lines of a delivery that a call carries beside a JOIN and a PING, and some reply that had its turn.
fn most_lines(lines: usize) -> usize {
    lines.saturating_sub(3).max(1)
}
