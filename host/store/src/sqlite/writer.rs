//! Group commit: one task owns the writing connection. It takes whatever `accept` and `settle` calls wait, applies them
//! in one transaction, and answers after the commit; those who call meanwhile are the next group, so that a group grows
//! with what a commit takes and nobody waits for company. Other writes pass through the same task, each in a transaction of
//! its own, so that a caller who goes away never leaves one half done. It decides nothing about what is written.

use std::fs::File;
use std::slice;
use std::sync::Arc;

use crate::limits::{INTAKE_BATCH, STORE_GROUP_BYTES, STORE_GROUP_ROWS, STORE_QUEUE};
use sqlx::sqlite::SqliteConnection;
use tidings_domain::delivery::{Acceptance, DeliveryId, NewMessage};
use tidings_domain::outcome::Settlement;
use tidings_domain::time::Timestamp;
use tokio::sync::{mpsc, oneshot};

use super::failure::WriteFailure;
use super::value::{id_bytes, to_json};
use super::write_connection::{ConnectionFuture, WriteConnection};
use super::{accept, settle};
use crate::{Lease, Result, StoreError};

/// Any other write: it begins and ends its own transaction and answers its caller.
type WriteJob = Box<dyn for<'c> FnOnce(&'c mut WriteConnection) -> ConnectionFuture<'c, ()> + Send>;

/// A message to accept, with what can be made of it before its turn comes, by its caller and so beside the writer.
pub(super) struct PreparedMessage {
    pub(super) message: NewMessage,
    pub(super) now: Timestamp,
    /// The event as it is stored; none where nobody is told.
    pub(super) event: Option<String>,
    /// The ids of the deliveries, in the order of the recipients.
    pub(super) ids: Vec<Vec<u8>>,
}

impl PreparedMessage {
    fn new(message: NewMessage, now: Timestamp) -> Result<PreparedMessage, WriteFailure> {
        let event = match &message.event {
            _ if message.recipients.is_empty() => None,
            Some(event) => Some(to_json("event", &**event)?),
            None => {
                let detail = format!("{} has recipients but no event", message.id);
                return Err(StoreError::Refused { what: "message", detail }.into());
            }
        };
        let ids = message
            .recipients
            .iter()
            .map(|recipient| id_bytes(&DeliveryId::derive(&message.id, &recipient.channel, &recipient.address)));
        let ids = ids.collect::<Result<_, _>>()?;
        Ok(PreparedMessage { message, now, event, ids })
    }
}

/// Outcomes of one caller.
pub(super) struct SettledBatch {
    pub(super) settled: Vec<(Lease, Settlement)>,
    pub(super) now: Timestamp,
}

type Reply<T> = oneshot::Sender<Result<T>>;

enum Job {
    Accept(PreparedMessage, Reply<Acceptance>),
    Settle(SettledBatch, Reply<usize>),
    Other(WriteJob),
    Close(oneshot::Sender<()>),
}

/// The callers' end of the writer.
pub(super) struct Writer {
    jobs: mpsc::Sender<Job>,
}

impl Writer {
    /// Starts the task. It keeps `lock` until the connection is closed.
    pub(super) fn start(link: WriteConnection, lock: Option<File>) -> Writer {
        let (jobs, waiting) = mpsc::channel(STORE_QUEUE);
        tokio::spawn(WriterTask { waiting, link }.run(lock));
        Writer { jobs }
    }

    pub(super) async fn accept(&self, message: NewMessage, now: Timestamp) -> Result<Acceptance> {
        let intake = PreparedMessage::new(message, now).map_err(|failure| failure.into_error("accepts a message"))?;
        self.ask(|reply| Job::Accept(intake, reply)).await?
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
        let errand = |reply: oneshot::Sender<Result<T, WriteFailure>>| -> WriteJob {
            Box::new(move |link| {
                Box::pin(async move {
                    // A caller that went away does not need the answer.
                    let _ = reply.send(link.transact(work).await);
                })
            })
        };
        let outcome = self.ask(|reply| Job::Other(errand(reply))).await?;
        outcome.map_err(|failure| failure.into_error(doing))
    }

    /// Finishes what waits, closes the connection and gives up the lock.
    pub(super) async fn close(&self) {
        // An error says that it is closed already.
        let _ = self.ask(Job::Close).await;
    }

    async fn ask<T>(&self, job: impl FnOnce(oneshot::Sender<T>) -> Job) -> Result<T> {
        let (reply, answer) = oneshot::channel();
        self.jobs.send(job(reply)).await.map_err(closed)?;
        answer.await.map_err(closed)
    }
}

