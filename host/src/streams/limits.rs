//! Bounds of event streams. A bound that an operator may change is the default of a setting and names it; the others are
//! fixed.

/// Connections that follow event streams at the same time.
pub const STREAM_FOLLOWERS: usize = 1000;
/// Connections that follow one event stream at the same time.
pub const STREAM_FOLLOWERS_EACH: usize = 8;
