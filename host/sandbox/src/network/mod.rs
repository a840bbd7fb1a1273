//! The only way out of the sandbox: resolve, check every address against the permit, connect to the one that was checked,
//! count bytes and connections. What may be reached is decided in the domain's `grant`; nothing here decides it.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use crate::limits;
use rustls::sign::CertifiedKey;
use tidings_domain::grant::{Denial, Permit};
use tidings_domain::limits::PluginLimits;
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

mod http;
mod resolve;
mod tls;
mod wire;

pub(crate) use http::{HttpReply, HttpRequest};
pub use resolve::Resolver;
pub(crate) use resolve::{Lookups, System};
pub(crate) use tls::{Tls, TlsMode, TlsWire};
use wire::Meter;
pub(crate) use wire::Wire;

/// Why something did not go over the network: the cases that the contract tells a plugin apart.
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

/// One instance's share of the network; bytes are counted for each of its calls.
pub(crate) struct Egress {
    tls: Arc<Tls>,
    resolver: Arc<dyn Resolver>,
    lookups: Lookups,
    meter: Arc<Meter>,
    slots: Arc<Semaphore>,
    connections: u32,
}

impl Egress {
    pub(crate) fn new(tls: Arc<Tls>, limits: &PluginLimits) -> Egress {
        Egress {
            tls,
            resolver: Arc::new(System),
            lookups: Lookups::default(),
            meter: Arc::new(Meter::new(limits.network_bytes)),
            slots: Arc::new(Semaphore::new(limits.connections as usize)),
            connections: limits.connections,
        }
    }

    /// The same, with names resolved by `resolver` instead of by the system, and counted together with the channel's.
    pub(crate) fn resolving(self, resolver: Arc<dyn Resolver>, lookups: Lookups) -> Egress {
        Egress { resolver, lookups, ..self }
    }

    /// Counts from nothing again.
    pub(crate) fn begin(&self) {
        self.meter.reset();
    }

    /// Connects to where `permit` leads, within `time`.
    pub(crate) async fn connect(&self, permit: &Permit, time: Duration) -> Result<Wire, NetworkError> {
        let slot = self.slot()?;
        let addresses = timeout(time, self.resolve(permit)).await.map_err(|_| NetworkError::Timeout)??;
        let addresses = permitted(permit, addresses)?;
        let share = time / addresses.len() as u32;
        let mut last = NetworkError::Timeout;
        for address in addresses {
            match connect_one(address, share).await {
                Ok(tcp) => return Ok(Wire::new(tcp, Arc::clone(&self.meter), slot)),
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    /// Shakes hands over `wire`, within `time`. The name is what the certificate must be good for and what goes out as
    /// SNI; `identity` is what is shown to the peer if it asks.
    pub(crate) async fn encrypt(
        &self,
        wire: Wire,
        name: &str,
        mode: TlsMode,
        identity: Option<CertifiedKey>,
        time: Duration,
    ) -> Result<TlsWire, NetworkError> {
        timeout(time, self.tls.connect(wire, name, mode, identity)).await.map_err(|_| NetworkError::Timeout)?
    }

    /// What an I/O error on one of this call's connections means.
    pub(crate) fn explain(&self, error: &io::Error) -> NetworkError {
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
        let mut found = self.lookups.look_up(&self.resolver, host.as_str(), port).await?;
        found.truncate(limits::ADDRESSES_TRIED);
        Ok(found)
    }

    fn slot(&self) -> Result<OwnedSemaphorePermit, NetworkError> {
        Arc::clone(&self.slots)
            .try_acquire_owned()
            .map_err(|_| NetworkError::Limit(format!("more than {} connections at a time", self.connections)))
    }
}

/// Those of `addresses` that the permit covers; the first denial where it covers none.
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
    fn only_covered_addresses_are_left_to_connect_to() {
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
