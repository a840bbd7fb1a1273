//! A batch: lines at the network's pace, and for each delivery the server's word. A server does not acknowledge a line; but it
//! reads in order, so a PING behind some lines is answered after every complaint about them. Only then are they delivered.

use std::collections::BTreeMap;

use tidings_plugin::{Content, Delivery, Outcome};

use super::{ANSWER_MS, Engine, Host};
use crate::judge::shown;
use crate::message::{fold, same};
use crate::session::Heard;
use crate::settings::Services;
use crate::{address, compose, line};

/// Deliveries that wait for one PING's answer.
const WINDOW: usize = 16;
/// What is kept of a call for the last PING's answer: milliseconds; or less where the call is short.
const CONFIRM_MS: u64 = 5000;
/// How long the services' word is waited for: milliseconds.
const SERVICES_MS: u64 = 10 * 1000;
/// When the owner of an address is looked for again: milliseconds. He has to come and identify.
const LATER_MS: u64 = 10 * 60 * 1000;
/// When what found no time in this call is tried again: milliseconds.
const SOON_MS: u64 = 1000;

struct Run<'a, F> {
    batch: &'a [Delivery],
    outcomes: Vec<Option<Outcome>>,
    settled: F,
    /// Written, and not yet known to be read: places in the batch.
    window: Vec<usize>,
    /// The token that ends the window, while its answer is awaited.
    token: Option<u64>,
    /// Names that are not reached now, and why. What follows for them is not tried, so that it does not overtake.
    unreached: BTreeMap<String, String>,
    now_ms: u64,
    perishable_ms: u64,
}

impl<F: FnMut(usize, &Outcome)> Run<'_, F> {
    fn settle(&mut self, place: usize, outcome: Outcome) {
        (self.settled)(place, &outcome);
        if let Some(slot) = self.outcomes.get_mut(place) {
            *slot = Some(outcome);
        }
    }

    fn hear(&mut self, heard: &[Heard]) {
        for what in heard {
            match what {
                Heard::NotPassed { target, reason } => {
                    self.unreached.insert(fold(target), reason.clone());
                }
                Heard::Processed(token) if self.token == Some(*token) => {
                    self.token = None;
                    for place in std::mem::take(&mut self.window) {
                        let outcome = self.unreached_outcome(place).unwrap_or(Outcome::Delivered(None));
                        self.settle(place, outcome);
                    }
                }
                _ => {}
            }
        }
    }

    /// What becomes of a delivery whose address is not reached now: later, unless it has perished.
    fn unreached_outcome(&self, place: usize) -> Option<Outcome> {
        let delivery = &self.batch[place];
        let reason = self.unreached.get(&fold(&delivery.recipient.address))?;
        Some(self.later(delivery, None, reason))
    }

    fn later(&self, delivery: &Delivery, after_ms: Option<u64>, reason: &str) -> Outcome {
        let perished = match &delivery.content {
            Content::Confirmation(confirmation) => self.now_ms > confirmation.expires_ms,
            _ => self.now_ms.saturating_sub(delivery.accepted_ms) > self.perishable_ms,
        };
        if perished {
            return Outcome::Rejected(format!("expired: {reason}"));
        }
        Outcome::retry_after(after_ms, reason)
    }
}

