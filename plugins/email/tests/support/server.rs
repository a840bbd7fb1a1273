//! A scripted SMTP server in memory: it accepts every mail, except where a test has told it to do something else.

use std::collections::HashMap;

use email::settings::Settings;
use email::smtp;
use tidings_plugin::net::{Error, TlsOptions, Verification};
use tidings_plugin::stream::StreamHost as _;
use tidings_plugin::testing::{MemoryHost, Peer, PeerReply};
use tidings_plugin::{Delivery, Outcome};

/// What the server does instead of its usual reply.
#[derive(Clone, Debug)]
pub enum Act {
    /// Sends this line.
    Reply(&'static str),
    /// Sends exactly these octets.
    Raw(Vec<u8>),
    /// Closes the connection.
    Close,
    /// Sends nothing and keeps the connection open.
    Hang,
    /// Makes `connect` or the TLS handshake fail.
    Fail(Error),
}

/// The EHLO keywords of a server with all extensions, one a line.
pub const ALL: &str = "PIPELINING\nSIZE 1000000\n8BITMIME\nSMTPUTF8\nENHANCEDSTATUSCODES";

/// The server, the host that leads to it, and what it received.
pub struct Server {
    host: MemoryHost<SmtpPeer>,
}

impl Server {
    pub fn new(offers: &'static str) -> Self {
        Server::scripted(offers, &[])
    }

    /// A server that acts as told at the `nth` time (from 0) that a step comes, over all connections. The steps are
    /// `connect`, `greeting`, `tls`, a command's verb, `.` for the mail, and `other`.
    pub fn scripted(offers: &'static str, script: &[(&'static str, usize, Act)]) -> Self {
        let script = script.iter().map(|(step, nth, act)| ((*step, *nth), act.clone())).collect();
        Server { host: MemoryHost::new(SmtpPeer { offers, script, ..SmtpPeer::default() }) }
    }

    /// Lets each read of a reply take `delay_ms` and return at most `read_bytes`.
    pub fn slow(mut self, delay_ms: u64, read_bytes: usize) -> Self {
        self.host.set_delay_ms(delay_ms);
        self.host.set_read_bytes(read_bytes);
        self
    }

    /// Gives the call this long, in milliseconds.
    pub fn within(mut self, call_ms: u64) -> Self {
        self.host.set_remaining_ms(call_ms);
        self
    }

    /// Delivers the batch. Each outcome must be settled once, in order, and as it is returned.
    pub fn deliver(&self, settings: &Settings, batch: &[Delivery]) -> Vec<Outcome> {
        let mut settled = Vec::new();
        let outcomes = smtp::deliver(&self.host, settings, batch, |index, outcome| {
            assert_eq!(index, settled.len(), "outcomes are settled in order");
            settled.push(outcome.clone());
        });
        assert_eq!(settled, outcomes);
        assert_eq!(outcomes.len(), batch.len());
        outcomes
    }

    /// The commands that arrived.
    pub fn transcript(&self) -> Vec<String> {
        self.host.peer().transcript.clone()
    }

    /// The complete mails that arrived, without the stuffed dots.
    pub fn mails(&self) -> Vec<String> {
        self.host.peer().mails.clone()
    }

    pub fn connections(&self) -> usize {
        self.host.peer().connections
    }

    /// The verification of each handshake that succeeded.
    pub fn verification(&self) -> Vec<Verification> {
        self.host.peer().verification.clone()
    }

    /// The time that is left of the call, in milliseconds.
    pub fn remaining_ms(&self) -> u64 {
        self.host.remaining_ms()
    }
}

#[derive(Default)]
struct SmtpPeer {
    offers: &'static str,
    script: HashMap<(&'static str, usize), Act>,
    counts: HashMap<&'static str, usize>,
    connections: usize,
    /// The mail comes next, not a command.
    in_data: bool,
    transcript: Vec<String>,
    mails: Vec<String>,
    verification: Vec<Verification>,
}

impl Peer for SmtpPeer {
    fn accept(&mut self, tls: Option<&TlsOptions>) -> Result<PeerReply, Error> {
        if let Some(Act::Fail(error)) = self.act("connect") {
            return Err(error);
        }
        self.connections += 1;
        self.in_data = false;
        if let Some(tls) = tls {
            self.start_tls(tls)?;
        }
        Ok(self.reply("greeting", "220 mx.example.org ESMTP"))
    }

