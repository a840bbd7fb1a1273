//! The nick of this client: an alternate while the configured one is taken, and the return to it.

use super::{Phase, Session, SessionEvent, failed};
use crate::message::{Casing, Message};
use crate::server_errors::{self, ConnectionError};
use crate::settings::{Login, Reclaim, Settings};

/// The most alternates that are tried on one connection.
const ALTERNATES: u32 = 10;
/// The time between two attempts to get the nick back, in milliseconds.
const RECLAIM_MS: u64 = 60 * 1000;
/// The longest nick where the server does not say, in octets (RFC 2812).
const NICK_OCTETS: usize = 9;

impl Session {
    /// Handles 005, the parameters of the server.
    pub(super) fn on_supported(&mut self, message: &Message) {
        let value = |key: &str| message.params.iter().find_map(|param| param.strip_prefix(key));
        self.nick_octets = value("NICKLEN=").and_then(|octets| octets.parse().ok()).or(self.nick_octets);
        self.casing = value("CASEMAPPING=").map_or(self.casing, Casing::named);
    }

    /// Handles a nick that is in use, in collision, held, or invalid.
    pub(super) fn on_nick_refused(&mut self, settings: &Settings, message: &Message) -> Option<SessionEvent> {
        if !matches!(self.phase, Phase::Registering(_)) {
            return None;
        }
        let invalid = message.command == "432" && self.nicks_tried == 0;
        if invalid || self.nicks_tried == ALTERNATES {
            let reason = format!("the server accepted no nick: {}", server_errors::quote(message.text()));
            let error = if invalid { ConnectionError::refused(reason) } else { ConnectionError::temporary(reason) };
            return Some(failed(error));
        }
        self.nicks_tried += 1;
        self.nick = alternate(&settings.nick, self.nicks_tried, self.nick_octets.unwrap_or(NICK_OCTETS));
        self.queue.push_urgent(format!("NICK {}", self.nick));
        None
    }

    /// Whether this client has another nick than the configured one.
    pub(super) fn reclaims(&self, settings: &Settings) -> bool {
        !self.casing.same(&self.nick, &settings.nick)
    }

    /// Requests the configured nick.
    pub(super) fn reclaim_nick(&mut self, settings: &Settings, now_ms: u64) {
        let Settings { nickserv, nick, account_password, .. } = settings;
        let registered = settings.login != Login::None;
        // A client that is logged in may omit the password.
        let secret = if account_password.is_empty() { String::new() } else { format!(" {account_password}") };
        match settings.reclaim {
            Reclaim::Ghost if registered => self.send(format!("PRIVMSG {nickserv} :GHOST {nick}{secret}")),
            Reclaim::Regain if registered => self.send(format!("PRIVMSG {nickserv} :REGAIN {nick}{secret}")),
            _ => {}
        }
        self.send(format!("NICK {nick}"));
        self.reclaim_ms = now_ms + RECLAIM_MS;
    }
}

/// The nick with underscores, for later attempts with a number, within the length.
fn alternate(nick: &str, attempt: u32, octets: usize) -> String {
    let tail = if attempt <= 3 { "_".repeat(attempt as usize) } else { format!("_{attempt}") };
    let octets = octets.max(nick.len()).saturating_sub(tail.len());
    format!("{}{tail}", &nick[..nick.floor_char_boundary(octets)])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn alternates_are_distinct_and_within_the_length() {
        let all: Vec<String> = (1..=ALTERNATES).map(|attempt| alternate("tidings", attempt, 9)).collect();
        assert_eq!(all[..4], ["tidings_", "tidings__", "tiding___", "tidings_4"]);
        let mut distinct = all.clone();
        distinct.dedup();
        assert_eq!(distinct.len(), all.len());
        assert!(all.iter().all(|nick| nick.len() <= 9), "{all:?}");
    }
}
