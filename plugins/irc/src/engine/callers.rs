//! What people write to us: commands for the host, of whom some need proof of who gives them, and their answers. No nick
//! gets more answers than its share, so that two programs that talk to each other stop.

use std::collections::BTreeMap;

use super::{Engine, Host};
use crate::message::{fold, same};
use crate::settings::Services;
use crate::{address, compose, line};

/// Commands of one nick in [`SPAN_MS`].
const COMMANDS: u32 = 6;
const SPAN_MS: u64 = 60 * 1000;
/// Nicks that are counted at a time; beyond that new ones wait until old ones are forgotten.
const NICKS: usize = 500;
/// Commands that wait for the services' word, and how long: milliseconds.
const WAITING: usize = 50;
const PATIENCE_MS: u64 = 60 * 1000;
/// Lines of one answer.
const LINES: usize = 30;

/// Who wrote lately.
#[derive(Default)]
pub(super) struct Callers {
    /// By nick: when its count began, and the count.
    counts: BTreeMap<String, (u64, u32)>,
    waiting: Vec<Waiting>,
}

struct Waiting {
    nick: String,
    text: String,
    since_ms: u64,
}

impl Callers {
    /// Whether one more from this nick is within its share.
    fn admit(&mut self, nick: &str, now_ms: u64) -> bool {
        self.counts.retain(|_, (since_ms, _)| now_ms.saturating_sub(*since_ms) < SPAN_MS);
        let nick = fold(nick);
        if self.counts.len() >= NICKS && !self.counts.contains_key(&nick) {
            return false;
        }
        let (_, count) = self.counts.entry(nick).or_insert((now_ms, 0));
        *count += 1;
        *count <= COMMANDS
    }
}

impl<H: Host> Engine<H> {
    /// Somebody wrote to us.
    pub(super) fn called(&mut self, nick: &str, text: &str) {
        let now_ms = self.host.monotonic_ms();
        if !self.callers.admit(nick, now_ms) {
            return;
        }
        if self.settings.services == Services::None || !changes(text) {
            return self.submit(nick, text);
        }
        let waiting = &mut self.callers.waiting;
        waiting.retain(|one| now_ms.saturating_sub(one.since_ms) < PATIENCE_MS);
        if let Some(link) = self.link.as_mut().filter(|_| waiting.len() < WAITING) {
            waiting.push(Waiting { nick: nick.to_owned(), text: text.to_owned(), since_ms: now_ms });
            link.session.ask_identity(&self.settings, nick);
        }
    }

    /// The services said whether a nick's owner has it.
    pub(super) fn vouched(&mut self, nick: &str, yes: bool) {
        let now_ms = self.host.monotonic_ms();
        let (theirs, rest) = std::mem::take(&mut self.callers.waiting)
            .into_iter()
            .filter(|one| now_ms.saturating_sub(one.since_ms) < PATIENCE_MS)
            .partition(|one| same(&one.nick, nick));
        self.callers.waiting = rest;
        let theirs: Vec<Waiting> = theirs;
        for one in theirs {
            if yes {
                self.submit(&one.nick, &one.text);
            } else {
                self.reply(&one.nick, "Identify with the network's services first, then say that again.");
            }
        }
    }

    fn submit(&mut self, nick: &str, text: &str) {
        let Ok(address) = address::parse(nick) else { return };
        for text in self.host.submit(&address, text).iter().take(LINES) {
            self.reply(nick, text);
        }
    }

    fn reply(&mut self, nick: &str, text: &str) {
        let Some(link) = &mut self.link else { return };
        let command = self.settings.reply;
        let room = line::room(link.session.source_octets(), command, nick);
        for text in compose::answer(text, room) {
            link.session.say(format!("{command} {nick} :{text}"));
        }
    }
}

/// Whether a command does more than tell.
fn changes(text: &str) -> bool {
    let first = text.split_whitespace().next().unwrap_or_default().to_ascii_lowercase();
    matches!(first.as_str(), "start" | "stop" | "confirm")
}
