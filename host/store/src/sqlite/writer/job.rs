//! What callers hand to the writer's task, and how it answers.

use tidings_domain::delivery::Acceptance;
use tokio::sync::oneshot;

use super::connection::{ConnectionFuture, WriteConnection};
use crate::error::Result;
use crate::sqlite::queue::submission::{PreparedMessage, SettledBatch};

/// A write that does not share a transaction: it begins and ends its own and answers its caller.
pub(super) type WriteJob = Box<dyn for<'c> FnOnce(&'c mut WriteConnection) -> ConnectionFuture<'c, ()> + Send>;

/// The way to answer a caller. A caller that was cancelled does not get its answer.
pub(super) type ReplySender<T> = oneshot::Sender<Result<T>>;

pub(super) enum Job {
    Accept(PreparedMessage, ReplySender<Acceptance>),
    Settle(SettledBatch, ReplySender<usize>),
    /// Runs between groups.
    Exclusive(WriteJob),
    Close(oneshot::Sender<()>),
}
