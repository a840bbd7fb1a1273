//! Whether the one behind a nick registered it: asked of the network's services, or of the server.

use super::{Heard, Session};
use crate::message::{Message, fold};
use crate::settings::{Services, Settings};

impl Session {
    /// Asks; the answer comes as [`Heard::Identified`], if one comes.
    pub fn ask_identity(&mut self, settings: &Settings, nick: &str) {
        let nickserv = &settings.nickserv;
        match settings.services {
            Services::Acc => self.say(format!("PRIVMSG {nickserv} :ACC {nick}")),
            Services::Status => self.say(format!("PRIVMSG {nickserv} :STATUS {nick}")),
            Services::Whois => self.say(format!("WHOIS {nick}")),
            Services::None => {}
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
        let own = message.command == "307" || fold(message.param(2)) == fold(&nick);
        match message.command.as_str() {
            "318" => Some(Heard::Identified { yes: self.whois.remove(&fold(&nick)), nick }),
            _ => {
                if own {
                    self.whois.insert(fold(&nick));
                }
                None
            }
        }
    }
}
