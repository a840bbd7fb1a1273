//! The only network access of the sandbox: resolve a name, check every address against the permit, connect to a checked
//! address, count bytes and connections. The domain's `grant` decides what may be reached; nothing here does.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rustls::sign::CertifiedKey;
use tidings_domain::grant::{Denial, Permit};
use tidings_domain::limits::PluginLimits;
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use crate::limits;

mod http;
mod http_error;
mod metered_stream;
mod resolve;
mod tls;

pub(crate) use http::{HttpReply, HttpRequest};
pub(crate) use http_error::{ExchangeError, HttpError, http_permit};
use metered_stream::ByteMeter;
pub(crate) use metered_stream::MeteredStream;
pub use resolve::Resolver;
pub(crate) use resolve::{LookupPermits, SystemResolver};
pub(crate) use tls::{EncryptedStream, Tls, TlsMode};

/// Why a network operation failed: the cases that the contract distinguishes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NetworkError {
    #[error("denied: {0}")]
    Denied(String),
    #[error("unresolved: {0}")]
    Unresolved(String),
    #[error("failed: {0}")]
    Failed(String),
    #[error("timeout")]
    Timeout,
    #[error("TLS: {0}")]
    Tls(String),
    #[error("limit: {0}")]
    Limit(String),
}

impl From<Denial> for NetworkError {
    fn from(denial: Denial) -> Self {
        NetworkError::Denied(denial.to_string())
    }
}

/// The network access of one instance. Bytes are counted for each of its calls.
pub(crate) struct Egress {
    tls: Arc<Tls>,
    resolver: Arc<dyn Resolver>,
    lookups: LookupPermits,
    meter: Arc<ByteMeter>,
    connection_permits: Arc<Semaphore>,
    max_connections: u32,
}

impl Egress {
    pub(crate) fn new(tls: Arc<Tls>, limits: &PluginLimits) -> Egress {
        Egress {
            tls,
            resolver: Arc::new(SystemResolver),
            lookups: LookupPermits::default(),
            meter: Arc::new(ByteMeter::new(limits.network_bytes)),
            connection_permits: Arc::new(Semaphore::new(limits.connections as usize)),
            max_connections: limits.connections,
        }
    }

    /// The same, with names resolved by `resolver` instead of the system, within the channel's permits.
    pub(crate) fn with_resolver(self, resolver: Arc<dyn Resolver>, lookups: LookupPermits) -> Egress {
        Egress { resolver, lookups, ..self }
    }

    /// Starts counting the bytes of the next call.
    pub(crate) fn reset_bytes(&self) {
        self.meter.reset();
    }

