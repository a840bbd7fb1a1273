//! A [`StreamHost`] over the network and the clock of the machine that runs the test: for tests against real servers.
//! TLS options are recorded, and nothing is encrypted.

use std::cell::{Cell, RefCell};
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::TcpStream;
use std::rc::Rc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::net::{Error, TlsOptions};
use crate::stream::{Stream, StreamHost};

/// What the monotonic clock shows at first, in milliseconds: no real clock starts at zero.
const MONOTONIC_START_MS: u64 = 1_000_000;

/// The host, and what the plugin asked of it. Clones share their records.
#[derive(Clone)]
pub struct NativeHost {
    began: Instant,
    deadline_ms: Rc<Cell<u64>>,
    answer: fn(&str) -> Vec<String>,
    submitted: Rc<RefCell<Vec<(String, String)>>>,
    warnings: Rc<RefCell<Vec<String>>>,
    tls: Rc<RefCell<Vec<Option<TlsOptions>>>>,
}

impl NativeHost {
    /// A host whose inbox answers a command with these lines.
    pub fn answering(answer: fn(&str) -> Vec<String>) -> NativeHost {
        NativeHost {
            began: Instant::now(),
            deadline_ms: Rc::default(),
            answer,
            submitted: Rc::default(),
            warnings: Rc::default(),
            tls: Rc::default(),
        }
    }

    /// Starts a call that may take this long, in milliseconds.
    pub fn start_call(&self, call_ms: u64) {
        self.deadline_ms.set(self.monotonic_ms() + call_ms);
    }

    /// The commands that were submitted: address and text.
    pub fn submitted(&self) -> Vec<(String, String)> {
        self.submitted.borrow().clone()
    }

    pub fn warnings(&self) -> Vec<String> {
        self.warnings.borrow().clone()
    }

    /// The TLS options of each connection, in order.
    pub fn tls(&self) -> Vec<Option<TlsOptions>> {
        self.tls.borrow().clone()
    }
}

impl StreamHost for NativeHost {
    type Stream = NativeStream;

    fn connect(&self, host: &str, port: u16, tls: Option<&TlsOptions>) -> Result<NativeStream, Error> {
        self.tls.borrow_mut().push(tls.cloned());
        let stream = TcpStream::connect((host, port)).map_err(failed)?;
        Ok(NativeStream { stream, timeout_ms: 0 })
    }

    fn now_ms(&self) -> u64 {
        now_ms()
    }

    fn monotonic_ms(&self) -> u64 {
        MONOTONIC_START_MS + millis(self.began.elapsed())
    }

    fn remaining_ms(&self) -> u64 {
        self.deadline_ms.get().saturating_sub(self.monotonic_ms())
    }

    fn random(&self) -> u64 {
        4711
    }

    fn submit(&self, address: &str, text: &str) -> Vec<String> {
        self.submitted.borrow_mut().push((address.to_owned(), text.to_owned()));
        (self.answer)(text)
    }

    fn warn(&self, text: &str) {
        self.warnings.borrow_mut().push(text.to_owned());
    }
}

/// A TCP connection.
pub struct NativeStream {
    stream: TcpStream,
    timeout_ms: u32,
}

impl NativeStream {
    fn apply_timeout(&self) -> Result<(), Error> {
        let timeout = (self.timeout_ms > 0).then(|| Duration::from_millis(self.timeout_ms.into()));
        self.stream.set_nonblocking(timeout.is_none()).map_err(failed)?;
        self.stream.set_read_timeout(timeout).map_err(failed)
    }
}

impl Stream for NativeStream {
    fn read(&mut self, max: u32) -> Result<Vec<u8>, Error> {
        self.apply_timeout()?;
        let mut bytes = vec![0; max as usize];
        match self.stream.read(&mut bytes) {
            Ok(length) => {
                bytes.truncate(length);
                Ok(bytes)
            }
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => Err(Error::Timeout),
            Err(error) => Err(failed(error)),
        }
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.apply_timeout()?;
        self.stream.write_all(bytes).map_err(failed)
    }

    fn start_tls(&mut self, _: &TlsOptions) -> Result<(), Error> {
        Err(Error::Tls("this host does not encrypt".into()))
    }

    fn set_timeout_ms(&mut self, timeout_ms: u32) {
        self.timeout_ms = timeout_ms;
    }
}

/// The time of this machine, in milliseconds since 1970-01-01 UTC.
pub fn now_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, millis)
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn failed(error: std::io::Error) -> Error {
    Error::Failed(error.to_string())
}
