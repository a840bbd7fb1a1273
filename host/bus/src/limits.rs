//! Bounds of bus sources. A bound that an operator may change is the default of a setting and names it; the others are fixed.

use std::time::Duration;

/// Frames that wait between a bus source and intake. Beyond it the source is not read, and the publisher's own high
/// water mark decides.
pub const BUS_BUFFER: usize = 4096;
/// The bytes of those frames, in all.
pub const BUS_BUFFER_BYTES: usize = 64 * 1024 * 1024;
/// How long connecting to a publisher may take, greeting and subscribing included; setting `bus.connect_timeout`.
pub const BUS_CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// The shortest and the longest wait before a lost publisher is tried again. Short, because what is published before
/// the subscription is lost; libzmq's usual 0.1 to 1 s is no longer.
pub const BUS_BACKOFF_MIN: Duration = Duration::from_millis(100);
pub const BUS_BACKOFF_MAX: Duration = Duration::from_secs(2);
/// After this long without a message a bus connection is replaced; setting `bus.idle`. It is how a peer that vanished
/// without closing is noticed.
pub const BUS_IDLE: Duration = Duration::from_secs(5 * 60);
/// How long the replaced connection is still read, so that nothing falls between the two.
pub const BUS_OVERLAP: Duration = Duration::from_secs(1);
