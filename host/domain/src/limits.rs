//! Every bound of the program, with its unit and why it has this size. A bound that an operator may change is the
//! default of a setting and names it; the others are fixed. Reaching one is counted, logged once and has a defined
//! result, never a panic.

use std::time::Duration;

/// The longest body of a bus message, in bytes. fedmsg's largest real ones are below 100 kB.
pub const MESSAGE_BYTES: usize = 1024 * 1024;
/// The longest topic, in bytes.
pub const TOPIC_BYTES: usize = 1024;
/// How deep a message's JSON may nest. Checked before it is parsed.
pub const MESSAGE_DEPTH: usize = 64;
/// The longest message id that is kept as it is; fedmsg's are 41 characters.
pub const MESSAGE_ID_BYTES: usize = 200;

/// Frames that wait between a bus source and intake. Beyond it the source is not read, and the publisher's own high
/// water mark decides.
pub const BUS_BUFFER: usize = 4096;
/// Messages that one intake transaction takes at most.
pub const INTAKE_BATCH: usize = 512;
/// How long intake waits for more messages before it commits what it has.
pub const INTAKE_LINGER: Duration = Duration::from_millis(5);

/// Deliveries in one call of a plugin; setting `dispatch.batch`.
pub const DELIVER_BATCH: usize = 50;
/// Calls of one channel's plugin at the same time; setting `dispatch.window`.
pub const CHANNEL_WINDOW: usize = 4;
/// Events that one digest shows; the rest is counted.
pub const DIGEST_EVENTS: usize = 500;
/// The shortest wait before a delivery is tried again; setting `dispatch.backoff_min`.
pub const BACKOFF_MIN: Duration = Duration::from_secs(60);
/// The longest wait before a delivery is tried again, also where the far side asked for more; setting
/// `dispatch.backoff_max`.
pub const BACKOFF_MAX: Duration = Duration::from_secs(4000);
/// A delivery older than this is dead; setting `dispatch.max_age`. Postfix keeps mail as long.
pub const DELIVERY_MAX_AGE: Duration = Duration::from_secs(5 * 24 * 3600);

/// How long one call of a plugin may take in all, guest code and host calls; setting `sandbox.deadline`.
pub const CALL_DEADLINE: Duration = Duration::from_secs(120);
/// How much longer than a call's deadline its lease lives, so that nobody else runs the same delivery meanwhile.
pub const LEASE_MARGIN: Duration = Duration::from_secs(60);

/// One line of a plugin's log, an outcome's reason, a receipt: characters kept.
pub const REASON_CHARS: usize = 500;

/// A component file, in bytes.
pub const COMPONENT_BYTES: usize = 64 * 1024 * 1024;
/// A request body of the API other than a component, in bytes.
pub const API_BODY_BYTES: usize = 1024 * 1024;

/// A user's filters for one channel.
pub const FILTERS_PER_SUBSCRIPTION: usize = 500;
/// Rules in one filter.
pub const RULES_PER_FILTER: usize = 500;
/// Arguments of a rule, in bytes, keys and values together.
pub const ARGUMENTS_BYTES: usize = 4096;
/// A user's addresses on one channel.
pub const ADDRESSES_PER_SUBSCRIPTION: usize = 50;
/// The compiled size of a user's regular expression, in bytes.
pub const REGEX_BYTES: usize = 64 * 1024;

/// What one plugin may use. Always in force, each on its own; an administrator may change them per channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PluginLimits {
    /// One call in all, guest code and host calls: milliseconds.
    pub deadline_ms: u64,
    /// Linear memory of one instance, in bytes.
    pub memory_bytes: usize,
    /// Elements of all its tables.
    pub table_elements: usize,
    /// Bytes that one call may pass through host calls (arguments and results lifted on the host's side).
    pub hostcall_bytes: usize,
    /// Host calls of one call of the plugin.
    pub host_calls: u64,
    /// Lines it may log in one call; the rest is counted.
    pub log_lines: u32,
    /// Open connections at a time.
    pub connections: u32,
    /// Bytes sent and received over the network in one call.
    pub network_bytes: u64,
    /// Keys, and bytes of keys and values, in its `state`.
    pub state_keys: u32,
    pub state_bytes: u64,
}

impl Default for PluginLimits {
    fn default() -> Self {
        PluginLimits {
            deadline_ms: CALL_DEADLINE.as_millis() as u64,
            memory_bytes: 64 * 1024 * 1024,
            table_elements: 20_000,
            hostcall_bytes: 128 * 1024 * 1024,
            host_calls: 1_000_000,
            log_lines: 200,
            connections: 8,
            network_bytes: 256 * 1024 * 1024,
            state_keys: 1000,
            state_bytes: 1024 * 1024,
        }
    }
}
