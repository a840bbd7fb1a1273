//! A session over a byte stream: splits what arrives into lines and writes what the session queues, within limits. It
//! does not interpret a line.

use tidings_plugin::net::Error;
use tidings_plugin::stream::{self, Stream, StreamHost};

use crate::line::LINE_OCTETS;
use crate::message::Message;
use crate::server_errors::ConnectionError;
use crate::session::{Session, SessionEvent};
use crate::settings::Settings;

/// The most octets of one read.
const READ_OCTETS: u32 = 16 * 1024;
/// The longest incomplete line that is kept, in octets. IRCv3 allows 8191 for tags and 512 for the rest.
const BUFFER_OCTETS: usize = 16 * 1024;
/// The time limit of a write, in milliseconds.
const WRITE_MS: u32 = 5000;
/// After a failed write: the time limit of each read, in milliseconds, and the most reads.
const FINAL_READ_MS: u32 = 200;
const FINAL_READS: usize = 16;

/// A connection in use. After [`SessionEvent::Failed`] it must not be used.
pub struct Connection<S> {
    stream: S,
    /// An incomplete line.
    buffer: Vec<u8>,
    pub session: Session,
}

impl<S: Stream> Connection<S> {
    pub fn new(stream: S, session: Session) -> Self {
        Connection { stream, buffer: Vec::new(), session }
    }

    /// Writes the lines that may be sent, waits at most `wait_ms` for data, and runs due timers. Returns the events,
    /// with [`SessionEvent::Failed`] as the last one, and whether data arrived.
    pub fn poll(&mut self, host: &impl StreamHost, settings: &Settings, wait_ms: u64) -> (Vec<SessionEvent>, bool) {
        let mut events = Vec::new();
        if let Err(error) = self.flush(host) {
            self.read_final_lines(host, settings, error, &mut events);
            return (events, true);
        }
        let now_ms = host.monotonic_ms();
        let wait_ms = wait_ms.min(self.session.next_timer_ms(settings, now_ms).saturating_sub(now_ms));
        self.stream.set_timeout_ms(u32::try_from(wait_ms).unwrap_or(u32::MAX));
        let arrived = match self.stream.read(READ_OCTETS) {
            Ok(bytes) if bytes.is_empty() => {
                events.push(SessionEvent::Failed(ConnectionError::temporary("the server closed the connection")));
                return (events, true);
            }
            Ok(bytes) => {
                self.on_bytes(&bytes, host, settings, &mut events);
                true
            }
            Err(Error::Timeout) => false,
            Err(error) => {
                events.push(SessionEvent::Failed(network_error(&error)));
                return (events, true);
            }
        };
        if !has_failed(&events) {
            events.extend(self.session.on_timer(settings, host.monotonic_ms()));
        }
        if !has_failed(&events)
            && let Err(error) = self.flush(host)
        {
            self.read_final_lines(host, settings, error, &mut events);
        }
        (events, arrived)
    }

    /// Writes all lines that may be sent now.
    pub fn flush(&mut self, host: &impl StreamHost) -> Result<(), ConnectionError> {
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
        self.stream.write(&bytes).map_err(|error| network_error(&error))
    }

    fn on_bytes(&mut self, bytes: &[u8], host: &impl StreamHost, settings: &Settings, events: &mut Vec<SessionEvent>) {
        self.buffer.extend_from_slice(bytes);
        let mut from = 0;
        while let Some(length) = self.buffer[from..].iter().position(|byte| matches!(byte, b'\n' | b'\r')) {
            let message = Message::parse(&self.buffer[from..from + length]);
            from += length + 1;
            let Some(message) = message else { continue };
            events.extend(self.session.on_message(settings, &message, host.monotonic_ms()));
            if has_failed(events) {
                return;
            }
        }
        self.buffer.drain(..from);
        if self.buffer.len() > BUFFER_OCTETS {
            let reason = format!("the server sent a line of more than {BUFFER_OCTETS} octets");
            events.push(SessionEvent::Failed(ConnectionError::temporary(reason)));
        }
    }

    /// Reads what the server sent before a write failed: it may say why it closed the connection.
    fn read_final_lines(
        &mut self,
        host: &impl StreamHost,
        settings: &Settings,
        error: ConnectionError,
        events: &mut Vec<SessionEvent>,
    ) {
        self.stream.set_timeout_ms(FINAL_READ_MS);
        for _ in 0..FINAL_READS {
            match self.stream.read(READ_OCTETS) {
                Ok(bytes) if !bytes.is_empty() => self.on_bytes(&bytes, host, settings, events),
                _ => break,
            }
            if has_failed(events) {
                return;
            }
        }
        events.push(SessionEvent::Failed(error));
    }
}

fn has_failed(events: &[SessionEvent]) -> bool {
    matches!(events.last(), Some(SessionEvent::Failed(_)))
}

/// The error of a connection whose stream failed. Only an administrator can change a grant.
pub fn network_error(error: &Error) -> ConnectionError {
    match error {
        Error::Denied(_) => ConnectionError::refused(stream::describe(error)),
        _ => ConnectionError::temporary(stream::describe(error)),
    }
}
