//! The store on SQLite: one writer and a pool of readers on one file.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use sqlx::pool::PoolConnection;
use sqlx::sqlite::{Sqlite, SqlitePool, SqlitePoolOptions};
use tidings_domain::time::Timestamp;
use tokio::sync::watch;

use super::database_file;
use super::failure::WriteFailure;
use super::writer::Writer;
use crate::error::Result;
use crate::keys::Keys;
use crate::limits::{STORE_BUSY, STORE_READERS};
use crate::roles::Revision;

/// How far apart, in milliseconds, the times of concurrent callers may be without meaning that the clock went back.
const CLOCK_TOLERANCE_MS: u64 = 1000;

/// The store on SQLite. `roles` implements its roles.
pub(super) struct SqliteStore {
    pub(super) writer: Writer,
    pub(super) keys: Arc<Keys>,
    pub(super) readers: SqlitePool,
    /// The latest time at which deliveries were leased, to detect a clock that goes back.
    latest: AtomicU64,
    pub(super) changed: watch::Receiver<Revision>,
}

impl SqliteStore {
    /// A store that reads the database at `path` and writes through `writer`.
    pub(super) fn new(path: &Path, writer: Writer, keys: Arc<Keys>, changed: watch::Receiver<Revision>) -> SqliteStore {
        let readers = SqlitePoolOptions::new()
            .max_connections(STORE_READERS)
            .acquire_timeout(STORE_BUSY)
            // A file does not go away as a server does: connections need no replacing.
            .idle_timeout(None)
            .max_lifetime(None)
            .connect_lazy_with(database_file::reading(path));
        SqliteStore { writer, keys, readers, latest: AtomicU64::new(0), changed }
    }

    /// A connection that only reads. `doing` completes "unavailable while it …".
    pub(super) async fn reader(&self, doing: &'static str) -> Result<PoolConnection<Sqlite>> {
        self.readers.acquire().await.map_err(|error| WriteFailure::Sql(error).into_error(doing))
    }

    /// Whether `now` is well before the latest time seen. If so, it becomes the latest.
    pub(super) fn clock_went_back(&self, now: Timestamp) -> bool {
        let now = now.as_millis();
        let latest = self.latest.fetch_max(now, Ordering::Relaxed);
        let went_back = now.saturating_add(CLOCK_TOLERANCE_MS) < latest;
        if went_back {
            self.latest.store(now, Ordering::Relaxed);
        }
        went_back
    }
}
