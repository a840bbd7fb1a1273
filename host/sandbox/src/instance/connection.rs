//! A byte stream that a plugin holds, plain or TLS. Each operation has its own timeout within the call's deadline.

use std::future::Future;
use std::io;
use std::task::{Context, Poll};
use std::time::Duration;

use rustls::sign::CertifiedKey;
use tidings_domain::grant::{CredentialKind, Grants, Permit};
use tidings_domain::manifest::Capability;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::timeout;

use crate::credentials::{identity, unusable};
use crate::limits;
use crate::network::{Egress, EncryptedStream, MeteredStream, NetworkError, TlsMode};

/// How to encrypt a stream.
pub(crate) struct TlsOptions {
    /// The host of the connection, unless given.
    pub server_name: Option<String>,
    pub verify: bool,
    /// The name of the credential to present as client certificate.
    pub identity: Option<String>,
}

/// A stream that a plugin holds.
pub struct Connection {
    stream: Stream,
    permit: Permit,
    timeout: Duration,
    /// A write failed halfway: what the peer received is unknown, so nothing more is sent. Bytes that the peer sent
    /// before can still be read, and may give the reason.
    write_failed: bool,
    /// `read` has reached the end or failed: it causes no further wake.
    ended: bool,
}

enum Stream {
    Plain(MeteredStream),
    Tls(Box<EncryptedStream>),
    /// A handshake failed halfway.
    Broken,
}

impl Connection {
    /// Connects to a granted host and port.
    pub(crate) async fn open(
        grants: &Grants,
        egress: &Egress,
        host: &str,
        port: u16,
        tls: Option<TlsOptions>,
    ) -> Result<Connection, NetworkError> {
        let permit = grants.permit(Capability::Net, host, port)?;
        let stream = Stream::Plain(egress.connect(&permit, limits::CONNECT_TIMEOUT).await?);
        let timeout = limits::NETWORK_TIMEOUT;
        let mut connection = Connection { stream, permit, timeout, write_failed: false, ended: false };
        if let Some(options) = tls {
            connection.start_tls(grants, egress, options).await?;
        }
        Ok(connection)
    }

    /// Reads at least one byte and at most `max` (never more than [`limits::READ_BYTES`]); none at the end of the
    /// stream.
    pub(crate) async fn read(&mut self, egress: &Egress, max: u32) -> Result<Vec<u8>, NetworkError> {
        let mut bytes = vec![0; max.clamp(1, limits::READ_BYTES) as usize];
        let time = self.timeout;
        let read = match &mut self.stream {
            Stream::Plain(plain) => within(egress, time, plain.read(&mut bytes)).await,
            Stream::Tls(tls) => within(egress, time, tls.read(&mut bytes)).await,
            Stream::Broken => Err(broken()),
        };
        self.ended = matches!(read, Ok(0) | Err(NetworkError::Failed(_) | NetworkError::Tls(_)));
        let read = read?;
        bytes.truncate(read);
        Ok(bytes)
    }

    /// Writes all bytes to the network.
    pub(crate) async fn write(&mut self, egress: &Egress, bytes: &[u8]) -> Result<(), NetworkError> {
        if self.write_failed {
            return Err(broken());
        }
        let time = self.timeout;
        let written = match &mut self.stream {
            Stream::Plain(plain) => within(egress, time, plain.write_all(bytes)).await,
            Stream::Tls(tls) => {
                let write = async {
                    tls.write_all(bytes).await?;
                    tls.flush().await
                };
                within(egress, time, write).await
            }
            Stream::Broken => return Err(broken()),
        };
        self.write_failed = written.is_err();
        written
    }

    /// Ready when `read` would return: bytes on the network, bytes already decrypted, or (once) the end.
    pub(crate) fn poll_readable(&self, cx: &mut Context<'_>) -> Poll<()> {
        match &self.stream {
            _ if self.ended => Poll::Pending,
            Stream::Plain(plain) => plain.poll_readable(cx),
            Stream::Tls(tls) => match tls.get_ref() {
                (_, session) if !session.wants_read() => Poll::Ready(()),
                (plain, _) => plain.poll_readable(cx),
            },
            Stream::Broken => Poll::Pending,
        }
    }

    /// Upgrades the stream to TLS in place.
    pub(crate) async fn start_tls(
        &mut self,
        grants: &Grants,
        egress: &Egress,
        options: TlsOptions,
    ) -> Result<(), NetworkError> {
        if self.write_failed {
            return Err(broken());
        }
        let plain = match std::mem::replace(&mut self.stream, Stream::Broken) {
            Stream::Plain(plain) => plain,
            Stream::Broken => return Err(broken()),
            encrypted @ Stream::Tls(_) => {
                self.stream = encrypted;
                return Err(NetworkError::Tls("the stream is encrypted already".to_owned()));
            }
        };
        let injected = || NetworkError::Tls("bytes arrived in the clear before the handshake".to_owned());
        let plain = plain.with_nothing_unread().map_err(|error| egress.classify(&error))?.ok_or_else(injected)?;
        let identity = options.identity.map(|name| certificate(grants, &name, &self.permit)).transpose()?;
        let mode = if options.verify { TlsMode::Verified } else { TlsMode::Unverified };
        let name = options.server_name.as_deref().unwrap_or(self.permit.host().as_str());
        let encrypted = egress.encrypt(plain, name, mode, identity, self.timeout).await?;
        self.stream = Stream::Tls(Box::new(encrypted));
        Ok(())
    }

    /// Sets the timeout of each following operation.
    pub(crate) fn set_timeout(&mut self, millis: u32) {
        self.timeout = Duration::from_millis(u64::from(millis)).min(limits::NETWORK_TIMEOUT_MAX);
    }
}

/// The client certificate in the credential `name`, if it is for the host of the connection.
fn certificate(grants: &Grants, name: &str, permit: &Permit) -> Result<CertifiedKey, NetworkError> {
    let credential = grants.credential(name, permit)?;
    if credential.kind != CredentialKind::ClientCertificate {
        return Err(unusable(credential, Capability::Net).into());
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
        Ok(done) => done.map_err(|error| egress.classify(&error)),
        Err(_) => Err(NetworkError::Timeout),
    }
}

fn broken() -> NetworkError {
    NetworkError::Failed("the connection broke before".to_owned())
}
