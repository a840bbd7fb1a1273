//! Opens a session: connection, greeting, EHLO, STARTTLS and AUTH. An error here concerns no particular delivery, so it
//! is trouble of the channel.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use tidings_plugin::net::{self, Verification};
use tidings_plugin::stream::{self, StreamHost};
use tidings_plugin::{Trouble, text::HeaderSafe};

use super::reply::{Class, Reply};
use super::reply_policy::PAUSE_MS;
use super::transport::{Transport, TransportError};
use crate::settings::{Credentials, Settings, Tls};

/// The time limit of the greeting, in milliseconds. RFC 5321, 4.5.3.2 recommends five minutes, longer than a call.
const GREETING_MS: u64 = 60_000;
/// The time limit of the reply to a command, in milliseconds.
pub const COMMAND_MS: u64 = 60_000;
/// The time limit of a TLS handshake, in milliseconds.
const HANDSHAKE_MS: u64 = 30_000;
/// The time limit of the reply to QUIT, which has no effect, in milliseconds.
const QUIT_MS: u64 = 1_000;

/// The name of the step between the reply to STARTTLS and the second EHLO.
const HANDSHAKE: &str = "TLS handshake";

/// The extensions of the server, from its reply to EHLO.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Capabilities {
    pub pipelining: bool,
    /// The server supports SIZE.
    pub size: bool,
    /// The size of the largest mail in octets, where the server declares it.
    pub size_limit: Option<usize>,
    pub eight_bit: bool,
    pub utf8: bool,
    start_tls: bool,
    auth_plain: bool,
    auth_login: bool,
}

/// A connection that is ready for a transaction.
pub struct Session<'a, H: StreamHost> {
    pub transport: Transport<'a, H>,
    pub capabilities: Capabilities,
    /// A transaction was started before, so the next one starts with RSET.
    pub used: bool,
}

impl<'a, H: StreamHost> Session<'a, H> {
    /// Connects, and encrypts and authenticates as the settings ask.
    pub fn open(host: &'a H, settings: &Settings) -> Result<Self, Trouble> {
        match Self::connect(host, settings, Protection::of(settings)) {
            // Opportunistic encryption continues in plain text where the handshake fails.
            Err(OpenError::Failed(HANDSHAKE, TransportError::Net(net::Error::Tls(_) | net::Error::Failed(_))))
                if Protection::of(settings) == Protection::IfOffered =>
            {
                Self::connect(host, settings, Protection::Nothing)
            }
            opened => opened,
        }
        .map_err(OpenError::into_trouble)
    }

