//! Standard output and standard error of a guest: a small buffer from which whole lines are taken into the plugin's
//! log.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use bytes::Bytes;
use tokio::io::AsyncWrite;
use wasmtime_wasi::async_trait;
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::p2::{OutputStream, Pollable, StreamError, StreamResult};

use crate::limits;

/// Printed bytes that no line has taken yet. All handles of one output of an instance share the same buffer.
#[derive(Clone, Default)]
pub(super) struct LogStream(Arc<Mutex<Vec<u8>>>);

impl LogStream {
    /// Takes the complete lines. With `unfinished`, or when the buffer exceeds the length of a line, the rest counts as
    /// a line too. Skips empty lines.
    pub(super) fn take_lines(&self, unfinished: bool) -> Vec<String> {
        let mut printed = self.printed();
        let end = match printed.iter().rposition(|byte| *byte == b'\n') {
            _ if unfinished || printed.len() > limits::STDIO_BYTES => printed.len(),
            Some(last) => last + 1,
            None => 0,
        };
        let lines = printed.drain(..end).collect::<Vec<u8>>();
        let lines = lines.split(|byte| *byte == b'\n').map(|line| String::from_utf8_lossy(line).trim_end().to_owned());
        lines.filter(|line| !line.is_empty()).collect()
    }

    fn printed(&self) -> MutexGuard<'_, Vec<u8>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl OutputStream for LogStream {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        if bytes.len() > limits::STDIO_BYTES {
            return Err(StreamError::trap("wrote more to standard output than `check-write` allowed"));
        }
        self.printed().extend_from_slice(&bytes);
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    /// Each call of WASI moves the lines to the log first, so the buffer always has space.
    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(limits::STDIO_BYTES)
    }
}

#[async_trait]
impl Pollable for LogStream {
    async fn ready(&mut self) {}
}

impl IsTerminal for LogStream {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for LogStream {
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        Box::new(self.clone())
    }

    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.clone())
    }
}

impl AsyncWrite for LogStream {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let taken = &bytes[..bytes.len().min(limits::STDIO_BYTES)];
        self.printed().extend_from_slice(taken);
        Poll::Ready(Ok(taken.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn printed_text_becomes_lines_when_they_end() {
        let stream = LogStream::default();
        let print = |text: &[u8]| stream.clone().write(Bytes::copy_from_slice(text)).expect("printed");
        print(b"one\ntw");
        assert_eq!(stream.take_lines(false), ["one"]);
        print(b"o\r\n\n\nthree");
        assert_eq!(stream.take_lines(false), ["two"]);
        assert_eq!(stream.take_lines(false), Vec::<String>::new());
        assert_eq!(stream.take_lines(true), ["three"]);
        assert_eq!(stream.take_lines(true), Vec::<String>::new());
        print(b"\xff\n");
        assert_eq!(stream.take_lines(false), ["\u{fffd}"]);
    }

    #[test]
    fn a_line_without_an_end_stays_bounded() {
        let stream = LogStream::default();
        let mut most = 0;
        for _ in 0..100 {
            stream.clone().write(Bytes::from(vec![b'x'; limits::STDIO_BYTES])).expect("printed");
            most = most.max(stream.printed().len());
            stream.take_lines(false);
        }
        assert!(most <= 2 * limits::STDIO_BYTES, "{most}");
        let more = Bytes::from(vec![b'x'; limits::STDIO_BYTES + 1]);
        assert!(matches!(stream.clone().write(more), Err(StreamError::Trap(_))));
    }
}
