//! Our name: another one while it is taken, and the way back to it.

use super::{Heard, Phase, Session};
use crate::judge::{self, Fault};
use crate::message::{Casing, Message};
use crate::settings::{Login, Reclaim, Settings};

/// Names that are tried before the connection is given up.
const TRIES: u32 = 10;
/// Between two attempts to get the nick back: milliseconds.
const RECLAIM_MS: u64 = 60 * 1000;
/// The longest nick where the server does not say, in octets (RFC 2812).
const NICK_OCTETS: usize = 9;

impl Session {
    /// 005: what this server can.
    pub(super) fn supported(&mut self, message: &Message) {
        let told = |key: &str| message.params.iter().find_map(|param| param.strip_prefix(key));
        self.nick_octets = told("NICKLEN=").and_then(|octets| octets.parse().ok()).or(self.nick_octets);
        self.casing = told("CASEMAPPING=").map_or(self.casing, Casing::named);
    }

    /// In use, in collision, held, or no nick at all.
    pub(super) fn nick_refused(&mut self, settings: &Settings, message: &Message) -> Option<Heard> {
        if !matches!(self.phase, Phase::Registering(_)) {
            return None;
        }
        let erroneous = message.command == "432" && self.nicks_tried == 0;
        if erroneous || self.nicks_tried == TRIES {
            let reason = format!("no nick was accepted: {}", judge::shown(message.text()));
            return Some(Heard::Broken(if erroneous { Fault::refused(reason) } else { Fault::usual(reason) }));
        }
        self.nicks_tried += 1;
        self.nick = alternate(&settings.nick, self.nicks_tried, self.nick_octets.unwrap_or(NICK_OCTETS));
        self.outbox.at_once(format!("NICK {}", self.nick));
        None
    }

    /// Whether there is a nick to get back.
    pub(super) fn reclaims(&self, settings: &Settings) -> bool {
        !self.casing.same(&self.nick, &settings.nick)
    }

    pub(super) fn reclaim(&mut self, settings: &Settings, now_ms: u64) {
        let Settings { nickserv, nick, account_password, .. } = settings;
        let registered = settings.login != Login::None;
        // Who is logged in needs no password to send away who has the nick.
        let secret = if account_password.is_empty() { String::new() } else { format!(" {account_password}") };
        match settings.reclaim {
            Reclaim::Ghost if registered => self.say(format!("PRIVMSG {nickserv} :GHOST {nick}{secret}")),
            Reclaim::Regain if registered => self.say(format!("PRIVMSG {nickserv} :REGAIN {nick}{secret}")),
            _ => {}
        }
        self.say(format!("NICK {nick}"));
        self.reclaim_ms = now_ms + RECLAIM_MS;
    }
}

/// The nick with underscores, then with a number, within the length.
fn alternate(nick: &str, attempt: u32, octets: usize) -> String {
    let tail = if attempt <= 3 { "_".repeat(attempt as usize) } else { format!("_{attempt}") };
    let octets = octets.max(nick.len()).saturating_sub(tail.len());
    format!("{}{tail}", &nick[..nick.floor_char_boundary(octets)])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_alternate_is_another_one_within_the_length() {
        let all: Vec<String> = (1..=TRIES).map(|attempt| alternate("tidings", attempt, 9)).collect();
        assert_eq!(all[..4], ["tidings_", "tidings__", "tiding___", "tidings_4"]);
        let mut distinct = all.clone();
        distinct.dedup();
        assert_eq!(distinct.len(), all.len());
        assert!(all.iter().all(|nick| nick.len() <= 9), "{all:?}");
    }
}
