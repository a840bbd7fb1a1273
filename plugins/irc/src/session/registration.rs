//! From the first line until the server takes ours: PASS, CAP, SASL, NICK and USER, then NickServ.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::{Heard, Phase, Session};
use crate::judge::{self, Fault};
use crate::message::Message;
use crate::settings::{Login, Settings};

/// How long NickServ's word is waited for: milliseconds.
const LOGIN_MS: u64 = 10 * 1000;
/// SASL's payload goes in pieces of so many octets; one that is shorter ends it.
const SASL_OCTETS: usize = 400;

/// What is known before the server's welcome.
#[derive(Default)]
pub(super) struct Registration {
    /// Capabilities from the lines of CAP LS so far.
    offered: Vec<String>,
    /// SASL ended well.
    logged_in: bool,
    welcomed: bool,
}

impl Session {
    pub(super) fn hello(&mut self, settings: &Settings) {
        if let Some(password) = &settings.password {
            self.outbox.at_once(format!("PASS :{password}"));
        }
        if wants_sasl(settings) {
            self.outbox.at_once("CAP LS 302".to_owned());
        }
        self.outbox.at_once(format!("NICK {}", self.nick));
        self.outbox.at_once(format!("USER {} 0 * :{}", settings.username, settings.realname));
    }

    pub(super) fn register(&mut self, settings: &Settings, message: &Message, now_ms: u64) -> Option<Heard> {
        let Phase::Registering(registration) = &mut self.phase else { return None };
        match message.command.as_str() {
            "001" => {
                if wants_sasl(settings) && !registration.logged_in {
                    return later("the server lets us in without the login by SASL that is configured".to_owned());
                }
                registration.welcomed = true;
                self.nick = message.param(0).to_owned();
            }
            "376" | "422" if registration.welcomed => return self.welcomed(settings, now_ms),
            "CAP" => return self.capabilities(settings, message),
            "AUTHENTICATE" if message.param(0) == "+" => self.authenticate(settings),
            "903" | "907" => {
                registration.logged_in = true;
                self.outbox.at_once("CAP END".to_owned());
            }
            "904" | "905" => return broken(format!("the login was refused: {}", judge::shown(message.text()))),
            // The account is held, or the services have gone: nothing that an administrator could mend here.
            "902" | "906" | "908" => return later(format!("no login now: {}", judge::shown(message.text()))),
            "421" if message.param(1) == "CAP" => return no_sasl(),
            "464" => return broken(format!("the server's password: {}", judge::shown(message.text()))),
            "463" | "466" => return broken(judge::shown(message.text())),
            _ => {}
        }
        None
    }

    fn capabilities(&mut self, settings: &Settings, message: &Message) -> Option<Heard> {
        let Phase::Registering(registration) = &mut self.phase else { return None };
        match message.param(1) {
            "LS" => {
                registration.offered.extend(message.text().split_whitespace().map(str::to_owned));
                if message.param(2) == "*" && message.params.len() > 3 {
                    return None;
                }
                if !registration.offered.iter().any(|offer| offers(offer, mechanism(settings))) {
                    return no_sasl();
                }
                self.outbox.at_once("CAP REQ :sasl".to_owned());
            }
            "ACK" => self.outbox.at_once(format!("AUTHENTICATE {}", mechanism(settings))),
            "NAK" => return no_sasl(),
            _ => {}
        }
        None
    }

    fn authenticate(&mut self, settings: &Settings) {
        let secret = match settings.login {
            Login::SaslPlain => format!("{0}\0{0}\0{1}", settings.account, settings.account_password),
            _ => String::new(),
        };
        let payload = STANDARD.encode(secret);
        let pieces: Vec<&str> =
            payload.as_bytes().chunks(SASL_OCTETS).filter_map(|piece| std::str::from_utf8(piece).ok()).collect();
        let ended = pieces.last().is_some_and(|piece| piece.len() < SASL_OCTETS);
        for piece in &pieces {
            self.outbox.at_once(format!("AUTHENTICATE {piece}"));
        }
        if !ended {
            self.outbox.at_once("AUTHENTICATE +".to_owned());
        }
    }

    fn welcomed(&mut self, settings: &Settings, now_ms: u64) -> Option<Heard> {
        if settings.login != Login::NickServ {
            return Some(self.online(now_ms));
        }
        let Settings { nickserv, account, account_password, .. } = settings;
        self.outbox.at_once(format!("PRIVMSG {nickserv} :IDENTIFY {account} {account_password}"));
        self.phase = Phase::LoggingIn { until_ms: now_ms + LOGIN_MS };
        None
    }

    /// A notice: NickServ's word on us or on somebody else. Nobody else's notice is ever answered.
    pub(super) fn noticed(&mut self, settings: &Settings, message: &Message, now_ms: u64) -> Option<Heard> {
        if !settings.is_from_nickserv(message, self.casing) {
            return None;
        }
        if !matches!(self.phase, Phase::LoggingIn { .. }) {
            return self.service_says(settings, message.text());
        }
        let lower = message.text().to_ascii_lowercase();
        let has = |words: &[&str]| words.iter().any(|word| lower.contains(word));
        if has(&[
            "invalid password",
            "password incorrect",
            "incorrect password",
            "authentication failed",
            "not registered",
        ]) {
            return broken(format!("NickServ refused the login: {}", judge::shown(message.text())));
        }
        has(&["now identified", "password accepted", "you are already", "now logged in"]).then(|| self.online(now_ms))
    }
}

fn wants_sasl(settings: &Settings) -> bool {
    matches!(settings.login, Login::SaslPlain | Login::SaslExternal)
}

fn mechanism(settings: &Settings) -> &'static str {
    if settings.login == Login::SaslExternal { "EXTERNAL" } else { "PLAIN" }
}

/// `sasl`, or `sasl=` and the mechanism among others.
fn offers(offer: &str, mechanism: &str) -> bool {
    match offer.split_once('=') {
        None => offer == "sasl",
        Some((name, mechanisms)) => name == "sasl" && mechanisms.split(',').any(|offered| offered == mechanism),
    }
}

fn broken(reason: String) -> Option<Heard> {
    Some(Heard::Broken(Fault::refused(reason)))
}

fn later(reason: String) -> Option<Heard> {
    Some(Heard::Broken(Fault::later(reason)))
}

/// That is so also while the services are away.
fn no_sasl() -> Option<Heard> {
    later("the server does not offer the login by SASL that is configured".to_owned())
}
