//! Bounds of the HTTP API. A bound that an operator may change is the default of a setting and names it; the others are fixed.

use std::time::Duration;

use tidings_sandbox::limits::{COMPILE_TIME, COMPILE_WAIT, QUESTION_DEADLINE};

use crate::fetch::limits::FETCH_ALL_TIME;

use crate::streams::limits::STREAM_FOLLOWERS;
/// A table of access lists that is loaded in one request, in bytes; 100,000 packages with six holders are 15 MB.
pub const ACCESS_LISTS_BYTES: usize = 64 * 1024 * 1024;
/// A request body of the API other than a component, in bytes.
pub const API_BODY_BYTES: usize = 1024 * 1024;
/// Open connections of the API; further ones wait to be accepted.
pub const API_CONNECTIONS: usize = 256 + STREAM_FOLLOWERS;
/// How long a client may take for the head of a request.
pub const API_HEAD_TIMEOUT: Duration = Duration::from_secs(15);
/// How long a client may take for the body of a request, and the server for its answer.
pub const API_TIMEOUT: Duration = Duration::from_secs(30);
/// The same for requests that carry a component or run a plugin: longer than a call may take.
pub const API_SLOW_TIMEOUT: Duration = Duration::from_secs(300);
/// Components that are received and admitted at the same time: each is held in memory.
pub const API_UPLOADS: usize = 2;
/// Rows of one answer of the API, where the request does not say, and at most.
pub const API_ROWS: usize = 100;
pub const API_ROWS_MAX: usize = 1000;

/// How often a follower looks by itself for entries, and whether the stream is still its user's.
pub const STREAM_LOOK: Duration = Duration::from_secs(30);
/// How often a silent stream says that it is there: proxies cut connections that are silent for a minute.
pub const STREAM_SIGN: Duration = Duration::from_secs(15);

const _: () = assert!(
    COMPILE_WAIT.as_secs() + COMPILE_TIME.as_secs() + QUESTION_DEADLINE.as_secs() < API_SLOW_TIMEOUT.as_secs(),
    "a request that installs a component outlives its compilation"
);
const _: () = assert!(
    FETCH_ALL_TIME.as_secs() < API_SLOW_TIMEOUT.as_secs(),
    "a request that installs a component outlives its download"
);
