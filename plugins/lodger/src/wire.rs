//! A connection as lines. Bytes that make no whole line yet are kept for the next read.

use tidings_plugin::net::{self, Connection, Error};

/// How long the server may take to answer a line: milliseconds.
const ANSWER_MS: u32 = 5_000;
/// Lines that are written to somebody who has gone, at most.
const LINES: u32 = 1000;
/// What one read asks for, in bytes.
const READ_BYTES: u32 = 4096;

pub struct Wire {
    connection: Connection,
    rest: Vec<u8>,
    ended: bool,
}

impl Wire {
    pub fn open(host: &str, port: u16, tls: Option<&net::TlsOptions>) -> Result<Wire, Error> {
        Ok(Wire { connection: net::connect(host, port, tls)?, rest: Vec::new(), ended: false })
    }

    /// Whether the server has closed it, as far as it was read.
    pub fn has_ended(&self) -> bool {
        self.ended
    }

    pub fn write_line(&self, line: &str) -> Result<(), Error> {
        self.connection.set_timeout_ms(ANSWER_MS);
        self.connection.write(format!("{line}\n").as_bytes())
    }

    /// The lines that have come by now.
    pub fn arrived(&mut self) -> Vec<String> {
        self.connection.set_timeout_ms(0);
        while self.fill(READ_BYTES).is_ok_and(|more| more) {}
        std::iter::from_fn(|| self.line()).collect()
    }

    /// The next line, waited for.
    pub fn next_line(&mut self) -> Result<String, Error> {
        loop {
            if let Some(line) = self.line() {
                return Ok(line);
            }
            self.connection.set_timeout_ms(ANSWER_MS);
            if !self.fill(READ_BYTES)? {
                return Err(Error::Failed("the server has closed the connection".into()));
            }
        }
    }

    /// One byte, waited for; the rest of what came with it stays where it is.
    pub fn sip(&mut self) -> Result<(), Error> {
        self.connection.set_timeout_ms(ANSWER_MS);
        self.fill(1).map(drop)
    }

    /// Writes until the server does not take it any more; then the next line.
    pub fn last_words(&mut self) -> Result<String, Error> {
        let failed = (0..LINES).any(|_| self.write_line("anybody there").is_err());
        if !failed {
            return Err(Error::Failed("the server takes whatever is written".into()));
        }
        self.next_line()
    }

    /// Reads once; false at the end.
    fn fill(&mut self, most: u32) -> Result<bool, Error> {
        match self.connection.read(most) {
            Ok(bytes) if bytes.is_empty() => {
                self.ended = true;
                Ok(false)
            }
            Ok(bytes) => {
                self.rest.extend(bytes);
                Ok(true)
            }
            Err(Error::Timeout) => Err(Error::Timeout),
            Err(error) => {
                self.ended = true;
                Err(error)
            }
        }
    }

    fn line(&mut self) -> Option<String> {
        let end = self.rest.iter().position(|byte| *byte == b'\n')?;
        let line: Vec<u8> = self.rest.drain(..=end).collect();
        Some(String::from_utf8_lossy(&line).trim_end().to_owned())
    }
}
