//! Resolves host names. It decides nothing: each address is checked before anything connects to it.

use std::fmt;
use std::io;
use std::net::{SocketAddr, ToSocketAddrs as _};
use std::sync::Arc;

use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;

use super::NetworkError;
use crate::limits;

/// Resolves host names. A connection resolves once and connects to one of the returned addresses, so that a name cannot
/// change between the check and the connection.
pub trait Resolver: fmt::Debug + Send + Sync {
    /// Returns the addresses of `host` with `port`, in the order in which they are tried. Blocks.
    ///
    /// # Errors
    /// The name does not exist, or no name server answered.
    fn resolve(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>>;
}

/// The system's resolver.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SystemResolver;

impl Resolver for SystemResolver {
    fn resolve(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        Ok((host, port).to_socket_addrs()?.collect())
    }
}

/// Limits the threads that resolve names for one channel.
#[derive(Clone)]
pub(crate) struct LookupPermits(Arc<Semaphore>);

impl Default for LookupPermits {
    fn default() -> LookupPermits {
        LookupPermits(Arc::new(Semaphore::new(limits::LOOKUPS)))
    }
}

impl LookupPermits {
    /// Resolves a name on a blocking thread. The lookup continues when the caller stops waiting, and holds its permit
    /// until it ends.
    pub(super) async fn resolve(
        &self,
        resolver: &Arc<dyn Resolver>,
        host: &str,
        port: u16,
    ) -> Result<Vec<SocketAddr>, NetworkError> {
        let permit = Arc::clone(&self.0).try_acquire_owned();
        let permit = permit.map_err(|_| {
            NetworkError::Limit(format!("more than {} names are being looked up for this channel", limits::LOOKUPS))
        })?;
        let (resolver, name) = (Arc::clone(resolver), host.to_owned());
        let found = spawn_blocking(move || {
            let found = resolver.resolve(&name, port);
            drop(permit);
            found
        });
        let found = found.await.unwrap_or_else(|error| Err(error.into()));
        found.map_err(|error| NetworkError::Unresolved(format!("{host}: {error}")))
    }
}
