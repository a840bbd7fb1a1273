//! The registration: PASS, CAP, SASL, NICK and USER, then the login with NickServ.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::{Phase, Session, SessionEvent};
use crate::message::Message;
use crate::server_errors::{self, ConnectionError};
use crate::settings::{Login, Settings};

/// How long to wait for the answer of NickServ, in milliseconds.
const LOGIN_MS: u64 = 10 * 1000;
/// The octets of one part of a SASL payload. A shorter part ends the payload.
const SASL_OCTETS: usize = 400;

/// The state before the server's welcome.
#[derive(Default)]
pub(super) struct Registration {
    /// The capabilities from the lines of CAP LS so far.
    offered: Vec<String>,
    /// The SASL login has succeeded.
    logged_in: bool,
    welcomed: bool,
}

impl Session {
    /// Queues the lines that start the registration.
    pub(super) fn send_registration(&mut self, settings: &Settings) {
        if let Some(password) = &settings.password {
            self.queue.push_urgent(format!("PASS :{password}"));
        }
        if wants_sasl(settings) {
            self.queue.push_urgent("CAP LS 302".to_owned());
        }
        self.queue.push_urgent(format!("NICK {}", self.nick));
        self.queue.push_urgent(format!("USER {} 0 * :{}", settings.username, settings.realname));
    }

    /// Handles a message during the registration.
    pub(super) fn on_registration(
        &mut self,
        settings: &Settings,
        message: &Message,
        now_ms: u64,
    ) -> Option<SessionEvent> {
        let Phase::Registering(registration) = &mut self.phase else { return None };
        match message.command.as_str() {
            "001" => {
                if wants_sasl(settings) && !registration.logged_in {
                    return throttled(
                        "the server completed the registration without the configured SASL login".to_owned(),
                    );
                }
                registration.welcomed = true;
                self.nick = message.param(0).to_owned();
            }
            "376" | "422" if registration.welcomed => return self.on_welcome(settings, now_ms),
            "CAP" => return self.on_capabilities(settings, message),
            "AUTHENTICATE" if message.param(0) == "+" => self.send_sasl_payload(settings),
            "903" | "907" => {
                registration.logged_in = true;
                self.queue.push_urgent("CAP END".to_owned());
            }
            "904" | "905" => {
                return refused(format!("the login was refused: {}", server_errors::quote(message.text())));
            }
            // The account is held, or the services are away. A change of the settings would not help.
            "902" | "906" | "908" => {
                return throttled(format!("the login is unavailable: {}", server_errors::quote(message.text())));
            }
            "421" if message.param(1) == "CAP" => return no_sasl(),
            "464" => {
                return refused(format!("the server password was refused: {}", server_errors::quote(message.text())));
            }
            "463" | "466" => return refused(server_errors::quote(message.text())),
            _ => {}
        }
        None
    }

    fn on_capabilities(&mut self, settings: &Settings, message: &Message) -> Option<SessionEvent> {
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
                self.queue.push_urgent("CAP REQ :sasl".to_owned());
            }
            "ACK" => self.queue.push_urgent(format!("AUTHENTICATE {}", mechanism(settings))),
            "NAK" => return no_sasl(),
            _ => {}
        }
        None
    }

    fn send_sasl_payload(&mut self, settings: &Settings) {
        let secret = match settings.login {
            Login::SaslPlain => format!("{0}\0{0}\0{1}", settings.account, settings.account_password),
            _ => String::new(),
        };
        let payload = STANDARD.encode(secret);
        let parts: Vec<&str> =
            payload.as_bytes().chunks(SASL_OCTETS).filter_map(|part| std::str::from_utf8(part).ok()).collect();
        let ended = parts.last().is_some_and(|part| part.len() < SASL_OCTETS);
        for part in &parts {
            self.queue.push_urgent(format!("AUTHENTICATE {part}"));
        }
        if !ended {
            self.queue.push_urgent("AUTHENTICATE +".to_owned());
        }
    }

    fn on_welcome(&mut self, settings: &Settings, now_ms: u64) -> Option<SessionEvent> {
        if settings.login != Login::NickServ {
            return Some(self.online(now_ms));
        }
        let Settings { nickserv, account, account_password, .. } = settings;
        self.queue.push_urgent(format!("PRIVMSG {nickserv} :IDENTIFY {account} {account_password}"));
        self.phase = Phase::LoggingIn { until_ms: now_ms + LOGIN_MS };
        None
    }

    /// Handles a notice of NickServ: the result of the login, or the answer to an identity query. Ignores other
    /// notices.
    pub(super) fn on_notice(&mut self, settings: &Settings, message: &Message, now_ms: u64) -> Option<SessionEvent> {
        if !settings.is_from_nickserv(message, self.casing) {
            return None;
        }
        if !matches!(self.phase, Phase::LoggingIn { .. }) {
            return self.on_service_reply(settings, message.text());
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
            return refused(format!("NickServ refused the login: {}", server_errors::quote(message.text())));
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

/// Whether a capability is `sasl`, or `sasl=` with this mechanism in its list.
fn offers(offer: &str, mechanism: &str) -> bool {
    match offer.split_once('=') {
        None => offer == "sasl",
        Some((name, mechanisms)) => name == "sasl" && mechanisms.split(',').any(|offered| offered == mechanism),
    }
}

fn refused(reason: String) -> Option<SessionEvent> {
    Some(SessionEvent::Failed(ConnectionError::refused(reason)))
}

fn throttled(reason: String) -> Option<SessionEvent> {
    Some(SessionEvent::Failed(ConnectionError::throttled(reason)))
}

/// A server also offers no SASL while the services are away, so a later attempt may succeed.
fn no_sasl() -> Option<SessionEvent> {
    throttled("the server does not offer the configured SASL login".to_owned())
}
