//! Commands that users send in private messages. Commands that change something wait until the services confirm the
//! user's identity. The replies to one nick are limited, so two programs that answer each other stop; the session's
//! queue limits the replies to all nicks together.

use std::collections::BTreeMap;

use tidings_plugin::stream::StreamHost;

use super::Engine;
use crate::session::Session;
use crate::settings::Services;
use crate::{address, compose, line};

/// The most commands of one nick within [`PERIOD_MS`].
const COMMANDS: u32 = 6;
/// The most reply lines to one nick within [`PERIOD_MS`].
const REPLY_LINES: u32 = 30;
/// The period of these limits, in milliseconds.
const PERIOD_MS: u64 = 60 * 1000;
/// The most nicks that are counted at a time. Commands of further nicks are dropped.
const NICKS: usize = 500;
/// The most commands that wait for an answer of the services.
const PENDING: usize = 50;
/// How long a command waits for an answer of the services, in milliseconds.
const PENDING_MS: u64 = 60 * 1000;
/// The most lines of one answer of the host.
const ANSWER_LINES: usize = 30;

/// The recent use by each nick, and the commands that wait for the services.
#[derive(Default)]
pub(super) struct CommandQueue {
    usage: BTreeMap<String, Usage>,
    pending: Vec<PendingCommand>,
}

/// What one nick has used of its limits.
struct Usage {
    since_ms: u64,
    commands: u32,
    reply_lines: u32,
}

struct PendingCommand {
    nick: String,
    text: String,
    since_ms: u64,
}

impl CommandQueue {
    /// Counts a command. Returns whether it is within the limits.
    fn admit_command(&mut self, nick: String, now_ms: u64) -> bool {
        self.usage.retain(|_, usage| now_ms.saturating_sub(usage.since_ms) < PERIOD_MS);
        if self.usage.len() >= NICKS && !self.usage.contains_key(&nick) {
            return false;
        }
        let usage = self.usage.entry(nick).or_insert(Usage { since_ms: now_ms, commands: 0, reply_lines: 0 });
        usage.commands = usage.commands.saturating_add(1);
        usage.commands <= COMMANDS && usage.reply_lines < REPLY_LINES
    }

    /// Counts a reply line, if it is within the limits.
    fn admit_reply_line(&mut self, nick: &str) -> bool {
        let usage = self.usage.get_mut(nick).filter(|usage| usage.reply_lines < REPLY_LINES);
        usage.map(|usage| usage.reply_lines += 1).is_some()
    }
}

impl<H: StreamHost> Engine<H> {
    /// Handles a private message. Messages beyond the limits are dropped.
    pub(super) fn on_command(&mut self, nick: &str, text: &str) {
        let now_ms = self.host.monotonic_ms();
        if !self.commands.admit_command(self.casing().fold(nick), now_ms) {
            return;
        }
        if self.settings.services == Services::None || !needs_identity(text) {
            return self.submit(nick, text);
        }
        let pending = &mut self.commands.pending;
        pending.retain(|command| now_ms.saturating_sub(command.since_ms) < PENDING_MS);
        if let Some(connection) = self.connection.as_mut().filter(|_| pending.len() < PENDING)
            && let Some(query) = Session::identity_query(&self.settings, nick)
        {
            pending.push(PendingCommand { nick: nick.to_owned(), text: text.to_owned(), since_ms: now_ms });
            connection.session.send_reply(query);
        }
    }

    /// Submits the pending commands of a nick that is identified, or asks the user to identify.
    pub(super) fn on_identified(&mut self, nick: &str, identified: bool) {
        let now_ms = self.host.monotonic_ms();
        let casing = self.casing();
        let (commands, others): (Vec<_>, Vec<_>) = std::mem::take(&mut self.commands.pending)
            .into_iter()
            .filter(|command| now_ms.saturating_sub(command.since_ms) < PENDING_MS)
            .partition(|command| casing.same(&command.nick, nick));
        self.commands.pending = others;
        for command in commands {
            if identified {
                self.submit(&command.nick, &command.text);
            } else {
                self.reply(&command.nick, "Identify with the network's services, then send the command again.");
            }
        }
    }

    fn submit(&mut self, nick: &str, text: &str) {
        let Ok(address) = address::parse(nick) else { return };
        for text in self.host.submit(&address, text).iter().take(ANSWER_LINES) {
            self.reply(nick, text);
        }
    }

    fn reply(&mut self, nick: &str, text: &str) {
        let Some(connection) = &mut self.connection else { return };
        let command = self.settings.reply;
        let capacity = line::text_capacity(connection.session.source_octets(), command, nick);
        let folded = connection.session.casing().fold(nick);
        for text in compose::answer(text, capacity) {
            if self.commands.admit_reply_line(&folded) {
                connection.session.send_reply(format!("{command} {nick} :{text}"));
            }
        }
    }
}

/// Whether a command changes something, so that only the owner of the nick may send it.
fn needs_identity(text: &str) -> bool {
    let first = text.split_whitespace().next().unwrap_or_default().to_ascii_lowercase();
    matches!(first.as_str(), "start" | "stop" | "confirm")
}