fn closed<E>(_: E) -> StoreError {
    StoreError::Unavailable { doing: "takes a write", source: Arc::from(Box::from("it is closed")) }
}

/// What shares a transaction, with the ways to answer, in the same order.
#[derive(Default)]
struct Group {
    intakes: Vec<PreparedMessage>,
    acceptors: Vec<Reply<Acceptance>>,
    outcomes: Vec<SettledBatch>,
    settlers: Vec<Reply<usize>>,
    /// Rows to be written, roughly.
    rows: usize,
    /// Bytes of the events among them.
    bytes: usize,
}

impl Group {
    fn len(&self) -> usize {
        self.intakes.len() + self.outcomes.len()
    }

    fn is_full(&self) -> bool {
        self.len() >= INTAKE_BATCH || self.rows >= STORE_GROUP_ROWS || self.bytes >= STORE_GROUP_BYTES
    }

    /// Takes a job that may share a transaction; gives any other back.
    fn take(&mut self, job: Job) -> Option<Job> {
        match job {
            Job::Accept(intake, reply) => {
                self.rows += 1 + intake.message.recipients.len();
                self.bytes += intake.event.as_ref().map_or(0, String::len);
                self.intakes.push(intake);
                self.acceptors.push(reply);
                None
            }
            Job::Settle(outcomes, reply) => {
                self.rows += outcomes.settled.len();
                self.outcomes.push(outcomes);
                self.settlers.push(reply);
                None
            }
            other => Some(other),
        }
    }
}

struct WriterTask {
    waiting: mpsc::Receiver<Job>,
    link: WriteConnection,
}

impl WriterTask {
    async fn run(mut self, lock: Option<File>) {
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
                Job::Other(errand) => errand(&mut self.link).await,
                Job::Close(reply) => closing = Some(reply),
                entry => next = self.group(entry).await,
            }
        }
        self.waiting.close();
        self.link.close().await;
        drop(lock);
        if let Some(reply) = closing {
            let _ = reply.send(());
        }
    }

    /// Commits the group that begins with `first`: whatever waits. Returns the job that ended it, which is to be done next.
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
        match self.apply(&group.intakes, &group.outcomes).await {
            Ok((accepted, settled)) => {
                tracing::trace!(messages = accepted.len(), outcomes = settled.len(), "group committed");
                answer(group.acceptors, Ok(accepted));
                answer(group.settlers, Ok(settled));
            }
            Err(failure) if failure.is_own() && group.len() > 1 => self.commit_singly(group).await,
            Err(failure) => {
                let error = failure.into_error("commits");
                answer(group.acceptors, Err(error.clone()));
                answer(group.settlers, Err(error));
            }
        }
    }

    /// One entry's data spoiled the group: each is tried alone, so that only that one fails.
    async fn commit_singly(&mut self, group: Group) {
        for (intake, reply) in group.intakes.iter().zip(group.acceptors) {
            let outcome = self.apply(slice::from_ref(intake), &[]).await;
            let outcome = outcome.map_err(|failure| failure.into_error("accepts a message"));
            answer(vec![reply], outcome.map(|(accepted, _)| accepted));
        }
        for (outcomes, reply) in group.outcomes.iter().zip(group.settlers) {
            let outcome = self.apply(&[], slice::from_ref(outcomes)).await;
            let outcome = outcome.map_err(|failure| failure.into_error("settles deliveries"));
            answer(vec![reply], outcome.map(|(_, settled)| settled));
        }
    }

    /// One transaction: the answers to all of them, or an error and nothing written.
    async fn apply(&mut self, intakes: &[PreparedMessage], outcomes: &[SettledBatch]) -> Result<Answers, WriteFailure> {
        let connection = self.link.begin().await?;
        let answers = write(connection, intakes, outcomes).await;
        self.link.end(answers).await
    }
}

/// What became of each intake, and for each set of outcomes how many leases were stale.
type Answers = (Vec<Acceptance>, Vec<usize>);

async fn write(
    connection: &mut SqliteConnection,
    intakes: &[PreparedMessage],
    outcomes: &[SettledBatch],
) -> Result<Answers, WriteFailure> {
    let accepted = if intakes.is_empty() { Vec::new() } else { accept::accept(connection, intakes).await? };
    let mut settled = Vec::with_capacity(outcomes.len());
    for outcomes in outcomes {
        settled.push(settle::settle(connection, outcomes).await?);
    }
    Ok((accepted, settled))
}

/// Answers everybody; a caller that went away does not need it.
fn answer<T>(replies: Vec<Reply<T>>, outcome: Result<Vec<T>>) {
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
