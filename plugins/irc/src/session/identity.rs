//! Whether the one behind a nick registered it: asked of the network's services, or of the server.

use super::{Heard, Session};
use crate::message::Message;
use crate::settings::{Services, Settings};

impl Session {
    /// The line that asks, where there is somebody to ask; the answer comes as [`Heard::Identified`], if one comes.
    pub fn question(settings: &Settings, nick: &str) -> Option<String> {
        let nickserv = &settings.nickserv;
        match settings.services {
            Services::Acc => Some(format!("PRIVMSG {nickserv} :ACC {nick}")),
            Services::Status => Some(format!("PRIVMSG {nickserv} :STATUS {nick}")),
            Services::Whois => Some(format!("WHOIS {nick}")),
            Services::None => None,
        }
    }

    /// `ralph ACC 3` and `STATUS ralph 3`: 3 is by password, 2 by a known host, less is not identified.
    pub(super) fn service_says(&self, settings: &Settings, text: &str) -> Option<Heard> {
        let bare: String = text.chars().filter(|c| !c.is_control()).collect();
        let words: Vec<&str> = bare.split_whitespace().collect();
        let (nick, level) = match (settings.services, &words[..]) {
            (Services::Acc, [nick, "ACC", level, ..]) => (nick, level),
            (Services::Acc, [nick, "->", _, "ACC", level, ..]) => (nick, level),
            (Services::Status, ["STATUS", nick, level, ..]) => (nick, level),
            _ => return None,
        };
        let level: u32 = level.parse().ok()?;
        Some(Heard::Identified { nick: (*nick).to_owned(), yes: level >= 3 })
    }

    /// 330: is logged in as; 307: is a registered nick; 318: the end.
    pub(super) fn whois(&mut self, settings: &Settings, message: &Message) -> Option<Heard> {
        if settings.services != Services::Whois {
            return None;
        }
        let nick = message.param(1).to_owned();
        // An account of another name may be anybody's.
        let own = message.command == "307" || self.casing.same(message.param(2), &nick);
        match message.command.as_str() {
            "318" => Some(Heard::Identified { yes: self.whois.remove(&self.casing.fold(&nick)), nick }),
            _ => {
                if own {
                    self.whois.insert(self.casing.fold(&nick));
                }
                None
            }
        }
    }
}
