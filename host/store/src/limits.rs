//! Bounds of the store: its queue, its transactions and the pages that it returns. A bound that an operator may change
//! is the default of a setting and names it; the others are fixed.

use std::time::Duration;

/// Messages that one intake transaction takes. With a backlog it determines how much is written: a page of an index
/// that many messages change in one transaction is written once.
///
/// Unit: messages
///
/// When hit: further messages are in the next transaction.
pub const INTAKE_BATCH: usize = 4096;
/// Writes that wait for the writer of the store.
///
/// Unit: writes
///
/// When hit: callers wait until there is space.
pub const STORE_QUEUE: usize = 4 * INTAKE_BATCH;
/// Rows of one group of writes, so that a transaction takes less than about half a second.
///
/// When hit: the group takes no further write and is committed.
pub const STORE_GROUP_ROWS: usize = 20_000;
/// Bytes of events in one group of writes.
///
/// When hit: the group takes no further write and is committed.
pub const STORE_GROUP_BYTES: usize = 32 * 1024 * 1024;
/// Connections of the store that only read.
///
/// Unit: connections
///
/// When hit: reads wait up to `STORE_BUSY` for a connection.
pub const STORE_READERS: u32 = 4;
/// How long a write waits for the lock of another program on the database, and a read for a connection.
///
/// When hit: the operation fails with an error of the store.
pub const STORE_BUSY: Duration = Duration::from_secs(5);
/// Bytes of events that are loaded for one digest.
///
/// When hit: further events are counted as omitted.
pub const DIGEST_BYTES: usize = 16 * 1024 * 1024;
/// How far back from its newest entry the feed of changes reaches.
///
/// When hit: older changes are deleted; a reader that needs them reads everything again.
pub const CHANGES_KEPT: Duration = Duration::from_secs(24 * 3600);
/// Changes that one reading of the feed returns.
///
/// Unit: changes
///
/// When hit: the next reading returns the rest.
pub const CHANGES_PAGE: u32 = 1000;
/// Changes of one transaction that the feed names one by one.
///
/// Unit: changes
///
/// When hit: the feed names one change of everything, which costs less to read.
pub const CHANGES_SINGLY: usize = 1000;
/// Bytes of documents on a page of subscriptions. A page may exceed them by the documents of one user.
///
/// When hit: the next page has the rest.
pub const SUBSCRIPTION_PAGE_BYTES: usize = 16 * 1024 * 1024;
/// Messages that one transaction deletes, so that intake waits only a moment.
///
/// Unit: messages
///
/// When hit: the next transaction deletes the rest.
pub const PRUNE_BATCH: u32 = 1000;

/// How long a delivery waits whose address moved more than once, or to itself. A circle of such addresses has no end.
///
/// When hit: the delivery is tried again.
pub const ADDRESS_MOVE_REST: Duration = Duration::from_secs(60);
/// Deliveries that one transaction of a failure policy drops or moves, so that intake waits only a moment.
///
/// Unit: deliveries
///
/// When hit: the next transaction takes the rest.
pub const POLICY_BATCH: u32 = 500;
/// Events that are kept of the history of each channel.
///
/// When hit: the oldest event is deleted.
pub const CHANNEL_EVENTS: u32 = 500;
/// How much of the file of a component is written in one transaction: the commit of a delivery waits as long.
///
/// When hit: the next transaction writes the rest.
pub const COMPONENT_PART_BYTES: usize = 256 * 1024;
/// Entries that an event stream keeps, none of them older than `retention.messages`.
///
/// When hit: the oldest entry is deleted.
pub const STREAM_ENTRIES: u32 = 200;
/// Entries of an event stream that are read at once for a follower.
///
/// Unit: entries
///
/// When hit: the rest is read next.
pub const STREAM_PAGE: u32 = 20;
