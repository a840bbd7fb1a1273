//! A session on a byte stream: bytes to lines and back, with their bounds. What a line means is not its affair.

use tidings_plugin::net::Error;
use tidings_plugin::stream::{self, Stream, StreamHost};

use crate::judge::Fault;
use crate::line::LINE_OCTETS;
use crate::message::Message;
use crate::session::{Heard, Session};
use crate::settings::Settings;

/// How much is asked of the stream at a time, in octets.
const READ_OCTETS: u32 = 16 * 1024;
/// The longest line that is waited for, in octets: IRCv3 allows 8191 for tags and 512 for the rest.
const HELD_OCTETS: usize = 16 * 1024;
/// How long the network may take to accept what is written: milliseconds.
const WRITE_MS: u32 = 5000;
/// How long a server's last words are waited for after writing failed: milliseconds.
const LAST_WORDS_MS: u32 = 200;
/// Reads for those words.
const LAST_READS: usize = 16;

/// A connection in use.
pub struct Link<S> {
    stream: S,
    /// What arrived and is no whole line yet.
    buffer: Vec<u8>,
    pub session: Session,
}

impl<S: Stream> Link<S> {
    pub fn new(stream: S, session: Session) -> Self {
        Link { stream, buffer: Vec::new(), session }
    }

    /// Writes what may be written, waits at most `wait_ms` for something to come, and does what is due. Answers what was
    /// heard, and whether anything came. After [`Heard::Broken`], which is the last, the link must not be used.
    pub fn step(&mut self, host: &impl StreamHost, settings: &Settings, wait_ms: u64) -> (Vec<Heard>, bool) {
        let mut heard = Vec::new();
        if let Err(fault) = self.flush(host) {
            self.last_words(host, settings, fault, &mut heard);
            return (heard, true);
        }
        let now_ms = host.monotonic_ms();
        let wait_ms = wait_ms.min(self.session.due_ms(settings, now_ms).saturating_sub(now_ms));
        self.stream.set_timeout_ms(u32::try_from(wait_ms).unwrap_or(u32::MAX));
        let came = match self.stream.read(READ_OCTETS) {
            Ok(bytes) if bytes.is_empty() => {
                heard.push(Heard::Broken(Fault::usual("the server closed the connection")));
                return (heard, true);
            }
            Ok(bytes) => {
                self.take(&bytes, host, settings, &mut heard);
                true
            }
            Err(Error::Timeout) => false,
            Err(error) => {
                heard.push(Heard::Broken(failed(&error)));
                return (heard, true);
            }
        };
        if !matches!(heard.last(), Some(Heard::Broken(_))) {
            heard.extend(self.session.tick(settings, host.monotonic_ms()));
        }
        if !matches!(heard.last(), Some(Heard::Broken(_)))
            && let Err(fault) = self.flush(host)
        {
            self.last_words(host, settings, fault, &mut heard);
        }
        (heard, came)
    }

    /// Writes all lines that may go now.
    pub fn flush(&mut self, host: &impl StreamHost) -> Result<(), Fault> {
        let now_ms = host.monotonic_ms();
        let mut bytes = Vec::new();
        while let Some(mut line) = self.session.next_line(now_ms) {
            line.retain(|c| !matches!(c, '\r' | '\n' | '\0'));
            line.truncate(line.floor_char_boundary(LINE_OCTETS));
            bytes.extend_from_slice(line.as_bytes());
            bytes.extend_from_slice(b"\r\n");
        }
        if bytes.is_empty() {
            return Ok(());
        }
        self.stream.set_timeout_ms(WRITE_MS);
        self.stream.write(&bytes).map_err(|error| failed(&error))
    }

    fn take(&mut self, bytes: &[u8], host: &impl StreamHost, settings: &Settings, heard: &mut Vec<Heard>) {
        self.buffer.extend_from_slice(bytes);
        let mut from = 0;
        while let Some(length) = self.buffer[from..].iter().position(|byte| matches!(byte, b'\n' | b'\r')) {
            let message = Message::parse(&self.buffer[from..from + length]);
            from += length + 1;
            let Some(message) = message else { continue };
            heard.extend(self.session.hear(settings, &message, host.monotonic_ms()));
            if matches!(heard.last(), Some(Heard::Broken(_))) {
                return;
            }
        }
        self.buffer.drain(..from);
        if self.buffer.len() > HELD_OCTETS {
            heard.push(Heard::Broken(Fault::usual("the server sends a line without end: that is no IRC")));
        }
    }

    /// Writing failed: what the server said before may tell why.
    fn last_words(&mut self, host: &impl StreamHost, settings: &Settings, fault: Fault, heard: &mut Vec<Heard>) {
        self.stream.set_timeout_ms(LAST_WORDS_MS);
        for _ in 0..LAST_READS {
            match self.stream.read(READ_OCTETS) {
                Ok(bytes) if !bytes.is_empty() => self.take(&bytes, host, settings, heard),
                _ => break,
            }
            if matches!(heard.last(), Some(Heard::Broken(_))) {
                return;
            }
        }
        heard.push(Heard::Broken(fault));
    }
}

/// The fault of a network error. Only an administrator can change a grant.
pub fn failed(error: &Error) -> Fault {
    match error {
        Error::Denied(_) => Fault::refused(stream::describe(error)),
        _ => Fault::usual(stream::describe(error)),
    }
}
