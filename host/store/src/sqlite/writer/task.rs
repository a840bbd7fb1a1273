//! Group commit: the task takes all `accept` and `settle` jobs in its queue, applies them in one transaction, and
//! answers after the commit. Jobs that arrive meanwhile form the next group, so that a group grows with the time that a
//! commit takes, and no job waits for others.

use std::fs::File;
use std::slice;

use sqlx::sqlite::SqliteConnection;
use tidings_domain::delivery::Acceptance;
use tokio::sync::mpsc;

use super::connection::WriteConnection;
use super::job::{Job, ReplySender};
use crate::error::Result;
use crate::limits::{INTAKE_BATCH, STORE_GROUP_BYTES, STORE_GROUP_ROWS};
use crate::sqlite::failure::WriteFailure;
use crate::sqlite::queue::submission::{PreparedMessage, SettledBatch};
use crate::sqlite::queue::{accept, settle};

/// The jobs that share a transaction, with their replies in the same order.
#[derive(Default)]
struct Group {
    messages: Vec<PreparedMessage>,
    message_replies: Vec<ReplySender<Acceptance>>,
    batches: Vec<SettledBatch>,
    batch_replies: Vec<ReplySender<usize>>,
    /// Rows to be written, approximately.
    rows: usize,
    /// Bytes of the events among them.
    bytes: usize,
}

impl Group {
    fn len(&self) -> usize {
        self.messages.len() + self.batches.len()
    }

    fn is_full(&self) -> bool {
        self.len() >= INTAKE_BATCH || self.rows >= STORE_GROUP_ROWS || self.bytes >= STORE_GROUP_BYTES
    }

    /// Takes a job that may share a transaction; returns any other.
    fn take(&mut self, job: Job) -> Option<Job> {
        match job {
            Job::Accept(prepared, reply) => {
                self.rows += 1 + prepared.message.recipients.len();
                self.bytes += prepared.event.as_ref().map_or(0, String::len);
                self.messages.push(prepared);
                self.message_replies.push(reply);
                None
            }
            Job::Settle(batch, reply) => {
                self.rows += batch.settled.len();
                self.batches.push(batch);
                self.batch_replies.push(reply);
                None
            }
            other => Some(other),
        }
    }
}

/// The task that owns the writing connection.
pub(super) struct WriterTask {
    waiting: mpsc::Receiver<Job>,
    connection: WriteConnection,
}

impl WriterTask {
    pub(super) fn new(waiting: mpsc::Receiver<Job>, connection: WriteConnection) -> WriterTask {
        WriterTask { waiting, connection }
    }

    /// Works until the store is closed or all handles are dropped. Holds `lock` until the connection is closed.
    pub(super) async fn run(mut self, lock: Option<File>) {
        let mut closing = None;
        let mut next = None;
        while closing.is_none() {
            let job = match next.take() {
                Some(job) => job,
                None => match self.waiting.recv().await {
                    Some(job) => job,
                    None => break,
                },
            };
            match job {
                Job::Exclusive(job) => job(&mut self.connection).await,
                Job::Close(reply) => closing = Some(reply),
                entry => next = self.group(entry).await,
            }
        }
        self.waiting.close();
        self.connection.close().await;
        drop(lock);
        if let Some(reply) = closing {
            let _ = reply.send(());
        }
    }

    /// Commits the group that begins with `first`: all jobs in the queue up to one that cannot share its transaction,
    /// which is returned and runs next.
    async fn group(&mut self, first: Job) -> Option<Job> {
        let mut group = Group::default();
        let mut other = group.take(first);
        while other.is_none() && !group.is_full() {
            let Ok(job) = self.waiting.try_recv() else { break };
            other = group.take(job);
        }
        self.commit(group).await;
        other
    }

    async fn commit(&mut self, group: Group) {
        match self.apply(&group.messages, &group.batches).await {
            Ok((accepted, settled)) => {
                tracing::trace!(messages = accepted.len(), outcomes = settled.len(), "group committed");
                answer(group.message_replies, Ok(accepted));
                answer(group.batch_replies, Ok(settled));
            }
            Err(failure) if failure.is_own() && group.len() > 1 => self.commit_singly(group).await,
            Err(failure) => {
                let error = failure.into_error("commits");
                answer(group.message_replies, Err(error.clone()));
                answer(group.batch_replies, Err(error));
            }
        }
    }

    /// The data of one job made the group fail: each job is tried alone, so that only that one fails.
    async fn commit_singly(&mut self, group: Group) {
        for (message, reply) in group.messages.iter().zip(group.message_replies) {
            let outcome = self.apply(slice::from_ref(message), &[]).await;
            let outcome = outcome.map_err(|failure| failure.into_error("accepts a message"));
            answer(vec![reply], outcome.map(|(accepted, _)| accepted));
        }
        for (batch, reply) in group.batches.iter().zip(group.batch_replies) {
            let outcome = self.apply(&[], slice::from_ref(batch)).await;
            let outcome = outcome.map_err(|failure| failure.into_error("settles deliveries"));
            answer(vec![reply], outcome.map(|(_, settled)| settled));
        }
    }

    /// One transaction: the answers to all jobs, or an error and nothing written.
    async fn apply(&mut self, messages: &[PreparedMessage], batches: &[SettledBatch]) -> Result<Answers, WriteFailure> {
        let connection = self.connection.begin().await?;
        let answers = write(connection, messages, batches).await;
        self.connection.end(answers).await
    }
}

/// What became of each message, and for each batch of outcomes how many leases were stale.
type Answers = (Vec<Acceptance>, Vec<usize>);

async fn write(
    connection: &mut SqliteConnection,
    messages: &[PreparedMessage],
    batches: &[SettledBatch],
) -> Result<Answers, WriteFailure> {
    let accepted = if messages.is_empty() { Vec::new() } else { accept::accept(connection, messages).await? };
    let mut settled = Vec::with_capacity(batches.len());
    for batch in batches {
        settled.push(settle::settle(connection, batch).await?);
    }
    Ok((accepted, settled))
}

/// Answers the callers. A send fails where the caller was cancelled.
fn answer<T>(replies: Vec<ReplySender<T>>, outcome: Result<Vec<T>>) {
    match outcome {
        Ok(values) => {
            for (reply, value) in replies.into_iter().zip(values) {
                let _ = reply.send(Ok(value));
            }
        }
        Err(error) => {
            for reply in replies {
                let _ = reply.send(Err(error.clone()));
            }
        }
    }
}
