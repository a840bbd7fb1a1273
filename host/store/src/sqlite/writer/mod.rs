//! The writer: one task owns the writing connection, callers send it jobs. `accept` and `settle` share transactions
//! (group commit); every other write has one of its own, so that a cancelled caller never leaves one half done. It
//! decides nothing about what is written: `queue` and `roles` have the SQL.

mod connection;
mod job;
mod task;

use std::fs::File;
use std::sync::Arc;

use sqlx::sqlite::SqliteConnection;
use tidings_domain::delivery::{Acceptance, NewMessage};
use tidings_domain::outcome::Settlement;
use tidings_domain::time::Timestamp;
use tokio::sync::{mpsc, oneshot};

use self::connection::ConnectionFuture;
pub(super) use self::connection::WriteConnection;
use self::job::{Job, WriteJob};
use self::task::WriterTask;
use super::failure::WriteFailure;
use super::queue::submission::{PreparedMessage, SettledBatch};
use crate::error::{Result, StoreError};
use crate::limits::STORE_QUEUE;
use crate::roles::Lease;

/// The handle through which callers write.
pub(super) struct Writer {
    jobs: mpsc::Sender<Job>,
}

impl Writer {
    /// Starts the task. It keeps `lock` until the connection is closed.
    pub(super) fn start(connection: WriteConnection, lock: Option<File>) -> Writer {
        let (jobs, waiting) = mpsc::channel(STORE_QUEUE);
        tokio::spawn(WriterTask::new(waiting, connection).run(lock));
        Writer { jobs }
    }

    pub(super) async fn accept(&self, message: NewMessage, now: Timestamp) -> Result<Acceptance> {
        let prepared = PreparedMessage::new(message, now).map_err(|failure| failure.into_error("accepts a message"))?;
        self.ask(|reply| Job::Accept(prepared, reply)).await?
    }

    pub(super) async fn settle(&self, settled: Vec<(Lease, Settlement)>, now: Timestamp) -> Result<usize> {
        self.ask(|reply| Job::Settle(SettledBatch { settled, now }, reply)).await?
    }

    /// Runs `work` in a transaction of its own. `doing` completes "unavailable while it …".
    pub(super) async fn write<T: Send + 'static>(
        &self,
        doing: &'static str,
        work: impl for<'c> FnOnce(&'c mut SqliteConnection) -> ConnectionFuture<'c, Result<T, WriteFailure>>
        + Send
        + 'static,
    ) -> Result<T> {
        let job = |reply: oneshot::Sender<Result<T, WriteFailure>>| -> WriteJob {
            Box::new(move |connection| {
                Box::pin(async move {
                    // The send fails where the caller was cancelled.
                    let _ = reply.send(connection.transact(work).await);
                })
            })
        };
        let outcome = self.ask(|reply| Job::Exclusive(job(reply))).await?;
        outcome.map_err(|failure| failure.into_error(doing))
    }

    /// Finishes the jobs in the queue, closes the connection and releases the lock.
    pub(super) async fn close(&self) {
        // An error means that it is closed already.
        let _ = self.ask(Job::Close).await;
    }

    async fn ask<T>(&self, job: impl FnOnce(oneshot::Sender<T>) -> Job) -> Result<T> {
        let (reply, answer) = oneshot::channel();
        self.jobs.send(job(reply)).await.map_err(closed)?;
        answer.await.map_err(closed)
    }
}

fn closed<E>(_: E) -> StoreError {
    StoreError::Unavailable { doing: "accepts a write", source: Arc::from(Box::from("it is closed")) }
}
