//! Bounds of dispatch. A bound that an operator may change is the default of a setting and names it; the others are fixed.

use std::time::Duration;

use tidings_domain::limits::WATCH_CRASHES;
use tidings_sandbox::limits::{INSTANCE_WAIT, RESIDENT_START_WAIT, WAKE_DEADLINE};

/// Deliveries in one call of a plugin; setting `dispatch.batch`.
pub const DELIVER_BATCH: usize = 50;
/// Calls of one channel's plugin at the same time; setting `dispatch.window`.
pub const CHANNEL_WINDOW: usize = 4;
/// Events that one digest shows; the rest is counted.
pub const DIGEST_EVENTS: usize = 500;
/// Deliveries of a channel that are remembered as suspects, and so sent alone.
pub const SUSPECTS: usize = 10_000;
/// The shortest rest of a channel in trouble.
pub const CHANNEL_REST_MIN: Duration = Duration::from_secs(10);

/// When a delivery that crashed alone in a watched version is tried again; it uses no attempt up.
pub const WATCH_RETRY: Duration = Duration::from_secs(3);
/// How much longer than a call's deadline its lease lives, so that nobody else runs the same delivery meanwhile.
pub const LEASE_MARGIN: Duration = Duration::from_secs(60);

/// How long calls in flight may go on when their channel is disabled or the daemon stops; setting `dispatch.stop_grace`.
pub const STOP_GRACE: Duration = Duration::from_secs(5);

const _: () = assert!(WATCH_RETRY.as_secs() * WATCH_CRASHES as u64 <= 9, "a lone delivery rolls back within 10 s");
const _: () = assert!(INSTANCE_WAIT.as_secs() * 2 <= LEASE_MARGIN.as_secs(), "a lease outlives its call");
const _: () = assert!(
    INSTANCE_WAIT.as_secs() * 2 + RESIDENT_START_WAIT.as_secs() + WAKE_DEADLINE.as_secs() <= LEASE_MARGIN.as_secs(),
    "a lease outlives the wait for a turn, the rest after a crash, the wait for an instance and its first call"
);
