//! `net`: byte streams to the granted hosts and ports, TLS included. Every operation has a timeout of its own within the
//! call's deadline.

use std::future::Future;
use std::io;
use std::task::{Context, Poll};
use std::time::Duration;

use crate::limits;
use rustls::sign::CertifiedKey;
use tidings_domain::grant::{CredentialKind, Grants, Permit};
use tidings_domain::manifest::Capability;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::timeout;

use crate::credentials::{identity, useless};
use crate::instance_state::{ChannelContext, InstanceState};
use crate::network::{Egress, NetworkError, TlsMode, TlsWire, Wire};

/// How a stream is to be encrypted.
pub(crate) struct TlsOptions {
    /// None: the host that was connected to.
    pub server_name: Option<String>,
    pub verify: bool,
    /// The name of the certificate that the host shows.
    pub identity: Option<String>,
}

/// A stream that a plugin holds.
pub struct Connection {
    stream: Stream,
    permit: Permit,
    timeout: Duration,
    /// A write failed halfway: nobody knows what the peer has seen, so nothing more is sent. What it had said before can
    /// still be read, and may tell why.
    mute: bool,
    /// `read` has come to its end or failed for good: it is worth no wake any more.
    ended: bool,
}

enum Stream {
    Plain(Wire),
    Tls(Box<TlsWire>),
    /// A handshake failed halfway.
    Broken,
}

impl InstanceState {
    pub(crate) async fn connect(
        &mut self,
        host: &str,
        port: u16,
        tls: Option<TlsOptions>,
    ) -> Result<Connection, NetworkError> {
        // Beyond the call's own end there would be nobody left to hear of it.
        let time = self.remaining().mul_f64(limits::CONNECT_SHARE);
        let opened = open(&self.furniture, &self.egress, host, port, tls);
        let opened = timeout(time, opened).await.unwrap_or(Err(NetworkError::Timeout));
        if let Err(NetworkError::Denied(why)) = &opened {
            self.denied(why);
        }
        opened
    }
}

async fn open(
    furniture: &ChannelContext,
    egress: &Egress,
    host: &str,
    port: u16,
    tls: Option<TlsOptions>,
) -> Result<Connection, NetworkError> {
    let permit = furniture.grants.permit(Capability::Net, host, port)?;
    let wire = egress.connect(&permit, limits::CONNECT_TIMEOUT).await?;
    let timeout = limits::NETWORK_TIMEOUT;
    let mut connection = Connection { stream: Stream::Plain(wire), permit, timeout, mute: false, ended: false };
    if let Some(options) = tls {
        connection.start_tls(furniture, egress, options).await?;
    }
    Ok(connection)
}

impl Connection {
    /// At least one byte and at most `max` (never more than [`limits::READ_BYTES`]); none at the end of the stream.
    pub(crate) async fn read(&mut self, egress: &Egress, max: u32) -> Result<Vec<u8>, NetworkError> {
        let mut bytes = vec![0; max.clamp(1, limits::READ_BYTES) as usize];
        let time = self.timeout;
        let read = match &mut self.stream {
            Stream::Plain(wire) => within(egress, time, wire.read(&mut bytes)).await,
            Stream::Tls(wire) => within(egress, time, wire.read(&mut bytes)).await,
            Stream::Broken => Err(broken()),
        };
        self.ended = matches!(read, Ok(0) | Err(NetworkError::Failed(_) | NetworkError::Tls(_)));
        let read = read?;
        bytes.truncate(read);
        Ok(bytes)
    }

    /// Returns when all bytes were handed to the network.
    pub(crate) async fn write(&mut self, egress: &Egress, bytes: &[u8]) -> Result<(), NetworkError> {
        if self.mute {
            return Err(broken());
        }
        let time = self.timeout;
        let written = match &mut self.stream {
            Stream::Plain(wire) => within(egress, time, wire.write_all(bytes)).await,
            Stream::Tls(wire) => {
                let write = async {
                    wire.write_all(bytes).await?;
                    wire.flush().await
                };
                within(egress, time, write).await
            }
            Stream::Broken => return Err(broken()),
        };
        self.mute = written.is_err();
        written
    }

    /// Ready when `read` would find something: on the network, or decrypted already. The end is something once only.
    pub(crate) fn poll_readable(&self, cx: &mut Context<'_>) -> Poll<()> {
        match &self.stream {
            _ if self.ended => Poll::Pending,
            Stream::Plain(wire) => wire.poll_readable(cx),
            Stream::Tls(stream) => match stream.get_ref() {
                (_, session) if !session.wants_read() => Poll::Ready(()),
                (wire, _) => wire.poll_readable(cx),
            },
            Stream::Broken => Poll::Pending,
        }
    }

    /// Turns the stream into TLS in place.
    pub(crate) async fn start_tls(
        &mut self,
        furniture: &ChannelContext,
        egress: &Egress,
        options: TlsOptions,
    ) -> Result<(), NetworkError> {
        if self.mute {
            return Err(broken());
        }
        let wire = match std::mem::replace(&mut self.stream, Stream::Broken) {
            Stream::Plain(wire) => wire,
            Stream::Broken => return Err(broken()),
            encrypted @ Stream::Tls(_) => {
                self.stream = encrypted;
                return Err(NetworkError::Tls("the stream is encrypted already".to_owned()));
            }
        };
        let injected = || NetworkError::Tls("bytes arrived in the clear before the handshake".to_owned());
        let wire = wire.with_nothing_unread().map_err(|error| egress.explain(&error))?.ok_or_else(injected)?;
        let shown = options.identity.map(|name| shown(&furniture.grants, &name, &self.permit)).transpose()?;
        let mode = if options.verify { TlsMode::Verified } else { TlsMode::Unverified };
        let name = options.server_name.as_deref().unwrap_or(self.permit.host().as_str());
        let encrypted = egress.encrypt(wire, name, mode, shown, self.timeout).await?;
        self.stream = Stream::Tls(Box::new(encrypted));
        Ok(())
    }

    /// For each operation from now on.
    pub(crate) fn set_timeout(&mut self, millis: u32) {
        self.timeout = Duration::from_millis(u64::from(millis)).min(limits::NETWORK_TIMEOUT_MAX);
    }
}

/// The certificate that the credential `name` is, if it is for the host of the connection.
fn shown(grants: &Grants, name: &str, permit: &Permit) -> Result<CertifiedKey, NetworkError> {
    let credential = grants.credential(name, permit)?;
    if credential.kind != CredentialKind::ClientCertificate {
        return Err(useless(credential, Capability::Net).into());
    }
    identity(credential.value.expose())
        .map_err(|problem| NetworkError::Denied(format!("the credential `{}` is {problem}", credential.name)))
}

async fn within<T>(
    egress: &Egress,
    time: Duration,
    work: impl Future<Output = io::Result<T>>,
) -> Result<T, NetworkError> {
    match timeout(time, work).await {
        Ok(done) => done.map_err(|error| egress.explain(&error)),
        Err(_) => Err(NetworkError::Timeout),
    }
}

fn broken() -> NetworkError {
    NetworkError::Failed("the connection broke before".to_owned())
}
