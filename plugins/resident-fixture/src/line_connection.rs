//! A connection that is read and written by lines. An incomplete line stays in the buffer until the next read.

use tidings_plugin::net::{self, Connection, Error};

/// How long one read or write waits for the server, in milliseconds.
const ANSWER_MS: u32 = 5_000;
/// The most lines that [`LineConnection::write_until_failure`] writes.
const LINES: u32 = 1000;
/// The most bytes of one read.
const READ_BYTES: u32 = 4096;

pub struct LineConnection {
    connection: Connection,
    buffer: Vec<u8>,
    ended: bool,
}

impl LineConnection {
    pub fn open(host: &str, port: u16, tls: Option<&net::TlsOptions>) -> Result<LineConnection, Error> {
        Ok(LineConnection { connection: net::connect(host, port, tls)?, buffer: Vec::new(), ended: false })
    }

    /// Whether a read has met the end of the connection.
    pub fn has_ended(&self) -> bool {
        self.ended
    }

    pub fn write_line(&self, line: &str) -> Result<(), Error> {
        self.connection.set_timeout_ms(ANSWER_MS);
        self.connection.write(format!("{line}\n").as_bytes())
    }

    /// The lines that have arrived. It does not wait.
    pub fn received(&mut self) -> Vec<String> {
        self.connection.set_timeout_ms(0);
        while self.fill(READ_BYTES).is_ok_and(|more| more) {}
        std::iter::from_fn(|| self.buffered_line()).collect()
    }

    /// Waits for the next line.
    pub fn next_line(&mut self) -> Result<String, Error> {
        loop {
            if let Some(line) = self.buffered_line() {
                return Ok(line);
            }
            self.connection.set_timeout_ms(ANSWER_MS);
            if !self.fill(READ_BYTES)? {
                return Err(Error::Failed("the server has closed the connection".into()));
            }
        }
    }

    /// Waits for one byte. Bytes that arrive with it stay in the host's buffer.
    pub fn read_byte(&mut self) -> Result<(), Error> {
        self.connection.set_timeout_ms(ANSWER_MS);
        self.fill(1).map(drop)
    }

    /// Writes lines until a write fails, then returns the next line that was received.
    pub fn write_until_failure(&mut self) -> Result<String, Error> {
        let failed = (0..LINES).any(|_| self.write_line("filler").is_err());
        if !failed {
            return Err(Error::Failed(format!("the server has accepted {LINES} lines")));
        }
        self.next_line()
    }

    /// Reads once. Returns false at the end of the connection.
    fn fill(&mut self, most: u32) -> Result<bool, Error> {
        match self.connection.read(most) {
            Ok(bytes) if bytes.is_empty() => {
                self.ended = true;
                Ok(false)
            }
            Ok(bytes) => {
                self.buffer.extend(bytes);
                Ok(true)
            }
            Err(Error::Timeout) => Err(Error::Timeout),
            Err(error) => {
                self.ended = true;
                Err(error)
            }
        }
    }

    fn buffered_line(&mut self) -> Option<String> {
        let end = self.buffer.iter().position(|byte| *byte == b'\n')?;
        let line: Vec<u8> = self.buffer.drain(..=end).collect();
        Some(String::from_utf8_lossy(&line).trim_end().to_owned())
    }
}
