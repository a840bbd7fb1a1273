//! Bounds of event streams. A bound that an operator may change is the default of a setting and names it; the others
//! are fixed.

/// Connections that follow event streams at the same time, in all and of one stream.
///
/// When hit: the request is refused; the client can repeat it.
pub const STREAM_FOLLOWERS: usize = 1000;
pub const STREAM_FOLLOWERS_EACH: usize = 8;
