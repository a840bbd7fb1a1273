//! From nothing to a server that takes mail: connection, greeting, EHLO, STARTTLS and AUTH. Whatever goes wrong here has
//! nothing to do with any delivery, and is the channel's trouble.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use tidings_plugin::net::{self, Verification};
use tidings_plugin::stream::{self, StreamHost};
use tidings_plugin::{Trouble, text::HeaderSafe};

use super::judge::PAUSE_MS;
use super::reply::{Class, Reply};
use super::wire::{Failure, Wire};
use crate::settings::{Credentials, Settings, Tls};

/// For the greeting: milliseconds. RFC 5321, 4.5.3.2 wants five minutes, which no call has.
const GREETING_MS: u64 = 60_000;
/// For the reply to a command: milliseconds.
pub const COMMAND_MS: u64 = 60_000;
/// For a TLS handshake: milliseconds.
const HANDSHAKE_MS: u64 = 30_000;
/// For the reply to QUIT, which changes nothing: milliseconds.
const QUIT_MS: u64 = 1_000;

/// What a reason calls the step between the reply to STARTTLS and the second EHLO.
const HANDSHAKE: &str = "TLS handshake";

/// What the server said it can do (EHLO).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Capabilities {
    pub pipelining: bool,
    /// SIZE is known at all.
    pub size: bool,
    /// The largest mail in octets, where the server names one.
    pub size_limit: Option<usize>,
    pub eight_bit: bool,
    pub utf8: bool,
    start_tls: bool,
    auth_plain: bool,
    auth_login: bool,
}

/// A connection that is ready for a transaction.
pub struct Session<'a, H: StreamHost> {
    pub wire: Wire<'a, H>,
    pub capabilities: Capabilities,
    /// A transaction was begun before: RSET comes first.
    pub used: bool,
}

impl<'a, H: StreamHost> Session<'a, H> {
    /// Opens it.
    pub fn open(host: &'a H, settings: &Settings) -> Result<Self, Trouble> {
        match Self::greet(host, settings, Protection::of(settings)) {
            // Somebody who encrypts only where it is possible does without where it is not.
            Err(Refusal::Failed(HANDSHAKE, Failure::Net(net::Error::Tls(_) | net::Error::Failed(_))))
                if Protection::of(settings) == Protection::IfOffered =>
            {
                Self::greet(host, settings, Protection::Nothing)
            }
            opened => opened,
        }
        .map_err(Refusal::into_trouble)
    }

    fn greet(host: &'a H, settings: &Settings, protection: Protection) -> Result<Self, Refusal> {
        let tls = (protection == Protection::FromTheStart).then(|| stream::tls(Verification::Full));
        let stream = host
            .connect(&settings.host, settings.port, tls.as_ref())
            .map_err(|error| Refusal::Failed("connecting", Failure::Net(error)))?;
        let wire = Wire::new(stream, host);
        let mut session = Session { wire, capabilities: Capabilities::default(), used: false };
        let greeting = session.wire.read_reply(GREETING_MS).map_err(|failure| Refusal::Failed("greeting", failure))?;
        expect("greeting", greeting, Class::Success)?;
        session.hello(settings)?;
        if session.start_tls(protection)? {
            session.hello(settings)?;
        }
        if let Some(credentials) = &settings.credentials {
            session.authenticate(credentials)?;
        }
        Ok(session)
    }

    /// EHLO, or HELO where the server does not know it. What it could do before is forgotten.
    fn hello(&mut self, settings: &Settings) -> Result<(), Refusal> {
        let reply = self.ask("EHLO", &format!("EHLO {}", settings.helo))?;
        if reply.class() == Class::Permanent {
            self.capabilities = Capabilities::default();
            let reply = self.ask("HELO", &format!("HELO {}", settings.helo))?;
            return expect("HELO", reply, Class::Success).map(drop);
        }
        let reply = expect("EHLO", reply, Class::Success)?;
        self.capabilities = capabilities(&reply.lines);
        Ok(())
    }

    /// Returns whether the connection was turned into TLS now.
    fn start_tls(&mut self, protection: Protection) -> Result<bool, Refusal> {
        let verification = match (protection, self.capabilities.start_tls) {
            (Protection::Nothing | Protection::FromTheStart, _) | (Protection::IfOffered, false) => return Ok(false),
            (Protection::Required, false) => return Err(Refusal::NotOffered("STARTTLS")),
            (Protection::IfOffered, true) => Verification::None,
            (Protection::Required, true) => Verification::Full,
        };
        let reply = self.ask("STARTTLS", "STARTTLS")?;
        if protection == Protection::IfOffered && !reply.closes() && reply.class() != Class::Success {
            return Ok(false);
        }
        expect("STARTTLS", reply, Class::Success)?;
        self.wire
            .start_tls(&stream::tls(verification), HANDSHAKE_MS)
            .map_err(|failure| Refusal::Failed(HANDSHAKE, failure))?;
        Ok(true)
    }

