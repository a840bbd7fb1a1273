//! Bounds of the store: its queue, its transactions and the pages that it returns. A bound that an operator may change is the default of a setting and names it; the others are fixed.

use std::time::Duration;

/// Messages that one intake transaction takes at most. Under a backlog it is what decides how much is written: a page of an
/// index that many messages change in one transaction is written once.
pub const INTAKE_BATCH: usize = 4096;
/// Writes that wait for the store's writer; beyond it callers wait to hand theirs in.
pub const STORE_QUEUE: usize = 4 * INTAKE_BATCH;
/// Rows after which a group of writes takes no further call, so that one transaction stays below about half a second.
pub const STORE_GROUP_ROWS: usize = 20_000;
/// Bytes of events after which it takes no further call either.
pub const STORE_GROUP_BYTES: usize = 32 * 1024 * 1024;
/// Connections that only read.
pub const STORE_READERS: u32 = 4;
/// How long a write waits for another program's lock on the database, and a read for a free connection.
pub const STORE_BUSY: Duration = Duration::from_secs(5);
/// Bytes of events that are loaded for one digest; those beyond are counted as omitted.
pub const DIGEST_BYTES: usize = 16 * 1024 * 1024;
/// How far back from its newest the feed of changes reaches: whoever was away longer reads everything again.
pub const CHANGES_KEPT: Duration = Duration::from_secs(24 * 3600);
/// Changes that one reading of the feed returns at most.
pub const CHANGES_PAGE: u32 = 1000;
/// Changes of one transaction that are told one by one; of more, reading everything again is the cheaper answer.
pub const CHANGES_SINGLY: usize = 1000;
/// Bytes of documents after which a page of subscriptions ends; it exceeds them by one user's at most.
pub const SUBSCRIPTION_PAGE_BYTES: usize = 16 * 1024 * 1024;
/// Messages that one transaction of pruning forgets, so that intake waits a moment at most.
pub const PRUNE_BATCH: u32 = 1000;

/// How long a delivery waits whose address moved and moved again, or moved to itself: a ring of such addresses has no end.
pub const ADDRESS_MOVE_REST: Duration = Duration::from_secs(60);
/// Deliveries that one transaction of a failure policy drops or moves, so that intake waits a moment at most.
pub const POLICY_BATCH: u32 = 500;
/// Events that are kept of each channel's history.
pub const CHANNEL_EVENTS: u32 = 500;
/// How much of a component's file is written to the store at a time, in bytes: what a delivery's commit waits for it.
pub const COMPONENT_PART_BYTES: usize = 256 * 1024;
/// Entries that an event stream keeps: the newest, none older than `retention.messages`.
pub const STREAM_ENTRIES: u32 = 200;
/// Entries that are read at once for whoever follows a stream.
pub const STREAM_PAGE: u32 = 20;
