//! What people write to us: commands for the host, of whom some need proof of who gives them, and their answers. No nick
//! gets more answers than its share, so that two programs that talk to each other stop, and all of them together no more than
//! the session's queue of replies holds.

use std::collections::BTreeMap;

use tidings_plugin::stream::StreamHost;

use super::Engine;
use crate::session::Session;
use crate::settings::Services;
use crate::{address, compose, line};

/// Commands of one nick in [`SPAN_MS`], and lines that it gets for them.
const COMMANDS: u32 = 6;
const SHARE: u32 = 30;
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
    counts: BTreeMap<String, Count>,
    waiting: Vec<Waiting>,
}

/// What one nick did and got.
struct Count {
    since_ms: u64,
    commands: u32,
    lines: u32,
}

struct Waiting {
    nick: String,
    text: String,
    since_ms: u64,
}

impl Callers {
    /// Whether one more from this nick is within its share.
    fn admit(&mut self, nick: String, now_ms: u64) -> bool {
        self.counts.retain(|_, count| now_ms.saturating_sub(count.since_ms) < SPAN_MS);
        if self.counts.len() >= NICKS && !self.counts.contains_key(&nick) {
            return false;
        }
        let count = self.counts.entry(nick).or_insert(Count { since_ms: now_ms, commands: 0, lines: 0 });
        count.commands = count.commands.saturating_add(1);
        count.commands <= COMMANDS && count.lines < SHARE
    }

    /// Whether one more line for this nick is within its share.
    fn grant(&mut self, nick: &str) -> bool {
        let Some(count) = self.counts.get_mut(nick).filter(|count| count.lines < SHARE) else { return false };
        count.lines += 1;
        true
    }
}

impl<H: StreamHost> Engine<H> {
    /// Somebody wrote to us.
    pub(super) fn called(&mut self, nick: &str, text: &str) {
        let now_ms = self.host.monotonic_ms();
        if !self.callers.admit(self.casing().fold(nick), now_ms) {
            return;
        }
        if self.settings.services == Services::None || !changes(text) {
            return self.submit(nick, text);
        }
        let waiting = &mut self.callers.waiting;
        waiting.retain(|one| now_ms.saturating_sub(one.since_ms) < PATIENCE_MS);
        if let Some(link) = self.link.as_mut().filter(|_| waiting.len() < WAITING)
            && let Some(question) = Session::question(&self.settings, nick)
        {
            waiting.push(Waiting { nick: nick.to_owned(), text: text.to_owned(), since_ms: now_ms });
            link.session.reply(question);
        }
    }

    /// The services said whether a nick's owner has it.
    pub(super) fn vouched(&mut self, nick: &str, yes: bool) {
        let now_ms = self.host.monotonic_ms();
        let casing = self.casing();
        let (theirs, rest) = std::mem::take(&mut self.callers.waiting)
            .into_iter()
            .filter(|one| now_ms.saturating_sub(one.since_ms) < PATIENCE_MS)
            .partition(|one| casing.same(&one.nick, nick));
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
        let space = line::room(link.session.source_octets(), command, nick);
        let counted = link.session.casing().fold(nick);
        for text in compose::answer(text, space) {
            if self.callers.grant(&counted) {
                link.session.reply(format!("{command} {nick} :{text}"));
            }
        }
    }
}

/// Whether a command does more than tell.
fn changes(text: &str) -> bool {
    let first = text.split_whitespace().next().unwrap_or_default().to_ascii_lowercase();
    matches!(first.as_str(), "start" | "stop" | "confirm")
}