    fn start_tls(&mut self, tls: &TlsOptions) -> Result<(), Error> {
        if let Some(Act::Fail(error)) = self.act("tls") {
            return Err(error);
        }
        self.verification.push(tls.verification);
        Ok(())
    }

    fn receive(&mut self, input: &mut Vec<u8>) -> Option<PeerReply> {
        let end: &[u8] = if self.in_data { b"\r\n.\r\n" } else { b"\r\n" };
        let at = input.windows(end.len()).position(|octets| octets == end)?;
        let unit: Vec<u8> = input.drain(..at + end.len()).collect();
        if self.in_data {
            self.in_data = false;
            return Some(self.mail(&unit[..at + 2]));
        }
        Some(self.command(String::from_utf8(unit[..at].to_vec()).unwrap()))
    }
}

impl SmtpPeer {
    /// What the script says for this step, which has come once more.
    fn act(&mut self, step: &'static str) -> Option<Act> {
        let count = self.counts.entry(step).or_default();
        let nth = *count;
        *count += 1;
        self.script.get(&(step, nth)).cloned()
    }

    fn mail(&mut self, stuffed: &[u8]) -> PeerReply {
        let text = String::from_utf8(stuffed.to_vec()).unwrap();
        let bare = text.replace("\r\n", "");
        assert!(!bare.contains(['\r', '\n', '\0']), "only whole CRLF pairs and no NUL");
        let lines = text.split_inclusive("\r\n").map(|line| line.strip_prefix('.').unwrap_or(line));
        self.mails.push(lines.collect());
        self.reply(".", "250 2.0.0 queued as 4711")
    }

    fn command(&mut self, line: String) -> PeerReply {
        let verb = line.split(' ').next().unwrap().to_owned();
        self.transcript.push(line);
        match verb.as_str() {
            "EHLO" => {
                let lines: Vec<&str> = ["mx.example.org"].into_iter().chain(self.offers.lines()).collect();
                let last = lines.len() - 1;
                let line = |(at, line)| format!("250{}{line}", if at == last { ' ' } else { '-' });
                let reply: Vec<String> = lines.into_iter().enumerate().map(line).collect();
                self.reply("EHLO", &reply.join("\r\n"))
            }
            "HELO" => self.reply("HELO", "250 mx.example.org"),
            "STARTTLS" => self.reply("STARTTLS", "220 2.0.0 go ahead"),
            "AUTH" => self.reply("AUTH", "235 2.7.0 welcome"),
            "RSET" => self.reply("RSET", "250 2.0.0 ok"),
            "MAIL" => self.reply("MAIL", "250 2.1.0 ok"),
            "RCPT" => self.reply("RCPT", "250 2.1.5 ok"),
            "DATA" => {
                let reply = self.reply("DATA", "354 go ahead");
                self.in_data = reply.bytes.starts_with(b"354");
                reply
            }
            "QUIT" => PeerReply { close: true, ..self.reply("QUIT", "221 2.0.0 bye") },
            _ => self.reply("other", "235 2.7.0 welcome"),
        }
    }

    fn reply(&mut self, step: &'static str, usual: &str) -> PeerReply {
        let line = |text: &str, close| PeerReply { bytes: format!("{text}\r\n").into_bytes(), close };
        match self.act(step) {
            None => line(usual, false),
            Some(Act::Reply(text)) => line(text, text.starts_with("421")),
            Some(Act::Raw(bytes)) => PeerReply { bytes, close: false },
            Some(Act::Close | Act::Fail(_)) => PeerReply { bytes: Vec::new(), close: true },
            Some(Act::Hang) => PeerReply::default(),
        }
    }
}
