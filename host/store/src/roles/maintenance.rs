//! What keeps a store healthy: pruning, the readiness check, closing.

use async_trait::async_trait;
use tidings_domain::time::Timestamp;

use crate::error::Result;

/// The store's own upkeep, called by the daemon and not on behalf of a user.
#[async_trait]
pub trait Maintenance: Send + Sync {
    /// Deletes messages seen before `seen_before` that have no pending or dead delivery, with their settled deliveries
    /// (whose counts stay in the books), and equally old entries of event streams. Returns the number of messages.
    async fn prune(&self, seen_before: Timestamp) -> Result<u64>;
    /// Writes a counter and reads it back; nothing else changes. The readiness endpoint calls it.
    ///
    /// # Errors
    /// `Unavailable` where the store takes no writes; `Damaged` where it does not return what it was given.
    async fn check(&self) -> Result<()>;
    /// Waits for calls that have begun, then closes the files or connections. Later calls are `Unavailable`.
    async fn close(&self);
}
