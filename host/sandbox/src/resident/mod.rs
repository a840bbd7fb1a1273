//! A resident plugin: one instance for one channel, kept over calls. A task owns it and does one thing at a time:
//! deliver a batch, or wake the plugin because a connection is readable or its timer is due. A crashed instance is
//! dropped with its connections; the task starts another one after a backoff.

mod command;
mod handle;
mod instance;
mod stats;
mod task;

pub use handle::ResidentHandle;
pub use stats::ResidentStats;