    fn connect(host: &'a H, settings: &Settings, protection: Protection) -> Result<Self, OpenError> {
        let tls = (protection == Protection::FromTheStart).then(|| stream::tls(Verification::Full));
        let stream = host
            .connect(&settings.host, settings.port, tls.as_ref())
            .map_err(|error| OpenError::Failed("connecting", TransportError::Net(error)))?;
        let transport = Transport::new(stream, host);
        let mut session = Session { transport, capabilities: Capabilities::default(), used: false };
        let greeting =
            session.transport.read_reply(GREETING_MS).map_err(|error| OpenError::Failed("greeting", error))?;
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

    /// Sends EHLO, or HELO where the server does not support it, and replaces the known extensions.
    fn hello(&mut self, settings: &Settings) -> Result<(), OpenError> {
        let reply = self.command("EHLO", &format!("EHLO {}", settings.helo))?;
        if reply.class() == Class::Permanent {
            self.capabilities = Capabilities::default();
            let reply = self.command("HELO", &format!("HELO {}", settings.helo))?;
            return expect("HELO", reply, Class::Success).map(drop);
        }
        let reply = expect("EHLO", reply, Class::Success)?;
        self.capabilities = capabilities(&reply.lines);
        Ok(())
    }

    /// Returns whether it has encrypted the connection.
    fn start_tls(&mut self, protection: Protection) -> Result<bool, OpenError> {
        let verification = match (protection, self.capabilities.start_tls) {
            (Protection::Nothing | Protection::FromTheStart, _) | (Protection::IfOffered, false) => return Ok(false),
            (Protection::Required, false) => return Err(OpenError::NotOffered("STARTTLS")),
            (Protection::IfOffered, true) => Verification::None,
            (Protection::Required, true) => Verification::Full,
        };
        let reply = self.command("STARTTLS", "STARTTLS")?;
        if protection == Protection::IfOffered && !reply.closes() && reply.class() != Class::Success {
            return Ok(false);
        }
        expect("STARTTLS", reply, Class::Success)?;
        self.transport
            .start_tls(&stream::tls(verification), HANDSHAKE_MS)
            .map_err(|error| OpenError::Failed(HANDSHAKE, error))?;
        Ok(true)
    }

    fn authenticate(&mut self, credentials: &Credentials) -> Result<(), OpenError> {
        let Credentials { username, password } = credentials;
        let reply = if self.capabilities.auth_plain {
            let secret = STANDARD.encode(format!("\0{username}\0{password}"));
            self.command("AUTH", &format!("AUTH PLAIN {secret}"))?
        } else if self.capabilities.auth_login {
            expect("AUTH", self.command("AUTH", "AUTH LOGIN")?, Class::Continue)?;
            expect("AUTH", self.command("AUTH", &STANDARD.encode(username))?, Class::Continue)?;
            self.command("AUTH", &STANDARD.encode(password))?
        } else {
            return Err(OpenError::NotOffered("AUTH PLAIN or LOGIN"));
        };
        expect("AUTH", reply, Class::Success).map(drop)
    }

    fn command(&mut self, step: &'static str, command: &str) -> Result<Reply, OpenError> {
        let failed = |error| OpenError::Failed(step, error);
        self.transport.write(format!("{command}\r\n").as_bytes(), COMMAND_MS).map_err(failed)?;
        self.transport.read_reply(COMMAND_MS).map_err(failed)
    }

    /// Sends QUIT. A failure has no effect.
    pub fn quit(mut self) {
        if self.transport.write(b"QUIT\r\n", QUIT_MS).is_ok() {
            let _ = self.transport.read_reply(QUIT_MS);
        }
    }
}

/// How the connection is encrypted. Depends on whether a password is sent over it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Protection {
    Nothing,
    IfOffered,
    Required,
    FromTheStart,
}

impl Protection {
    /// A password is sent over an encrypted connection only, unless the administrator has set `none`.
    fn of(settings: &Settings) -> Self {
        match settings.tls {
            Tls::None => Protection::Nothing,
            Tls::Opportunistic if settings.credentials.is_none() => Protection::IfOffered,
            Tls::Opportunistic | Tls::Required => Protection::Required,
            Tls::Implicit => Protection::FromTheStart,
        }
    }
}

/// Why a session was not opened.
enum OpenError {
    Failed(&'static str, TransportError),
    Refused(&'static str, Reply),
    NotOffered(&'static str),
}

impl OpenError {
    fn into_trouble(self) -> Trouble {
        match self {
            OpenError::Failed(step, error) => Trouble { after_ms: None, reason: format!("{step}: {error}") },
            OpenError::Refused(step, reply) => {
                Trouble { after_ms: reply.closes().then_some(PAUSE_MS), reason: format!("{step}: {reply}") }
            }
            OpenError::NotOffered(what) => {
                Trouble { after_ms: None, reason: format!("the server does not offer {what}") }
            }
        }
    }
}

fn expect(step: &'static str, reply: Reply, class: Class) -> Result<Reply, OpenError> {
    if reply.class() == class { Ok(reply) } else { Err(OpenError::Refused(step, reply)) }
}

/// Parses the lines of an EHLO reply. The first line is the server's name.
fn capabilities(lines: &[HeaderSafe]) -> Capabilities {
    let mut known = Capabilities::default();
    for line in lines.iter().skip(1) {
        let line = line.as_str().to_ascii_uppercase();
        // Old servers send AUTH=LOGIN.
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
