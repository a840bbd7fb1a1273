//! This client as the server sees it: its nick, host and channels. Also which lines to others were not delivered, and
//! which messages are commands of users.

use super::{Session, SessionEvent};
use crate::address;
use crate::message::Message;
use crate::server_errors;

/// The most channels for which the reason of a failed JOIN is kept.
const JOIN_FAILURES: usize = 100;

impl Session {
    /// Joins a channel, unless it was joined before.
    pub fn join(&mut self, channel: &str) {
        if self.joined.insert(self.casing.fold(channel)) {
            self.send(format!("JOIN {channel}"));
        }
    }

    /// Tracks the nick, the host and the channels of this client.
    pub(super) fn on_membership(&mut self, message: &Message) {
        let own = message.nick().is_some_and(|nick| self.casing.same(nick, &self.nick));
        match message.command.as_str() {
            "NICK" if own => {
                self.nick = message.param(0).to_owned();
                let user_host =
                    self.source.take().and_then(|source| source.split_once('!').map(|(_, tail)| tail.to_owned()));
                self.source = user_host.map(|user_host| format!("{}!{user_host}", self.nick));
            }
            "JOIN" if own => {
                self.source = Some(message.source.clone());
                self.join_failures.remove(&self.casing.fold(message.param(0)));
            }
            "PART" if own => drop(self.joined.remove(&self.casing.fold(message.param(0)))),
            "KICK" if self.casing.same(message.param(1), &self.nick) => {
                self.joined.remove(&self.casing.fold(message.param(0)));
            }
            // The host has changed, and the message does not always name the new one.
            "396" => self.source = None,
            _ => {}
        }
    }

    /// Keeps the reason, for later lines to the channel.
    pub(super) fn on_join_failed(&mut self, message: &Message) {
        let channel = self.casing.fold(message.param(1));
        self.joined.remove(&channel);
        if self.join_failures.len() < JOIN_FAILURES {
            self.join_failures.insert(channel, server_errors::quote(message.text()));
        }
    }

    /// Handles a numeric that says that a line was not delivered.
    pub(super) fn on_undelivered(&mut self, message: &Message) -> Option<SessionEvent> {
        let (target, reason) = server_errors::undelivered(message)?;
        let folded = self.casing.fold(&target);
        self.joined.remove(&folded);
        let join_failure = self.join_failures.get(&folded);
        let reason = join_failure.map_or_else(|| reason.clone(), |why| format!("{reason} (not joined: {why})"));
        Some(SessionEvent::NotDelivered { target, reason })
    }

    /// Accepts private messages of users. Ignores servers, services, CTCP and the echo of its own messages.
    pub(super) fn on_private_message(&self, message: &Message) -> Option<SessionEvent> {
        let nick = message.nick()?;
        let text = message.text().trim();
        let to_self = self.casing.same(message.param(0), &self.nick) && !self.casing.same(nick, &self.nick);
        let is_text = !text.is_empty() && !text.starts_with('\u{1}') && !text.starts_with("***");
        let is_user = !address::is_service(nick) && !message.source.contains("@services.");
        (to_self && is_text && is_user)
            .then(|| SessionEvent::PrivateMessage { nick: nick.to_owned(), text: text.to_owned() })
    }
}
