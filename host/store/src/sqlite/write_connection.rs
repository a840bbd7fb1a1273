//! The one connection that writes. Whoever has it has the write lock to himself; a transaction that fails leaves nothing
//! behind, and a connection that is no longer usable is replaced at the next call.

use std::future::Future;
use std::pin::Pin;

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions as _, Connection as _};
use tokio::sync::watch;

use super::failure::WriteFailure;
use super::feed;
use crate::Revision;

/// A future that borrows the connection.
pub(super) type ConnectionFuture<'c, T> = Pin<Box<dyn Future<Output = T> + Send + 'c>>;

pub(super) struct WriteConnection {
    options: SqliteConnectOptions,
    connection: Option<SqliteConnection>,
    /// Told of each commit's place in the feed of changes.
    changed: watch::Sender<Revision>,
}

impl WriteConnection {
    pub(super) fn new(
        options: SqliteConnectOptions,
        connection: SqliteConnection,
        changed: watch::Sender<Revision>,
    ) -> WriteConnection {
        WriteConnection { options, connection: Some(connection), changed }
    }

    /// Begins a transaction, with the write lock from the start.
    pub(super) async fn begin(&mut self) -> Result<&mut SqliteConnection, WriteFailure> {
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => self.options.connect().await?,
        };
        // A connection that cannot begin is not put back: it is busy, broken, or stuck in a transaction.
        sqlx::query("BEGIN IMMEDIATE").execute(&mut connection).await?;
        Ok(self.connection.insert(connection))
    }

    /// Commits where `outcome` is good, and rolls back where it is not or where the commit fails.
    pub(super) async fn end<T>(&mut self, outcome: Result<T, WriteFailure>) -> Result<T, WriteFailure> {
        let Some(connection) = self.connection.as_mut() else { return outcome };
        let outcome = match outcome {
            Ok(value) => {
                sqlx::query("COMMIT").execute(&mut *connection).await.map(|_| value).map_err(WriteFailure::from)
            }
            Err(failure) => Err(failure),
        };
        if outcome.is_err() {
            // On a full disk SQLite has rolled back by itself, and this says so by an error.
            let _ = sqlx::query("ROLLBACK").execute(&mut *connection).await;
        } else if let Ok(latest) = feed::revision(connection).await {
            // Where it cannot be read nobody is woken; whoever follows the feed asks from time to time as well.
            self.changed.send_if_modified(|known| std::mem::replace(known, latest) != latest);
        }
        outcome
    }

    /// One transaction around `work`.
    pub(super) async fn transact<T>(
        &mut self,
        work: impl for<'c> FnOnce(&'c mut SqliteConnection) -> ConnectionFuture<'c, Result<T, WriteFailure>>,
    ) -> Result<T, WriteFailure> {
        let connection = self.begin().await?;
        let outcome = work(connection).await;
        self.end(outcome).await
    }

    /// Closes the files.
    pub(super) async fn close(mut self) {
        if let Some(connection) = self.connection.take()
            && let Err(error) = connection.close().await
        {
            tracing::warn!(%error, "the database did not close cleanly");
        }
    }
}
