//! From a host name to addresses. It decides nothing: each address that comes from here is checked before anything
//! connects to it.

use std::fmt;
use std::io;
use std::net::{SocketAddr, ToSocketAddrs as _};
use std::sync::Arc;

use crate::limits;
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;

use super::NetworkError;

/// Who answers for host names. A connection asks once and is made to one of the addresses that were answered, so that a
/// name cannot change between the check and the connection.
pub trait Resolver: fmt::Debug + Send + Sync {
    /// The addresses of `host` with `port`, in the order they are tried. Blocks for as long as that takes.
    fn resolve(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>>;
}

/// The system's own resolver.
#[derive(Clone, Copy, Debug)]
pub(crate) struct System;

impl Resolver for System {
    fn resolve(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        Ok((host, port).to_socket_addrs()?.collect())
    }
}

/// One channel's share of the threads that look names up.
#[derive(Clone)]
pub(crate) struct Lookups(Arc<Semaphore>);

impl Default for Lookups {
    fn default() -> Lookups {
        Lookups(Arc::new(Semaphore::new(limits::LOOKUPS)))
    }
}

impl Lookups {
    /// Looks a name up on a thread of its own. It goes on where nobody waits any more, and counts until it ends.
    pub(super) async fn look_up(
        &self,
        resolver: &Arc<dyn Resolver>,
        host: &str,
        port: u16,
    ) -> Result<Vec<SocketAddr>, NetworkError> {
        let place = Arc::clone(&self.0).try_acquire_owned();
        let place = place.map_err(|_| {
            NetworkError::Limit(format!("more than {} names are being looked up for this channel", limits::LOOKUPS))
        })?;
        let (resolver, name) = (Arc::clone(resolver), host.to_owned());
        let found = spawn_blocking(move || {
            let found = resolver.resolve(&name, port);
            drop(place);
            found
        });
        let found = found.await.unwrap_or_else(|error| Err(error.into()));
        found.map_err(|error| NetworkError::Unresolved(format!("{host}: {error}")))
    }
}
