//! A [`StreamHost`] whose connections end in memory, at a [`Peer`] that a test writes. Its clock moves only while a
//! read waits, so a test of time limits takes no time.

use std::cell::{Cell, Ref, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;

use super::{CALL_MS, NOW_MS};
use crate::net::{Error, TlsOptions};
use crate::stream::{Stream, StreamHost};

/// The time limit of a read or write until the plugin sets one, in milliseconds: the host's.
const TIMEOUT_MS: u32 = 30_000;

/// The server at the other end of all connections of a [`MemoryHost`].
pub trait Peer {
    /// Accepts a connection. Returns what the server sends first.
    ///
    /// # Errors
    /// The error that the plugin's `connect` is to return.
    fn accept(&mut self, tls: Option<&TlsOptions>) -> Result<PeerReply, Error>;

    /// Performs a TLS handshake on an open connection.
    fn start_tls(&mut self, tls: &TlsOptions) -> Result<(), Error>;

    /// Removes one complete command from `input` and answers it. Returns none where no command is complete.
    fn receive(&mut self, input: &mut Vec<u8>) -> Option<PeerReply>;
}

/// What a [`Peer`] sends, and whether it closes the connection afterwards.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PeerReply {
    pub bytes: Vec<u8>,
    pub close: bool,
}

/// The host. Set how a reply travels before the plugin connects.
pub struct MemoryHost<P> {
    peer: Rc<RefCell<P>>,
    remaining_ms: Rc<Cell<u64>>,
    call_ms: u64,
    delay_ms: u64,
    read_bytes: usize,
}

impl<P: Peer> MemoryHost<P> {
    pub fn new(peer: P) -> MemoryHost<P> {
        let remaining_ms = Rc::new(Cell::new(CALL_MS));
        MemoryHost {
            peer: Rc::new(RefCell::new(peer)),
            remaining_ms,
            call_ms: CALL_MS,
            delay_ms: 0,
            read_bytes: usize::MAX,
        }
    }

    /// Starts a call that may take this long, in milliseconds.
    pub fn set_remaining_ms(&mut self, call_ms: u64) {
        self.call_ms = call_ms;
        self.remaining_ms.set(call_ms);
    }

    /// Makes each read of a reply take this long, in milliseconds.
    pub fn set_delay_ms(&mut self, delay_ms: u64) {
        self.delay_ms = delay_ms;
    }

    /// Makes each read return at most so many bytes.
    pub fn set_read_bytes(&mut self, read_bytes: usize) {
        self.read_bytes = read_bytes;
    }

    pub fn peer(&self) -> Ref<'_, P> {
        self.peer.borrow()
    }

    fn elapsed_ms(&self) -> u64 {
        self.call_ms.saturating_sub(self.remaining_ms.get())
    }
}

impl<P: Peer> StreamHost for MemoryHost<P> {
    type Stream = MemoryStream<P>;

    fn connect(&self, _: &str, _: u16, tls: Option<&TlsOptions>) -> Result<MemoryStream<P>, Error> {
        let PeerReply { bytes, close } = self.peer.borrow_mut().accept(tls)?;
        Ok(MemoryStream {
            peer: Rc::clone(&self.peer),
            remaining_ms: Rc::clone(&self.remaining_ms),
            delay_ms: self.delay_ms,
            read_bytes: self.read_bytes,
            input: Vec::new(),
            output: bytes.into(),
            closed: close,
            timeout_ms: TIMEOUT_MS,
        })
    }

    fn now_ms(&self) -> u64 {
        NOW_MS + self.elapsed_ms()
    }

    fn monotonic_ms(&self) -> u64 {
        self.elapsed_ms()
    }

    fn remaining_ms(&self) -> u64 {
        self.remaining_ms.get()
    }

    fn random(&self) -> u64 {
        0
    }

    fn submit(&self, _: &str, _: &str) -> Vec<String> {
        Vec::new()
    }

    fn warn(&self, _: &str) {}
}

/// A connection to a [`Peer`].
pub struct MemoryStream<P> {
    peer: Rc<RefCell<P>>,
    remaining_ms: Rc<Cell<u64>>,
    delay_ms: u64,
    read_bytes: usize,
    input: Vec<u8>,
    output: VecDeque<u8>,
    closed: bool,
    timeout_ms: u32,
}

impl<P: Peer> Stream for MemoryStream<P> {
    fn read(&mut self, max: u32) -> Result<Vec<u8>, Error> {
        let nothing = self.output.is_empty() && !self.closed;
        let waited_ms = if nothing { u64::MAX } else { self.delay_ms }.min(u64::from(self.timeout_ms));
        self.remaining_ms.set(self.remaining_ms.get().saturating_sub(waited_ms));
        if nothing || waited_ms < self.delay_ms {
            return Err(Error::Timeout);
        }
        let length = self.output.len().min(max as usize).min(self.read_bytes);
        Ok(self.output.drain(..length).collect())
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), Error> {
        if self.closed {
            return Err(Error::Failed("connection reset".into()));
        }
        self.input.extend_from_slice(bytes);
        while !self.closed
            && let Some(reply) = self.peer.borrow_mut().receive(&mut self.input)
        {
            self.output.extend(reply.bytes);
            self.closed = reply.close;
        }
        Ok(())
    }

    fn start_tls(&mut self, tls: &TlsOptions) -> Result<(), Error> {
        self.peer.borrow_mut().start_tls(tls)
    }

    fn set_timeout_ms(&mut self, timeout_ms: u32) {
        self.timeout_ms = timeout_ms;
    }
}
