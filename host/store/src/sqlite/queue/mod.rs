//! The queue's SQL, one module for each transaction or group of statements, as functions on a connection. It uses
//! neither the writer nor the store; the caller owns the transaction.

pub(crate) mod accept;
mod address_change;
pub(crate) mod books;
mod content;
pub(crate) mod digest_assembly;
pub(crate) mod failure_policy;
pub(crate) mod fair_queue;
pub(crate) mod lease;
pub(crate) mod listing;
mod oneshot;
pub(crate) mod pruning;
pub(crate) mod settle;
pub(crate) mod submission;
