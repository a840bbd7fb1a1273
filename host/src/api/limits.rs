//! Bounds of the HTTP API. A bound that an operator may change is the default of a setting and names it; the others are
//! fixed.

use std::time::Duration;

use tidings_sandbox::limits::{COMPILE_TIME, COMPILE_WAIT, QUESTION_DEADLINE};

use crate::fetch::limits::FETCH_ALL_TIME;

use crate::streams::limits::STREAM_FOLLOWERS;
/// A table of access lists that is loaded in one request; 100,000 packages with six holders are 15 MB.
///
/// When hit: the request is refused with 413.
pub const ACCESS_LISTS_BYTES: usize = 64 * 1024 * 1024;
/// The body of a request, other than a component or access lists.
///
/// When hit: the request is refused with 413.
pub const API_BODY_BYTES: usize = 1024 * 1024;
/// Open connections of the API.
///
/// When hit: further connections wait until one is closed.
pub const API_CONNECTIONS: usize = 256 + STREAM_FOLLOWERS;
/// How long a client may take to send the head of a request.
///
/// When hit: the connection is closed.
pub const API_HEAD_TIMEOUT: Duration = Duration::from_secs(15);
/// How long a client may take to send the body of a request, and the daemon to answer.
///
/// When hit: the answer is 504, or 408 for the body; a change that has begun is finished.
pub const API_TIMEOUT: Duration = Duration::from_secs(30);
/// The same for requests that carry a component or run a plugin. It is longer than a call may take.
///
/// When hit: as at `API_TIMEOUT`.
pub const API_SLOW_TIMEOUT: Duration = Duration::from_secs(300);
/// Components that are received and admitted at the same time. Each is held in memory.
///
/// When hit: the request is refused with 503 and can be repeated.
pub const API_UPLOADS: usize = 2;
/// Rows of one answer of the API by default, and at most.
///
/// When hit: a request for more is refused; the rest is on the next page.
pub const API_ROWS: usize = 100;
pub const API_ROWS_MAX: usize = 1000;

/// How often the connection of a follower looks for entries without being told of one, and whether the stream still
/// belongs to its user.
///
/// When hit: the connection looks.
pub const STREAM_LOOK: Duration = Duration::from_secs(30);
/// How long a stream may be silent. Proxies close connections that are silent for a minute.
///
/// When hit: the daemon sends a comment that clients ignore.
pub const STREAM_SIGN: Duration = Duration::from_secs(15);

const _: () = assert!(
    COMPILE_WAIT.as_secs() + COMPILE_TIME.as_secs() + QUESTION_DEADLINE.as_secs() < API_SLOW_TIMEOUT.as_secs(),
    "a request that installs a component outlives its compilation"
);
const _: () = assert!(
    FETCH_ALL_TIME.as_secs() < API_SLOW_TIMEOUT.as_secs(),
    "a request that installs a component outlives its download"
);

/// Requests that one token may make in a second, on average; setting `api.requests_per_second`. Bursts may be twice as
/// large.
///
/// Unit: requests per second
///
/// When hit: the request gets status 429 with `Retry-After`; other tokens are not affected.
pub const API_REQUESTS_PER_SECOND: u32 = 1000;
/// How long the answer of a request with an `Idempotency-Key` is kept.
///
/// When hit: a repeated request is carried out again.
pub const API_REPLAY_AGE: Duration = Duration::from_secs(24 * 3600);
/// Bytes of all kept answers of requests with an `Idempotency-Key`.
///
/// Unit: bytes
///
/// When hit: answers that were used least are dropped; a repeated request is carried out again.
pub const API_REPLAY_BYTES: u64 = 32 * 1024 * 1024;
