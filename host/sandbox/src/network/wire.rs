//! A TCP connection that counts: bytes against the call's quota, itself against the call's connections. It carries TLS
//! and HTTP; both are counted as they go over the network.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::OwnedSemaphorePermit;

/// Bytes sent and received in one call, over all its connections.
pub(super) struct Meter {
    used: AtomicU64,
    limit: u64,
}

impl Meter {
    pub(super) fn new(limit: u64) -> Meter {
        Meter { used: AtomicU64::new(0), limit }
    }

    /// The next call of the same instance.
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

    /// How many of `wanted` bytes are left; an error where none is.
    fn allow(&self, wanted: usize) -> io::Result<usize> {
        match self.limit.saturating_sub(self.used()) {
            0 => Err(io::Error::new(io::ErrorKind::QuotaExceeded, "the network quota is used up")),
            left => Ok(wanted.min(usize::try_from(left).unwrap_or(usize::MAX))),
        }
    }
}

/// A counted connection. Dropping it closes it and gives its place back.
pub(crate) struct Wire {
    tcp: TcpStream,
    meter: Arc<Meter>,
    slot: OwnedSemaphorePermit,
}

impl Wire {
    pub(super) fn new(tcp: TcpStream, meter: Arc<Meter>, slot: OwnedSemaphorePermit) -> Wire {
        Wire { tcp, meter, slot }
    }

    /// Ready when there is something to read, or the stream has ended.
    pub(crate) fn poll_readable(&self, cx: &mut Context<'_>) -> Poll<()> {
        self.tcp.poll_read_ready(cx).map(drop)
    }

    /// The connection, if nothing has arrived on it that was not read: what is there before a handshake came in the clear
    /// and could have been put there by anybody (CVE-2011-0411). Asked of the kernel: nothing is buffered here.
    pub(crate) fn with_nothing_unread(self) -> io::Result<Option<Wire>> {
        let Wire { tcp, meter, slot } = self;
        let tcp = tcp.into_std()?;
        match tcp.peek(&mut [0]) {
            Ok(0) => {}
            Ok(_) => return Ok(None),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
        Ok(Some(Wire { tcp: TcpStream::from_std(tcp)?, meter, slot }))
    }
}

impl AsyncRead for Wire {
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

impl AsyncWrite for Wire {
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
