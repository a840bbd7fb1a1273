//! Every bound of the program, with its unit and why it has this size. A bound that an operator may change is the
//! default of a setting and names it; the others are fixed. Reaching one is counted, logged once and has a defined
//! result, never a panic.

mod plugin;

use std::time::Duration;

pub use plugin::PluginLimits;

/// The longest body of a bus message, in bytes. fedmsg's largest real ones are below 100 kB.
pub const MESSAGE_BYTES: usize = 1024 * 1024;
/// The longest topic, in bytes.
pub const TOPIC_BYTES: usize = 1024;
/// How deep a message's JSON may nest. Checked before it is parsed.
pub const MESSAGE_DEPTH: usize = 64;
/// The longest message id that is kept as it is; fedmsg's are 41 characters.
pub const MESSAGE_ID_BYTES: usize = 200;

/// How far another machine's clock may be ahead of ours.
pub const CLOCK_SKEW: Duration = Duration::from_secs(600);

/// Publishers whose counter is followed on one bus endpoint; those beyond are not watched for gaps.
pub const BUS_PUBLISHERS: usize = 256;
/// How many of a publisher's latest messages are remembered to tell a repeat from a restart.
pub const BUS_RECENT: usize = 256;
/// A counter that jumps further is another counter, not a gap.
pub const BUS_GAP_MAX: u64 = 1_000_000;
/// The shortest wait before a delivery is tried again; setting `dispatch.backoff_min`.
pub const BACKOFF_MIN: Duration = Duration::from_secs(60);
/// The longest wait before a delivery is tried again, also if the remote server asked for more; setting
/// `dispatch.backoff_max`.
pub const BACKOFF_MAX: Duration = Duration::from_secs(4000);
/// A delivery older than this is dead; setting `dispatch.max_age`. Postfix keeps mail as long.
pub const DELIVERY_MAX_AGE: Duration = Duration::from_secs(5 * 24 * 3600);

/// A delivery that makes its plugin crash this often is dead.
pub const MAX_CRASHES: u32 = 5;
/// Crashes among a plugin's last calls after which its channel is quarantined, and how many calls those are; settings
/// `dispatch.quarantine_crashes` and `dispatch.quarantine_calls`.
pub const QUARANTINE_CRASHES: usize = 5;
pub const QUARANTINE_CALLS: usize = 10;
/// Different deliveries that must have crashed alone among them: a single one that crashes again and again is poison.
pub const QUARANTINE_DELIVERIES: usize = 2;
/// How long a version that became active is watched, and how many crashes among its last calls roll it back.
pub const WATCH_TIME: Duration = Duration::from_secs(10 * 60);
pub const WATCH_CRASHES: usize = 3;
/// How a candidate is tried unless an administrator says otherwise: its share of the calls, the calls that prove it, and
/// the time after which it is promoted with fewer, if it did any and nothing speaks against it.
pub const CANARY_SHARE_PERCENT: u8 = 10;
pub const CANARY_CALLS: u64 = 20;
pub const CANARY_TIME: Duration = Duration::from_secs(10 * 60);
/// The most that may be asked for.
pub const CANARY_CALLS_MAX: u64 = 1_000_000;
pub const CANARY_TIME_MAX: Duration = Duration::from_secs(24 * 3600);
/// Crashes, troubles or wrong refusals of a candidate that end its trial, where the active version has fewer.
pub const CANARY_FAULTS: u64 = 2;
/// Calls for each fault that a candidate must have done to be promoted in spite of it.
pub const CANARY_GOOD_CALLS: u64 = 10;
/// The longest age that a channel's failure policy may name.
pub const POLICY_AGE_MAX: Duration = Duration::from_secs(30 * 24 * 3600);
/// How long one call of a plugin may take in all, guest code and host calls; a channel's limit `deadline_ms`.
pub const CALL_DEADLINE: Duration = Duration::from_secs(120);
/// The longest deadline that a channel may be given, in milliseconds.
pub const CALL_DEADLINE_MAX_MS: usize = 15 * 60 * 1000;
/// One line of a plugin's log, an outcome's reason, a receipt: characters kept.
pub const REASON_CHARS: usize = 500;
/// The shortest secret that is taken out of a plugin's texts, in characters: shorter ones are words of other meaning too.
pub const REDACTED_CHARS: usize = 6;

/// A component file, in bytes.
pub const COMPONENT_BYTES: usize = 64 * 1024 * 1024;
/// A user's name, in characters.
pub const USER_CHARS: usize = 200;
/// A filter's name, in characters.
pub const FILTER_NAME_CHARS: usize = 200;
/// A channel's name, in characters.
pub const CHANNEL_NAME_CHARS: usize = 50;
/// The longest wait of a digest, in seconds, and the largest count that sends one before.
pub const DIGEST_INTERVAL_SECONDS: u64 = 30 * 24 * 3600;
pub const DIGEST_COUNT: u32 = 100_000;
/// A user's subscriptions: as many as there are channels, which are few.
pub const SUBSCRIPTIONS_PER_USER: usize = 1000;
/// A user's filters for one channel.
pub const FILTERS_PER_SUBSCRIPTION: usize = 500;
/// Rules in one filter.
pub const RULES_PER_FILTER: usize = 500;
/// Arguments of a rule, in bytes, keys and values together.
pub const ARGUMENTS_BYTES: usize = 4096;
/// A user's addresses on one channel.
pub const ADDRESSES_PER_SUBSCRIPTION: usize = 50;
/// Usernames, packages and the like that are kept of one message, of each kind; the largest composes have about 300.
pub const FACT_ITEMS: usize = 2000;
/// One username, package or object, in bytes; longer ones are no names and are left out.
pub const FACT_BYTES: usize = 512;
/// A rendered title, subtitle, link or icon: characters kept.
pub const LINE_CHARS: usize = 1000;
/// A rendered long form: characters kept.
pub const LONG_FORM_CHARS: usize = 200_000;
/// What one template may cost, in minijinja's fuel: instructions, and a unit for each 64 bytes made.
pub const TEMPLATE_FUEL: u64 = 100_000;
/// What the engine may remember while it tests a set of patterns, in bytes for each set and thread.
pub const REGEX_SET_CACHE_BYTES: usize = 1024 * 1024;
/// The compiled size of a user's regular expression, in bytes.
pub const REGEX_BYTES: usize = 64 * 1024;

/// The most linear memory that an administrator may allow one instance, in bytes.
pub const PLUGIN_MEMORY_CEILING: usize = 1024 * 1024 * 1024;
/// The most table elements that an administrator may allow one instance.
pub const PLUGIN_TABLE_CEILING: usize = 100_000;
/// A manifest's name and version, and the name of a configuration field, in bytes.
pub const NAME_BYTES: usize = 64;
/// A manifest's labels and one-line texts, in characters.
pub const LABEL_CHARS: usize = 300;
/// The help of a configuration field, in characters.
pub const HELP_CHARS: usize = 1000;
/// Fields, grant requests, and choices of one field in a manifest.
pub const MANIFEST_FIELDS: usize = 64;
pub const MANIFEST_GRANTS: usize = 64;
pub const MANIFEST_CHOICES: usize = 100;
/// A configuration value, in characters.
pub const CONFIG_VALUE_CHARS: usize = 8192;
/// An address of a user on a channel, in characters.
pub const ADDRESS_CHARS: usize = 500;
