//! A TCP connection that counts its bytes against the call's quota, and itself against the instance's connections. It
//! carries TLS and HTTP; the bytes on the network count.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::OwnedSemaphorePermit;

/// Bytes sent and received in one call, over all its connections.
pub(super) struct ByteMeter {
    used: AtomicU64,
    limit: u64,
}

impl ByteMeter {
    pub(super) fn new(limit: u64) -> ByteMeter {
        ByteMeter { used: AtomicU64::new(0), limit }
    }

    /// Starts the next call of the same instance.
    pub(super) fn reset(&self) {
        self.used.store(0, Ordering::Relaxed);
    }

    pub(super) fn used(&self) -> u64 {
        self.used.load(Ordering::Relaxed)
    }

    pub(super) fn limit(&self) -> u64 {
        self.limit
    }

    pub(super) fn is_used_up(&self) -> bool {
        self.used() >= self.limit
    }

    fn count(&self, bytes: usize) {
        self.used.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// Returns how many of `wanted` bytes are left. Fails when none is.
    fn allow(&self, wanted: usize) -> io::Result<usize> {
        match self.limit.saturating_sub(self.used()) {
            0 => Err(io::Error::new(io::ErrorKind::QuotaExceeded, "the network quota is used up")),
            left => Ok(wanted.min(usize::try_from(left).unwrap_or(usize::MAX))),
        }
    }
}

/// A counted connection. Dropping it closes it and releases its permit.
pub(crate) struct MeteredStream {
    tcp: TcpStream,
    meter: Arc<ByteMeter>,
    permit: OwnedSemaphorePermit,
}

impl MeteredStream {
    pub(super) fn new(tcp: TcpStream, meter: Arc<ByteMeter>, permit: OwnedSemaphorePermit) -> MeteredStream {
        MeteredStream { tcp, meter, permit }
    }

    /// Ready when there are bytes to read, or the stream has ended.
    pub(crate) fn poll_readable(&self, cx: &mut Context<'_>) -> Poll<()> {
        self.tcp.poll_read_ready(cx).map(drop)
    }

    /// Returns the connection if the kernel holds no unread bytes for it: bytes that arrive before a handshake are not
    /// encrypted and could have been injected by anybody (CVE-2011-0411). Nothing is buffered here.
    pub(crate) fn with_nothing_unread(self) -> io::Result<Option<MeteredStream>> {
        let MeteredStream { tcp, meter, permit } = self;
        let tcp = tcp.into_std()?;
        match tcp.peek(&mut [0]) {
            Ok(0) => {}
            Ok(_) => return Ok(None),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
        Ok(Some(MeteredStream { tcp: TcpStream::from_std(tcp)?, meter, permit }))
    }
}

impl AsyncRead for MeteredStream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let allowed = this.meter.allow(buf.remaining())?;
        let mut part = ReadBuf::new(buf.initialize_unfilled_to(allowed));
        ready!(Pin::new(&mut this.tcp).poll_read(cx, &mut part))?;
        let read = part.filled().len();
        this.meter.count(read);
        buf.advance(read);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for MeteredStream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let allowed = this.meter.allow(buf.len())?;
        let written = ready!(Pin::new(&mut this.tcp).poll_write(cx, &buf[..allowed]))?;
        this.meter.count(written);
        Poll::Ready(Ok(written))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().tcp).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().tcp).poll_shutdown(cx)
    }
}
