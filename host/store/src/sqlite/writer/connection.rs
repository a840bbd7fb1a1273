//! The one connection that writes. A transaction holds the write lock from its start; one that fails is rolled back,
//! and a connection that is no longer usable is replaced at the next call.

use std::future::Future;
use std::pin::Pin;

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions as _, Connection as _};
use tokio::sync::watch;

use crate::roles::Revision;
use crate::sqlite::changes;
use crate::sqlite::failure::WriteFailure;

/// A future that borrows the connection.
pub(crate) type ConnectionFuture<'c, T> = Pin<Box<dyn Future<Output = T> + Send + 'c>>;

pub(crate) struct WriteConnection {
    options: SqliteConnectOptions,
    connection: Option<SqliteConnection>,
    /// Receives the position in the feed of changes after each commit.
    changed: watch::Sender<Revision>,
}

impl WriteConnection {
    pub(crate) fn new(
        options: SqliteConnectOptions,
        connection: SqliteConnection,
        changed: watch::Sender<Revision>,
    ) -> WriteConnection {
        WriteConnection { options, connection: Some(connection), changed }
    }

    /// Begins a transaction, with the write lock from the start.
    pub(crate) async fn begin(&mut self) -> Result<&mut SqliteConnection, WriteFailure> {
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => self.options.connect().await?,
        };
        // A connection that cannot begin is not put back: it is busy, broken, or stuck in a transaction.
        sqlx::query("BEGIN IMMEDIATE").execute(&mut connection).await?;
        Ok(self.connection.insert(connection))
    }

    /// Commits where `outcome` is `Ok`; rolls back where it is an error or where the commit fails.
    pub(crate) async fn end<T>(&mut self, outcome: Result<T, WriteFailure>) -> Result<T, WriteFailure> {
        let Some(connection) = self.connection.as_mut() else { return outcome };
        let outcome = match outcome {
            Ok(value) => {
                sqlx::query("COMMIT").execute(&mut *connection).await.map(|_| value).map_err(WriteFailure::from)
            }
            Err(failure) => Err(failure),
        };
        if outcome.is_err() {
            // On a full disk SQLite has rolled back already, and this statement fails.
            let _ = sqlx::query("ROLLBACK").execute(&mut *connection).await;
        } else if let Ok(latest) = changes::revision(connection).await {
            // Where it cannot be read no reader is woken; readers of the feed poll it as well.
            self.changed.send_if_modified(|known| std::mem::replace(known, latest) != latest);
        }
        outcome
    }

    /// One transaction around `work`.
    pub(crate) async fn transact<T>(
        &mut self,
        work: impl for<'c> FnOnce(&'c mut SqliteConnection) -> ConnectionFuture<'c, Result<T, WriteFailure>>,
    ) -> Result<T, WriteFailure> {
        let connection = self.begin().await?;
        let outcome = work(connection).await;
        self.end(outcome).await
    }

    /// Closes the files.
    pub(crate) async fn close(mut self) {
        if let Some(connection) = self.connection.take()
            && let Err(error) = connection.close().await
        {
            tracing::warn!(%error, "the database did not close cleanly");
        }
    }
}
