//! Commands out, replies in: buffering, bounds and time limits of one connection. What a reply means is not its affair.

use thiserror::Error;
use tidings_plugin::net::{self, TlsOptions};
use tidings_plugin::stream::{self, Stream, StreamHost};
use tidings_plugin::text::HeaderSafe;

use super::reply::{Reply, parse_line};

/// The longest line of a reply, in octets. RFC 5321 allows 512; some servers write more.
const LINE_OCTETS: usize = 4096;
/// The most lines of one reply; EHLO's is the longest, with some twenty.
const REPLY_LINES: usize = 100;
/// How much is asked of the stream at a time, in octets.
const READ_OCTETS: u32 = 4096;
/// How much of a mail is handed to the stream at a time, in octets, so that each part has its own time limit.
const WRITE_OCTETS: usize = 64 * 1024;
/// What is left of the call's deadline when waiting ends, so that there is time to answer: milliseconds.
const ANSWER_MS: u64 = 500;

/// Why a connection cannot be used any more.
#[derive(Debug, Error)]
pub enum Failure {
    #[error("{}", stream::describe(.0))]
    Net(net::Error),
    #[error("the server closed the connection")]
    Closed,
    #[error("the server does not speak SMTP: {0}")]
    Nonsense(HeaderSafe),
    #[error("the server's reply is too long")]
    TooLong,
    #[error("there was text behind the reply to STARTTLS, which somebody on the way may have put there")]
    Injected,
}

impl From<net::Error> for Failure {
    fn from(error: net::Error) -> Self {
        Failure::Net(error)
    }
}

/// One connection. After a [`Failure`] it must not be used any more.
pub struct Wire<'a, H: StreamHost> {
    stream: H::Stream,
    host: &'a H,
    /// What arrived and was not yet used.
    buffer: Vec<u8>,
}

impl<'a, H: StreamHost> Wire<'a, H> {
    pub fn new(stream: H::Stream, host: &'a H) -> Self {
        Wire { stream, host, buffer: Vec::new() }
    }

    /// Sends it, each part within `limit_ms`.
    pub fn write(&mut self, bytes: &[u8], limit_ms: u64) -> Result<(), Failure> {
        for part in bytes.chunks(WRITE_OCTETS) {
            let wait = self.wait_until(self.end(limit_ms))?;
            self.stream.set_timeout_ms(wait);
            self.stream.write(part)?;
        }
        Ok(())
    }

    /// The next reply, complete within `limit_ms`.
    pub fn read_reply(&mut self, limit_ms: u64) -> Result<Reply, Failure> {
        let end = self.end(limit_ms);
        let mut lines = Vec::new();
        let mut first_code = None;
        loop {
            let line = self.read_line(end)?;
            let Some((code, more, text)) = parse_line(&line) else {
                return Err(nonsense(&line));
            };
            if *first_code.get_or_insert(code) != code {
                return Err(nonsense(&line));
            }
            lines.push(text);
            if !more {
                return Ok(Reply::new(code, lines));
            }
            if lines.len() == REPLY_LINES {
                return Err(Failure::TooLong);
            }
        }
    }

    /// Turns the stream into TLS. Nothing may have arrived behind the reply that allowed it (CVE-2011-0411).
    pub fn start_tls(&mut self, tls: &TlsOptions, limit_ms: u64) -> Result<(), Failure> {
        if !self.buffer.is_empty() {
            return Err(Failure::Injected);
        }
        let wait = self.wait_until(self.end(limit_ms))?;
        self.stream.set_timeout_ms(wait);
        Ok(self.stream.start_tls(tls)?)
    }

    /// A line without its end. A bare LF ends one too, as everywhere.
    fn read_line(&mut self, end: u64) -> Result<Vec<u8>, Failure> {
        let mut searched = 0;
        loop {
            if let Some(length) = self.buffer[searched..].iter().position(|byte| *byte == b'\n') {
                let mut line: Vec<u8> = self.buffer.drain(..=searched + length).collect();
                line.pop();
                if line.last() == Some(&b'\r') {
                    line.pop();
                }
                return Ok(line);
            }
            searched = self.buffer.len();
            if searched > LINE_OCTETS {
                return Err(Failure::TooLong);
            }
            let wait = self.wait_until(end)?;
            self.stream.set_timeout_ms(wait);
            let bytes = self.stream.read(READ_OCTETS)?;
            if bytes.is_empty() {
                return Err(Failure::Closed);
            }
            self.buffer.extend(bytes);
        }
    }

    /// The end of a step that may take `limit_ms`, in what the clock will then have left.
    fn end(&self, limit_ms: u64) -> u64 {
        self.host.remaining_ms().saturating_sub(limit_ms).max(ANSWER_MS)
    }

    fn wait_until(&self, end: u64) -> Result<u32, Failure> {
        match self.host.remaining_ms().saturating_sub(end) {
            0 => Err(Failure::Net(net::Error::Timeout)),
            wait => Ok(u32::try_from(wait).unwrap_or(u32::MAX)),
        }
    }
}

fn nonsense(line: &[u8]) -> Failure {
    Failure::Nonsense(HeaderSafe::flatten(&String::from_utf8_lossy(line)).truncate(80))
}
