//! Asks the network's services, or the server, whether the user of a nick is identified as its owner.

use super::{Session, SessionEvent};
use crate::message::Message;
use crate::settings::{Services, Settings};

impl Session {
    /// The line that asks, unless the settings disable the check. The answer, if any, is [`SessionEvent::Identified`].
    pub fn identity_query(settings: &Settings, nick: &str) -> Option<String> {
        let nickserv = &settings.nickserv;
        match settings.services {
            Services::Acc => Some(format!("PRIVMSG {nickserv} :ACC {nick}")),
            Services::Status => Some(format!("PRIVMSG {nickserv} :STATUS {nick}")),
            Services::Whois => Some(format!("WHOIS {nick}")),
            Services::None => None,
        }
    }

    /// Parses `ralph ACC 3` and `STATUS ralph 3`. Level 3 is identified by password, 2 by a known host, less is not.
    pub(super) fn on_service_reply(&self, settings: &Settings, text: &str) -> Option<SessionEvent> {
        let bare: String = text.chars().filter(|c| !c.is_control()).collect();
        let words: Vec<&str> = bare.split_whitespace().collect();
        let (nick, level) = match (settings.services, &words[..]) {
            (Services::Acc, [nick, "ACC", level, ..]) => (nick, level),
            (Services::Acc, [nick, "->", _, "ACC", level, ..]) => (nick, level),
            (Services::Status, ["STATUS", nick, level, ..]) => (nick, level),
            _ => return None,
        };
        let level: u32 = level.parse().ok()?;
        Some(SessionEvent::Identified { nick: (*nick).to_owned(), identified: level >= 3 })
    }

    /// Handles 330 (logged in as), 307 (a registered nick) and 318 (the end).
    pub(super) fn on_whois(&mut self, settings: &Settings, message: &Message) -> Option<SessionEvent> {
        if settings.services != Services::Whois {
            return None;
        }
        let nick = message.param(1).to_owned();
        // An account of another name does not prove that the nick is the user's.
        let own = message.command == "307" || self.casing.same(message.param(2), &nick);
        match message.command.as_str() {
            "318" => Some(SessionEvent::Identified { identified: self.whois.remove(&self.casing.fold(&nick)), nick }),
            _ => {
                if own {
                    self.whois.insert(self.casing.fold(&nick));
                }
                None
            }
        }
    }
}
