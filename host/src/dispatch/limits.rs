//! Bounds of dispatch. A bound that an operator may change is the default of a setting and names it; the others are
//! fixed.

use std::time::Duration;

use tidings_domain::limits::WATCH_CRASHES;
use tidings_sandbox::limits::{INSTANCE_WAIT, RESIDENT_START_WAIT, WAKE_DEADLINE};

/// Deliveries in one call of a plugin; setting `dispatch.batch`.
///
/// Unit: deliveries
///
/// When hit: further deliveries are in the next call.
pub const DELIVER_BATCH: usize = 50;
/// Calls of the plugin of one channel at the same time; setting `dispatch.window`.
///
/// Unit: calls
///
/// When hit: further deliveries wait for a call to end.
pub const CHANNEL_WINDOW: usize = 4;
/// Events that one digest shows.
///
/// When hit: the digest says how many more there are.
pub const DIGEST_EVENTS: usize = 500;
/// Deliveries of a channel that are remembered because their call crashed, and are sent alone.
///
/// Unit: deliveries
///
/// When hit: the oldest is forgotten and may be in a call with others.
pub const SUSPECTS: usize = 10_000;
/// The shortest pause of a channel in trouble.
///
/// When hit: the pause is set to the bound.
pub const CHANNEL_REST_MIN: Duration = Duration::from_secs(10);

/// How long a delivery waits that crashed alone in a watched version. It loses no attempt.
///
/// When hit: the delivery is tried again.
pub const WATCH_RETRY: Duration = Duration::from_secs(3);
/// How much longer than the deadline of its call a lease is valid, so that no other call has the same delivery
/// meanwhile.
///
/// When hit: the lease ends and the delivery can be leased again.
pub const LEASE_MARGIN: Duration = Duration::from_secs(60);

/// How long calls in flight may go on when their channel is disabled or the daemon stops; setting
/// `dispatch.stop_grace`.
///
/// When hit: the calls are cut off, and their deliveries are tried again.
pub const STOP_GRACE: Duration = Duration::from_secs(5);
/// The longest `dispatch.stop_grace`. A change of a channel and the end of the daemon wait for it, twice where the plugin
/// is resident.
///
/// When hit: the configuration is invalid, and the daemon does not start.
pub const STOP_GRACE_MAX: Duration = Duration::from_secs(120);

const _: () = assert!(WATCH_RETRY.as_secs() * WATCH_CRASHES as u64 <= 9, "a lone delivery rolls back within 10 s");
const _: () = assert!(INSTANCE_WAIT.as_secs() * 2 <= LEASE_MARGIN.as_secs(), "a lease outlives its call");
const _: () = assert!(
    INSTANCE_WAIT.as_secs() * 2 + RESIDENT_START_WAIT.as_secs() + WAKE_DEADLINE.as_secs() <= LEASE_MARGIN.as_secs(),
    "a lease outlives the wait for a turn, the rest after a crash, the wait for an instance and its first call"
);
