//! An SMTP server on a script, behind the plugin's own traits: no sockets, no clock but the one below.

use std::cell::{Cell, RefCell};
use std::collections::{HashMap, VecDeque};
use std::rc::Rc;

use email::settings::Settings;
use email::smtp::{self, Clock, Network, Stream};
use tidings_plugin::net::{Error, Verification};
use tidings_plugin::{Delivery, Outcome};

/// What the server does instead of its usual.
#[derive(Clone, Debug)]
pub enum Act {
    /// These octets, and CRLF.
    Say(&'static str),
    /// These octets, exactly.
    Raw(Vec<u8>),
    /// The connection closes without a word.
    Close,
    /// Nothing comes, ever.
    Hang,
    /// The stream itself fails: at `connect` and `tls`.
    Fail(Error),
}

/// What it usually offers, one EHLO keyword a line.
pub const ALL: &str = "PIPELINING\nSIZE 1000000\n8BITMIME\nSMTPUTF8\nENHANCEDSTATUSCODES";

#[derive(Default)]
struct Inner {
    offers: &'static str,
    /// By step (`connect`, `greeting`, `tls`, a command's verb, `.` for the mail) and how often it came before.
    script: HashMap<(&'static str, usize), Act>,
    counts: HashMap<String, usize>,
    connections: usize,
    transcript: Vec<String>,
    mails: Vec<String>,
    verification: Vec<Verification>,
}

/// The server, and what it saw.
#[derive(Clone)]
pub struct Server {
    inner: Rc<RefCell<Inner>>,
    remaining_ms: Rc<Cell<u64>>,
    /// How long each reply takes.
    pub delay_ms: u64,
    /// How many octets one read gives.
    pub chunk: usize,
}

impl Server {
    pub fn new(offers: &'static str) -> Self {
        let inner = Rc::new(RefCell::new(Inner { offers, ..Inner::default() }));
        Server { inner, remaining_ms: Rc::new(Cell::new(120_000)), delay_ms: 0, chunk: usize::MAX }
    }

    /// At the `nth` time (from 0) that this step comes, over all connections.
    pub fn on(self, step: &'static str, nth: usize, act: Act) -> Self {
        self.inner.borrow_mut().script.insert((step, nth), act);
        self
    }

    pub fn deliver(&self, settings: &Settings, batch: &[Delivery]) -> Vec<Outcome> {
        let mut told = Vec::new();
        let outcomes = smtp::deliver(self, self, settings, batch, |place, outcome| {
            assert_eq!(place, told.len(), "outcomes are told in order");
            told.push(outcome.clone());
        });
        assert_eq!(told, outcomes, "each outcome was told, and as it was returned");
        assert_eq!(outcomes.len(), batch.len());
        outcomes
    }

    pub fn transcript(&self) -> Vec<String> {
        self.inner.borrow().transcript.clone()
    }

    /// The mails that came complete, without the stuffed dots.
    pub fn mails(&self) -> Vec<String> {
        self.inner.borrow().mails.clone()
    }

    pub fn connections(&self) -> usize {
        self.inner.borrow().connections
    }

    /// Of each handshake that succeeded.
    pub fn verification(&self) -> Vec<Verification> {
        self.inner.borrow().verification.clone()
    }

    pub fn remaining(&self) -> u64 {
        self.remaining_ms.get()
    }

    pub fn set_remaining(&self, ms: u64) {
        self.remaining_ms.set(ms);
    }

    fn act(&self, step: &'static str) -> Option<Act> {
        let mut inner = self.inner.borrow_mut();
        let count = inner.counts.entry(step.to_owned()).or_default();
        let nth = *count;
        *count += 1;
        inner.script.get(&(step, nth)).cloned()
    }

    fn handshake(&self, verification: Verification) -> Result<(), Error> {
        if let Some(Act::Fail(error)) = self.act("tls") {
            return Err(error);
        }
        self.inner.borrow_mut().verification.push(verification);
        Ok(())
    }
}

impl Clock for Server {
    fn remaining_ms(&self) -> u64 {
        self.remaining_ms.get()
    }
}

impl Network for Server {
    type Stream = Talk;