impl<H: Host> Engine<H> {
    /// One outcome for each; `settled` hears each as soon as it is known.
    pub fn deliver(&mut self, batch: &[Delivery], settled: impl FnMut(usize, &Outcome)) -> Vec<Outcome> {
        // The PING waits for its turn as every line does.
        let confirm_ms = CONFIRM_MS + self.settings.interval_ms;
        let reserve_ms = ANSWER_MS + confirm_ms.min(self.host.remaining_ms() / 4);
        let mut run = Run {
            batch,
            outcomes: vec![None; batch.len()],
            settled,
            window: Vec::new(),
            token: None,
            unreached: BTreeMap::new(),
            now_ms: self.host.now_ms(),
            perishable_ms: self.settings.perishable_ms,
        };
        if self.ready(reserve_ms) {
            for (place, delivery) in batch.iter().enumerate() {
                if self.link.is_none() || !self.one(&mut run, place, delivery, reserve_ms) {
                    break;
                }
                if run.window.len() >= WINDOW {
                    self.confirm(&mut run);
                }
            }
            self.confirm(&mut run);
        } else if self.link.is_some() {
            self.down = "not registered yet".to_owned();
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
    fn one<F>(&mut self, run: &mut Run<'_, F>, place: usize, delivery: &Delivery, reserve_ms: u64) -> bool
    where
        F: FnMut(usize, &Outcome),
    {
        let target = &delivery.recipient.address;
        if let Err(error) = address::parse(target) {
            run.settle(place, Outcome::Rejected(error.to_string()));
            return true;
        }
        if let Some(outcome) = run.unreached_outcome(place) {
            run.settle(place, outcome);
            return true;
        }
        if matches!(delivery.content, Content::Confirmation(_))
            && !address::is_channel(target)
            && let Some(outcome) = self.unproven(run, delivery, reserve_ms)
        {
            run.settle(place, outcome);
            return true;
        }
        let Some(link) = &mut self.link else { return false };
        let room = line::room(link.session.source_octets(), "PRIVMSG", target);
        let lines = compose::compose(&self.settings, delivery, run.now_ms, room);
        let need_ms = self.settings.interval_ms * lines.len().saturating_sub(self.settings.burst as usize) as u64;
        if !run.window.is_empty() && self.host.remaining_ms() < reserve_ms + need_ms {
            return false;
        }
        if address::is_channel(target) && self.settings.join {
            link.session.join(target);
        }
        let mut begun = false;
        for text in lines {
            if !self.turn_comes(run, if begun { ANSWER_MS } else { reserve_ms }) {
                if begun {
                    run.window.push(place);
                }
                return false;
            }
            let Some(link) = &mut self.link else { return false };
            link.session.say(format!("PRIVMSG {target} :{text}"));
            begun = true;
        }
        run.window.push(place);
        if let Some(link) = &mut self.link
            && let Err(fault) = link.flush(&self.host)
        {
            self.host.log(&fault.reason);
        }
        true
    }

    /// Waits until a line may go at once. False: that is not within the call, or the connection is lost.
    fn turn_comes<F: FnMut(usize, &Outcome)>(&mut self, run: &mut Run<'_, F>, reserve_ms: u64) -> bool {
        loop {
            let Some(link) = &mut self.link else { return false };
            let wait_ms = link.session.bucket().wait_ms(self.host.monotonic_ms());
            if wait_ms == 0 && link.session.queued() == 0 {
                return true;
            }
            let left_ms = self.host.remaining_ms().saturating_sub(reserve_ms);
            if left_ms == 0 {
                return false;
            }
            let (heard, _) = self.pump(left_ms.min(wait_ms));
            run.hear(&heard);
        }
    }

    /// Asks the server whether it has read the window, and waits for its answer.
    fn confirm<F: FnMut(usize, &Outcome)>(&mut self, run: &mut Run<'_, F>) {
        let Some(link) = self.link.as_mut().filter(|_| !run.window.is_empty()) else { return };
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

    /// Why a question is not asked: the nick's owner is not there, or did not identify.
    fn unproven<F>(&mut self, run: &mut Run<'_, F>, delivery: &Delivery, reserve_ms: u64) -> Option<Outcome>
    where
        F: FnMut(usize, &Outcome),
    {
        if self.settings.services == Services::None {
            return None;
        }
        let nick = delivery.recipient.address.clone();
        let nickserv = self.settings.nickserv.clone();
        if !run.unreached.contains_key(&fold(&nickserv)) {
            self.link.as_mut()?.session.ask_identity(&self.settings, &nick);
        }
        let end_ms = self.host.remaining_ms().saturating_sub(SERVICES_MS).max(reserve_ms);
        loop {
            let missing = [&nick, &nickserv].into_iter().find_map(|name| run.unreached.get(&fold(name)));
            let left_ms = self.host.remaining_ms().saturating_sub(end_ms);
            if missing.is_some() || left_ms == 0 || self.link.is_none() {
                let reason =
                    missing.map_or_else(|| "the network's services do not answer".to_owned(), |why| shown(why));
                // The others of this batch need not wait for them too.
                run.unreached.entry(fold(&nickserv)).or_insert_with(|| reason.clone());
                return Some(run.later(delivery, Some(LATER_MS), &reason));
            }
            let (heard, _) = self.pump(left_ms);
            run.hear(&heard);
            let told = heard.iter().find_map(|what| match what {
                Heard::Identified { nick: other, yes } if same(other, &nick) => Some(*yes),
                _ => None,
            });
            match told {
                Some(true) => return None,
                Some(false) => {
                    self.remind(delivery, &nick);
                    return Some(run.later(delivery, Some(LATER_MS), "the nick is not identified with the services"));
                }
                None => {}
            }
        }
    }

    /// Tells an unidentified nick what to do: once, since each further attempt would be a nuisance.
    fn remind(&mut self, delivery: &Delivery, nick: &str) {
        if let Some(link) = self.link.as_mut().filter(|_| delivery.attempt == 1) {
            let text = "Somebody, probably you, asked for notifications to be sent here. Identify with the network's \
                        services, and you get the code to confirm that within some minutes.";
            link.session.say(format!("NOTICE {nick} :{text}"));
        }
    }

    /// What is left without an outcome.
    fn finish<F: FnMut(usize, &Outcome)>(&mut self, mut run: Run<'_, F>) -> Vec<Outcome> {
        let trouble = self.trouble();
        for place in 0..run.batch.len() {
            if run.outcomes[place].is_some() {
                continue;
            }
            let written = run.window.contains(&place);
            let outcome = match (self.nick().is_some(), written) {
                (true, true) => Outcome::retry_after(Some(SOON_MS), "the server did not confirm it in time"),
                (true, false) => Outcome::retry_after(Some(SOON_MS), "there was no time left for it in this batch"),
                (false, true) => Outcome::retry_after(trouble.after_ms, format!("not confirmed: {}", trouble.reason)),
                (false, false) => Outcome::ChannelTrouble(trouble.clone()),
            };
            run.settle(place, outcome);
        }
        run.outcomes.into_iter().flatten().collect()
    }
}
