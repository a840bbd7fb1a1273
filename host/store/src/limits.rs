//! Limits of the store: its queue, its transactions and the pages that it returns. A limit that an operator may change
//! is the default of a setting and names it; the others are fixed.

use std::time::Duration;

/// Messages in one intake transaction at most. Under a backlog it decides how much is written: an index page that many
/// messages of one transaction change is written once.
pub const INTAKE_BATCH: usize = 4096;
/// Writes in the queue of the store's writer; beyond it callers wait.
pub const STORE_QUEUE: usize = 4 * INTAKE_BATCH;
/// Rows after which a group of writes is closed, so that one transaction takes less than about half a second.
pub const STORE_GROUP_ROWS: usize = 20_000;
/// Bytes of events after which a group of writes is closed.
pub const STORE_GROUP_BYTES: usize = 32 * 1024 * 1024;
/// Connections that only read.
pub const STORE_READERS: u32 = 4;
/// How long a write waits for another program's lock on the database, and a read for a free connection; then the call
/// is unavailable.
pub const STORE_BUSY: Duration = Duration::from_secs(5);
/// Bytes of events that are loaded for one digest; further events are counted as omitted.
pub const DIGEST_BYTES: usize = 16 * 1024 * 1024;
/// How far back from its newest change the feed of changes reaches; a reader that is further behind reads everything
/// again.
pub const CHANGES_KEPT: Duration = Duration::from_secs(24 * 3600);
/// Changes that one read of the feed returns at most.
pub const CHANGES_PAGE: u32 = 1000;
/// Changes of one transaction that are published one by one; where there are more, readers read everything again, which
/// costs less.
pub const CHANGES_SINGLY: usize = 1000;
/// Bytes of documents after which a page of subscriptions ends; it exceeds them by those of one user at most.
pub const SUBSCRIPTION_PAGE_BYTES: usize = 16 * 1024 * 1024;
/// Messages that one pruning transaction deletes, so that intake waits only briefly.
pub const PRUNE_BATCH: u32 = 1000;

/// How long a delivery waits whose address moved repeatedly or to itself, so that addresses that name each other do not
/// loop.
pub const ADDRESS_MOVE_REST: Duration = Duration::from_secs(60);
/// Deliveries that one transaction of a failure policy drops or moves, so that intake waits only briefly.
pub const POLICY_BATCH: u32 = 500;
/// Events that the history of a channel keeps; older ones are deleted.
pub const CHANNEL_EVENTS: u32 = 500;
/// Bytes of a component's file that are written in one transaction; a delivery's commit waits for one of them at most.
pub const COMPONENT_PART_BYTES: usize = 256 * 1024;
/// Entries that an event stream keeps: the newest, none older than `retention.messages`.
pub const STREAM_ENTRIES: u32 = 200;
/// Entries of an event stream that one read returns.
pub const STREAM_PAGE: u32 = 20;
