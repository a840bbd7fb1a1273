//! The host as a channel that keeps its own connections uses it (email, IRC), behind traits, so that such a channel is
//! tested without a host. Channels over HTTP use [`crate::host`].

use crate::host::Sandbox;
use crate::net::{self, Connection, Error, TlsOptions, Verification};
use crate::text::HeaderSafe;
use crate::{clock, inbox, log, random};

/// The longest detail of an error that [`describe`] quotes, in characters.
const DETAIL_CHARS: usize = 200;

/// A byte stream: the `connection` of the contract.
pub trait Stream {
    /// Returns at least one byte and at most `max`, or none at the end of the stream.
    ///
    /// # Errors
    /// [`Error::Timeout`] when nothing arrives in time; a later call may succeed. After any other error the stream is
    /// unusable.
    fn read(&mut self, max: u32) -> Result<Vec<u8>, Error>;

    /// Returns when the network has accepted all bytes.
    fn write(&mut self, bytes: &[u8]) -> Result<(), Error>;

    /// Encrypts the stream from here on. Fails when bytes have arrived that were not read.
    fn start_tls(&mut self, tls: &TlsOptions) -> Result<(), Error>;

    /// Sets the time limit of each later call, in milliseconds. With 0 a call does not wait.
    fn set_timeout_ms(&mut self, timeout_ms: u32);
}

/// What one call of a plugin may ask of the host.
pub trait StreamHost {
    type Stream: Stream;

    /// Connects, encrypted from the first byte where `tls` is given.
    fn connect(&self, host: &str, port: u16, tls: Option<&TlsOptions>) -> Result<Self::Stream, Error>;

    /// Milliseconds since 1970-01-01 UTC.
    fn now_ms(&self) -> u64;

    /// Milliseconds of a clock that never goes back.
    fn monotonic_ms(&self) -> u64;

    /// The time until the deadline of this call, in milliseconds.
    fn remaining_ms(&self) -> u64;

    fn random(&self) -> u64;

    /// Submits a command that a user wrote from `address` to the daemon's inbox; returns the lines of the answer.
    fn submit(&self, address: &str, text: &str) -> Vec<String>;

    /// Writes a warning to the channel's log, which administrators read.
    fn warn(&self, text: &str);
}

impl StreamHost for Sandbox {
    type Stream = Connection;

    fn connect(&self, host: &str, port: u16, tls: Option<&TlsOptions>) -> Result<Connection, Error> {
        net::connect(host, port, tls)
    }

    fn now_ms(&self) -> u64 {
        clock::now_ms()
    }

    fn monotonic_ms(&self) -> u64 {
        clock::monotonic_ms()
    }

    fn remaining_ms(&self) -> u64 {
        clock::remaining_ms()
    }

    fn random(&self) -> u64 {
        random::bytes(8).into_iter().fold(0, |number, byte| number << 8 | u64::from(byte))
    }

    fn submit(&self, address: &str, text: &str) -> Vec<String> {
        inbox::submit(address, text)
    }

    fn warn(&self, text: &str) {
        log::log(log::Level::Warning, text);
    }
}

impl Stream for Connection {
    fn read(&mut self, max: u32) -> Result<Vec<u8>, Error> {
        Connection::read(self, max)
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), Error> {
        Connection::write(self, bytes)
    }

    fn start_tls(&mut self, tls: &TlsOptions) -> Result<(), Error> {
        Connection::start_tls(self, tls)
    }

    fn set_timeout_ms(&mut self, timeout_ms: u32) {
        Connection::set_timeout_ms(self, timeout_ms);
    }
}

/// TLS for the name that was connected to, without a client certificate.
pub fn tls(verification: Verification) -> TlsOptions {
    TlsOptions { server_name: None, verification, identity: None }
}

/// Describes a network error in one line, for an outcome's reason.
pub fn describe(error: &Error) -> String {
    let (what, detail) = match error {
        Error::Denied(detail) => ("not granted", detail),
        Error::Unresolved(detail) => ("the name has no address", detail),
        Error::Failed(detail) => ("the connection failed", detail),
        Error::Timeout => return "the connection timed out".to_owned(),
        Error::Tls(detail) => ("no TLS", detail),
        Error::Limit(detail) => ("over a limit", detail),
    };
    format!("{what}: {}", HeaderSafe::flatten(detail).truncate(DETAIL_CHARS))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_description_is_one_short_line() {
        assert_eq!(describe(&Error::Timeout), "the connection timed out");
        assert_eq!(describe(&Error::Tls("bad\r\ncertificate".into())), "no TLS: bad certificate");
        assert!(describe(&Error::Failed("x".repeat(1000))).chars().count() < 250);
    }
}