    fn connect(&self, _: &str, _: u16, tls: Option<Verification>) -> Result<Talk, Error> {
        if let Some(Act::Fail(error)) = self.act("connect") {
            return Err(error);
        }
        self.inner.borrow_mut().connections += 1;
        if let Some(verification) = tls {
            self.handshake(verification)?;
        }
        let mut talk = Talk {
            server: self.clone(),
            input: Vec::new(),
            output: VecDeque::new(),
            content: false,
            closed: false,
            timeout_ms: 30_000,
        };
        talk.reply("greeting", "220 mx.example.org ESMTP");
        Ok(talk)
    }
}

/// One connection.
pub struct Talk {
    server: Server,
    input: Vec<u8>,
    output: VecDeque<u8>,
    content: bool,
    closed: bool,
    timeout_ms: u32,
}

impl Stream for Talk {
    fn read(&mut self, max: u32) -> Result<Vec<u8>, Error> {
        let remaining = &self.server.remaining_ms;
        let silent = self.output.is_empty() && !self.closed;
        let waited_ms = if silent { u64::MAX } else { self.server.delay_ms }.min(u64::from(self.timeout_ms));
        remaining.set(remaining.get().saturating_sub(waited_ms));
        if silent || waited_ms < self.server.delay_ms {
            return Err(Error::Timeout);
        }
        let length = self.output.len().min(max as usize).min(self.server.chunk);
        Ok(self.output.drain(..length).collect())
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), Error> {
        if self.closed {
            return Err(Error::Failed("connection reset".into()));
        }
        self.input.extend_from_slice(bytes);
        while !self.closed && self.take() {}
        Ok(())
    }

    fn start_tls(&mut self, verification: Verification) -> Result<(), Error> {
        self.server.handshake(verification)
    }

    fn set_timeout_ms(&mut self, timeout: u32) {
        assert!(timeout > 0);
        self.timeout_ms = timeout;
    }
}

impl Talk {
    /// One command or one mail from the input, if there is one complete.
    fn take(&mut self) -> bool {
        let end: &[u8] = if self.content { b"\r\n.\r\n" } else { b"\r\n" };
        let Some(at) = self.input.windows(end.len()).position(|octets| octets == end) else { return false };
        let unit: Vec<u8> = self.input.drain(..at + end.len()).collect();
        if self.content {
            self.content = false;
            self.receive(&unit[..at + 2]);
        } else {
            self.command(String::from_utf8(unit[..at].to_vec()).unwrap());
        }
        true
    }

    fn receive(&mut self, stuffed: &[u8]) {
        let text = String::from_utf8(stuffed.to_vec()).unwrap();
        let bare = text.replace("\r\n", "");
        assert!(!bare.contains(['\r', '\n', '\0']), "only whole CRLF pairs and no NUL");
        let lines = text.split_inclusive("\r\n").map(|line| line.strip_prefix('.').unwrap_or(line));
        self.server.inner.borrow_mut().mails.push(lines.collect());
        self.reply(".", "250 2.0.0 queued as 4711");
    }

    fn command(&mut self, line: String) {
        let offers = self.server.inner.borrow().offers;
        let verb = line.split(' ').next().unwrap().to_owned();
        self.server.inner.borrow_mut().transcript.push(line);
        match verb.as_str() {
            "EHLO" => {
                let mut lines = vec!["mx.example.org"];
                lines.extend(offers.lines());
                let last = lines.len() - 1;
                let line = |(at, line)| format!("250{}{line}", if at == last { ' ' } else { '-' });
                let reply: Vec<String> = lines.into_iter().enumerate().map(line).collect();
                self.reply("EHLO", &reply.join("\r\n"));
            }
            "HELO" => self.reply("HELO", "250 mx.example.org"),
            "STARTTLS" => self.reply("STARTTLS", "220 2.0.0 go ahead"),
            "AUTH" => self.reply("AUTH", "235 2.7.0 welcome"),
            "RSET" => self.reply("RSET", "250 2.0.0 ok"),
            "MAIL" => self.reply("MAIL", "250 2.1.0 ok"),
            "RCPT" => self.reply("RCPT", "250 2.1.5 ok"),
            "DATA" => {
                let before = self.output.len();
                self.reply("DATA", "354 go ahead");
                self.content = self.output.iter().skip(before).take(3).eq(b"354");
            }
            "QUIT" => {
                self.reply("QUIT", "221 2.0.0 bye");
                self.closed = true;
            }
            _ => self.reply("other", "235 2.7.0 welcome"),
        }
    }

    fn reply(&mut self, step: &'static str, usual: &str) {
        let say = |output: &mut VecDeque<u8>, text: &str| output.extend(format!("{text}\r\n").into_bytes());
        match self.server.act(step) {
            None => say(&mut self.output, usual),
            Some(Act::Say(text)) => {
                say(&mut self.output, text);
                self.closed |= text.starts_with("421");
            }
            Some(Act::Raw(octets)) => self.output.extend(octets),
            Some(Act::Close | Act::Fail(_)) => self.closed = true,
            Some(Act::Hang) => {}
        }
    }
}
