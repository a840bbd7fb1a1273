//! Bounds of bus sources. A bound that an operator may change is the default of a setting and names it; the others are
//! fixed.

use std::time::Duration;

/// Frames that wait between a bus source and intake.
///
/// Unit: frames
///
/// When hit: the source is not read until there is space; at the publisher, its own high-water mark applies.
pub const BUS_BUFFER: usize = 4096;
/// Bytes of all frames that wait between a bus source and intake.
///
/// When hit: the source is not read until there is space, as at `BUS_BUFFER`.
pub const BUS_BUFFER_BYTES: usize = 64 * 1024 * 1024;
/// How long connecting to a publisher may take, greeting and subscribing included.
///
/// When hit: the connection is closed and tried again after a pause.
pub const BUS_CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// The shortest and the longest pause before a lost publisher is tried again. They are short because messages that are
/// published before the subscription are lost.
///
/// When hit: the pause is set to the bound.
pub const BUS_BACKOFF_MIN: Duration = Duration::from_millis(100);
pub const BUS_BACKOFF_MAX: Duration = Duration::from_secs(2);
/// How long a bus connection may be without a message. It detects a peer that vanished without closing.
///
/// When hit: a new connection replaces it.
pub const BUS_IDLE: Duration = Duration::from_secs(5 * 60);
/// How long a replaced bus connection is still read, so that no message is lost between the two.
///
/// When hit: the old connection is closed.
pub const BUS_OVERLAP: Duration = Duration::from_secs(1);