    /// Connects to the host and port of `permit`, within `time`.
    pub(crate) async fn connect(&self, permit: &Permit, time: Duration) -> Result<MeteredStream, NetworkError> {
        let connection_permit = self.connection_permit()?;
        let addresses = timeout(time, self.resolve(permit)).await.map_err(|_| NetworkError::Timeout)??;
        let addresses = permitted(permit, addresses)?;
        let share = time / addresses.len() as u32;
        let mut last = NetworkError::Timeout;
        for address in addresses {
            match connect_one(address, share).await {
                Ok(tcp) => return Ok(MeteredStream::new(tcp, Arc::clone(&self.meter), connection_permit)),
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    /// Performs a TLS handshake over `stream`, within `time`. The certificate must be valid for `name`, which is also
    /// sent as SNI; `identity` is presented if the peer asks for a client certificate.
    pub(crate) async fn encrypt(
        &self,
        stream: MeteredStream,
        name: &str,
        mode: TlsMode,
        identity: Option<CertifiedKey>,
        time: Duration,
    ) -> Result<EncryptedStream, NetworkError> {
        timeout(time, self.tls.connect(stream, name, mode, identity)).await.map_err(|_| NetworkError::Timeout)?
    }

    /// Classifies an I/O error on one of this call's connections.
    pub(crate) fn classify(&self, error: &io::Error) -> NetworkError {
        if self.meter.is_used_up() {
            return NetworkError::Limit(format!("more than {} bytes over the network in one call", self.meter.limit()));
        }
        match error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
            Some(tls) => NetworkError::Tls(tls.to_string()),
            None => NetworkError::Failed(error.to_string()),
        }
    }

    pub(crate) fn bytes_used(&self) -> u64 {
        self.meter.used()
    }

    /// The addresses of the permit's host.
    async fn resolve(&self, permit: &Permit) -> Result<Vec<SocketAddr>, NetworkError> {
        let (host, port) = (permit.host(), permit.port());
        if let Some(address) = host.address() {
            return Ok(vec![SocketAddr::new(address, port)]);
        }
        let mut found = self.lookups.resolve(&self.resolver, host.as_str(), port).await?;
        found.truncate(limits::ADDRESSES_TRIED);
        Ok(found)
    }

    fn connection_permit(&self) -> Result<OwnedSemaphorePermit, NetworkError> {
        Arc::clone(&self.connection_permits)
            .try_acquire_owned()
            .map_err(|_| NetworkError::Limit(format!("more than {} connections at a time", self.max_connections)))
    }
}

/// The addresses that the permit covers. Fails with the first denial if it covers none.
fn permitted(permit: &Permit, addresses: Vec<SocketAddr>) -> Result<Vec<SocketAddr>, NetworkError> {
    let mut denial = None;
    let mut covered = Vec::with_capacity(addresses.len());
    for address in addresses {
        match permit.address(address.ip()) {
            Ok(()) => covered.push(address),
            Err(refused) => drop(denial.get_or_insert(refused)),
        }
    }
    match (covered.is_empty(), denial) {
        (false, _) => Ok(covered),
        (true, Some(denial)) => Err(denial.into()),
        (true, None) => Err(NetworkError::Unresolved(format!("{} has no address", permit.host()))),
    }
}

async fn connect_one(address: SocketAddr, time: Duration) -> Result<TcpStream, NetworkError> {
    let failed = |error: io::Error| NetworkError::Failed(format!("{address}: {error}"));
    let tcp = timeout(time, TcpStream::connect(address)).await.map_err(|_| NetworkError::Timeout)?.map_err(failed)?;
    tcp.set_nodelay(true).map_err(failed)?;
    Ok(tcp)
}

#[cfg(test)]
mod tests {
    use tidings_domain::grant::{Grant, Grants};
    use tidings_domain::manifest::Capability;

    use super::*;

    fn permit(private: bool) -> Permit {
        let grant =
            Grant { capability: Capability::Net, host: "mx.example.org".into(), port: 25, private, plain_http: false };
        let grants = Grants { reach: vec![grant], credentials: Vec::new() };
        grants.permit(Capability::Net, "mx.example.org", 25).expect("granted")
    }

    #[test]
    fn only_covered_addresses_are_connected_to() {
        let denied = |address: &str, what: &str| {
            let lacks = format!("mx.example.org:25 leads to {address} ({what}), and its grant lacks `private`");
            Err(NetworkError::Denied(lacks))
        };
        let nothing = || Err(NetworkError::Unresolved("mx.example.org has no address".to_owned()));
        for (private, resolved, expected) in [
            (false, "1.2.3.4:25 [2606:4700::1]:25", Ok("1.2.3.4:25 [2606:4700::1]:25")),
            (false, "10.0.0.1:25 1.2.3.4:25", Ok("1.2.3.4:25")),
            (false, "10.0.0.1:25 127.0.0.1:25", denied("10.0.0.1", "private")),
            (false, "[::ffff:127.0.0.1]:25", denied("::ffff:127.0.0.1", "loopback")),
            (false, "", nothing()),
            (true, "10.0.0.1:25 127.0.0.1:25", Ok("10.0.0.1:25 127.0.0.1:25")),
            (true, "169.254.169.254:25 10.0.0.1:25", Ok("10.0.0.1:25")),
        ] {
            let parse = |text: &str| text.split_whitespace().map(|a| a.parse().expect(a)).collect::<Vec<SocketAddr>>();
            assert_eq!(permitted(&permit(private), parse(resolved)), expected.map(parse), "{resolved}");
        }
    }
}
