//! Sends commands and reads replies over one connection: buffers, limits and timeouts. It does not interpret a reply.

use thiserror::Error;
use tidings_plugin::net::{self, TlsOptions};
use tidings_plugin::stream::{self, Stream, StreamHost};
use tidings_plugin::text::HeaderSafe;

use super::reply::{Reply, parse_line};

/// The longest line of a reply, in octets. RFC 5321 allows 512; some servers send more.
const LINE_OCTETS: usize = 4096;
/// The most lines of one reply. The reply to EHLO is the longest, with about twenty.
const REPLY_LINES: usize = 100;
/// The most octets of one read.
const READ_OCTETS: u32 = 4096;
/// The most octets of one write. Each write has its own timeout, so a large mail gets more time.
const WRITE_OCTETS: usize = 64 * 1024;
/// The time that is kept of the call's deadline, in milliseconds: the plugin needs it to return its outcomes.
const RETURN_MS: u64 = 500;
/// How much of an invalid reply an error quotes, in characters.
const QUOTE_CHARS: usize = 80;

/// Why a connection is unusable.
#[derive(Debug, Error)]
pub enum TransportError {
    #[error("{}", stream::describe(.0))]
    Net(net::Error),
    #[error("the server closed the connection")]
    Closed,
    #[error("the server sent an invalid reply: {0}")]
    Invalid(HeaderSafe),
    #[error("the server's reply is too long")]
    TooLong,
    #[error("data followed the reply to STARTTLS; an attacker may have injected it")]
    Injected,
}

impl From<net::Error> for TransportError {
    fn from(error: net::Error) -> Self {
        TransportError::Net(error)
    }
}

/// One connection. After a [`TransportError`] it must not be used.
pub struct Transport<'a, H: StreamHost> {
    stream: H::Stream,
    host: &'a H,
    /// Octets that were received and not parsed yet.
    buffer: Vec<u8>,
}

impl<'a, H: StreamHost> Transport<'a, H> {
    pub fn new(stream: H::Stream, host: &'a H) -> Self {
        Transport { stream, host, buffer: Vec::new() }
    }

    /// Sends the octets, each part of [`WRITE_OCTETS`] within `limit_ms`.
    pub fn write(&mut self, bytes: &[u8], limit_ms: u64) -> Result<(), TransportError> {
        for part in bytes.chunks(WRITE_OCTETS) {
            let timeout_ms = self.timeout_ms(self.deadline(limit_ms))?;
            self.stream.set_timeout_ms(timeout_ms);
            self.stream.write(part)?;
        }
        Ok(())
    }

    /// Reads the next reply completely, within `limit_ms`.
    pub fn read_reply(&mut self, limit_ms: u64) -> Result<Reply, TransportError> {
        let deadline = self.deadline(limit_ms);
        let mut lines = Vec::new();
        let mut first_code = None;
        loop {
            let line = self.read_line(deadline)?;
            let Some((code, more, text)) = parse_line(&line) else {
                return Err(invalid(&line));
            };
            if *first_code.get_or_insert(code) != code {
                return Err(invalid(&line));
            }
            lines.push(text);
            if !more {
                return Ok(Reply::new(code, lines));
            }
            if lines.len() == REPLY_LINES {
                return Err(TransportError::TooLong);
            }
        }
    }

    /// Encrypts the connection. Fails when anything followed the reply to STARTTLS (CVE-2011-0411).
    pub fn start_tls(&mut self, tls: &TlsOptions, limit_ms: u64) -> Result<(), TransportError> {
        if !self.buffer.is_empty() {
            return Err(TransportError::Injected);
        }
        let timeout_ms = self.timeout_ms(self.deadline(limit_ms))?;
        self.stream.set_timeout_ms(timeout_ms);
        Ok(self.stream.start_tls(tls)?)
    }

    /// Reads a line without its end. A bare LF ends a line too: some servers send it.
    fn read_line(&mut self, deadline: u64) -> Result<Vec<u8>, TransportError> {
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
                return Err(TransportError::TooLong);
            }
            let timeout_ms = self.timeout_ms(deadline)?;
            self.stream.set_timeout_ms(timeout_ms);
            let bytes = self.stream.read(READ_OCTETS)?;
            if bytes.is_empty() {
                return Err(TransportError::Closed);
            }
            self.buffer.extend(bytes);
        }
    }

    /// The deadline of a step that may take `limit_ms`, as the remaining time of the call at that moment.
    fn deadline(&self, limit_ms: u64) -> u64 {
        self.host.remaining_ms().saturating_sub(limit_ms).max(RETURN_MS)
    }

    fn timeout_ms(&self, deadline: u64) -> Result<u32, TransportError> {
        match self.host.remaining_ms().saturating_sub(deadline) {
            0 => Err(TransportError::Net(net::Error::Timeout)),
            timeout_ms => Ok(u32::try_from(timeout_ms).unwrap_or(u32::MAX)),
        }
    }
}

fn invalid(line: &[u8]) -> TransportError {
    TransportError::Invalid(HeaderSafe::flatten(&String::from_utf8_lossy(line)).truncate(QUOTE_CHARS))
}
