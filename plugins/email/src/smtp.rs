//! SMTP as a client speaks it (RFC 5321 and its extensions), over a byte stream that somebody else provides: one
//! connection for a batch, one transaction for each mail, and an outcome for each reply at each step.
//!
//! It knows neither the host's functions nor how mail is written; time and network come in through the traits below.

mod batch;
mod judge;
mod reply;
mod session;
mod transaction;
mod wire;

pub use batch::deliver;

use tidings_plugin::net::{Error, Verification};

/// What is left before the deadline of this call: milliseconds.
pub trait Clock {
    fn remaining_ms(&self) -> u64;
}

/// Opens byte streams; with `tls`, encrypted from the first byte.
pub trait Network {
    type Stream: Stream;

    fn connect(&self, host: &str, port: u16, tls: Option<Verification>) -> Result<Self::Stream, Error>;
}

/// A byte stream as the contract's `connection` is one.
pub trait Stream {
    /// At least one byte, at most `max`; none at the end of the stream.
    fn read(&mut self, max: u32) -> Result<Vec<u8>, Error>;
    fn write(&mut self, bytes: &[u8]) -> Result<(), Error>;
    fn start_tls(&mut self, verification: Verification) -> Result<(), Error>;
    /// For each of the above from now on.
    fn set_timeout_ms(&mut self, timeout: u32);
}