    fn authenticate(&mut self, credentials: &Credentials) -> Result<(), Refusal> {
        let Credentials { username, password } = credentials;
        let reply = if self.capabilities.auth_plain {
            let secret = STANDARD.encode(format!("\0{username}\0{password}"));
            self.ask("AUTH", &format!("AUTH PLAIN {secret}"))?
        } else if self.capabilities.auth_login {
            expect("AUTH", self.ask("AUTH", "AUTH LOGIN")?, Class::Continue)?;
            expect("AUTH", self.ask("AUTH", &STANDARD.encode(username))?, Class::Continue)?;
            self.ask("AUTH", &STANDARD.encode(password))?
        } else {
            return Err(Refusal::NotOffered("AUTH PLAIN or LOGIN"));
        };
        expect("AUTH", reply, Class::Success).map(drop)
    }

    fn ask(&mut self, step: &'static str, command: &str) -> Result<Reply, Refusal> {
        let failed = |failure| Refusal::Failed(step, failure);
        self.wire.write(format!("{command}\r\n").as_bytes(), COMMAND_MS).map_err(failed)?;
        self.wire.read_reply(COMMAND_MS).map_err(failed)
    }

    /// Says goodbye; whether the server hears it makes no difference to anything.
    pub fn quit(mut self) {
        if self.wire.write(b"QUIT\r\n", QUIT_MS).is_ok() {
            let _ = self.wire.read_reply(QUIT_MS);
        }
    }
}

/// How a connection is to be protected, once it is known whether a password goes over it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Protection {
    Nothing,
    IfOffered,
    Required,
    FromTheStart,
}

impl Protection {
    /// A password never goes over a connection that might be read, unless an administrator said `none`.
    fn of(settings: &Settings) -> Self {
        match settings.tls {
            Tls::None => Protection::Nothing,
            Tls::Opportunistic if settings.credentials.is_none() => Protection::IfOffered,
            Tls::Opportunistic | Tls::Required => Protection::Required,
            Tls::Implicit => Protection::FromTheStart,
        }
    }
}

/// Why there is no session.
enum Refusal {
    Failed(&'static str, Failure),
    Said(&'static str, Reply),
    NotOffered(&'static str),
}

impl Refusal {
    fn into_trouble(self) -> Trouble {
        match self {
            Refusal::Failed(step, failure) => Trouble { after_ms: None, reason: format!("{step}: {failure}") },
            Refusal::Said(step, reply) => {
                Trouble { after_ms: reply.closes().then_some(PAUSE_MS), reason: format!("{step}: {reply}") }
            }
            Refusal::NotOffered(what) => Trouble { after_ms: None, reason: format!("the server offers no {what}") },
        }
    }
}

fn expect(step: &'static str, reply: Reply, class: Class) -> Result<Reply, Refusal> {
    if reply.class() == class { Ok(reply) } else { Err(Refusal::Said(step, reply)) }
}

/// The lines of an EHLO reply; the first is the server's name.
fn capabilities(lines: &[HeaderSafe]) -> Capabilities {
    let mut known = Capabilities::default();
    for line in lines.iter().skip(1) {
        let line = line.as_str().to_ascii_uppercase();
        // Old servers write AUTH=LOGIN.
        let mut words = line.split([' ', '=']);
        match words.next().unwrap_or_default() {
            "PIPELINING" => known.pipelining = true,
            "8BITMIME" => known.eight_bit = true,
            "SMTPUTF8" => known.utf8 = true,
            "STARTTLS" => known.start_tls = true,
            "SIZE" => {
                known.size = true;
                known.size_limit = words.next().and_then(|limit| limit.parse().ok()).filter(|limit| *limit > 0);
            }
            "AUTH" => words.for_each(|mechanism| {
                known.auth_plain |= mechanism == "PLAIN";
                known.auth_login |= mechanism == "LOGIN";
            }),
            _ => {}
        }
    }
    known
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn capabilities_are_read_from_ehlo_in_any_case() {
        let lines = |text: &str| text.lines().map(HeaderSafe::flatten).collect::<Vec<_>>();
        let known =
            capabilities(&lines("mx\npipelining\nSIZE 1000\n8bitmime\nSmtpUtf8\nSTARTTLS\nAUTH CRAM-MD5 login"));
        assert!(known.pipelining && known.eight_bit && known.utf8 && known.start_tls && known.size);
        assert_eq!((known.size_limit, known.auth_plain, known.auth_login), (Some(1000), false, true));
        assert!(capabilities(&lines("mx\nAUTH=PLAIN")).auth_plain);
        assert_eq!(capabilities(&lines("mx\nSIZE 0")).size_limit, None);
        assert_eq!(capabilities(&lines("PIPELINING\nSIZE")), Capabilities { size: true, ..Capabilities::default() });
    }
}
