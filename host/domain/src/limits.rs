//! Every bound of the program, with its unit and why it has this size. A bound that an operator may change is the
//! default of a setting and names it; the others are fixed. Reaching one is counted, logged once and has a defined
//! result, never a panic.

mod plugin;

use std::time::Duration;

pub use plugin::PluginLimits;

/// The body of a bus message. The largest real ones of fedmsg are below 100 kB.
///
/// When hit: the message is refused and counted as too large.
pub const MESSAGE_BYTES: usize = 1024 * 1024;
/// The topic of a bus message, and the name of its publisher.
///
/// When hit: the message is refused and counted as having a bad topic; a publisher with a longer name is not watched
/// for gaps.
pub const TOPIC_BYTES: usize = 1024;
/// How deep the JSON of a message may nest. It is checked before the JSON is parsed.
///
/// Unit: levels
///
/// When hit: the message is refused and counted as too deep.
pub const MESSAGE_DEPTH: usize = 64;
/// The id of a message; those of fedmsg have 41 characters.
///
/// When hit: the message is refused and counted as having a bad id.
pub const MESSAGE_ID_BYTES: usize = 200;

/// How far the clock of another machine may be ahead of the own one. It applies where `bus.max_message_age` is set.
///
/// When hit: the message is refused and counted as stale.
pub const CLOCK_SKEW: Duration = Duration::from_secs(600);

/// Publishers of one bus endpoint whose counters are watched for gaps.
///
/// When hit: further publishers are not watched.
pub const BUS_PUBLISHERS: usize = 256;
/// The latest messages of a publisher that are remembered, to tell a repeated message from a restarted counter.
///
/// Unit: messages
///
/// When hit: the oldest is forgotten.
pub const BUS_RECENT: usize = 256;
/// The largest gap in the counter of a publisher.
///
/// Unit: messages
///
/// When hit: the counter is taken for several mixed ones, and the publisher is not watched until it connects again.
pub const BUS_GAP_MAX: u64 = 1_000_000;
/// The shortest wait before a delivery is tried again; setting `dispatch.backoff_min`.
///
/// When hit: the wait is set to the bound.
pub const BACKOFF_MIN: Duration = Duration::from_secs(60);
/// The longest wait before a delivery is tried again, even where the plugin asks for more; setting
/// `dispatch.backoff_max`.
///
/// When hit: the wait is set to the bound.
pub const BACKOFF_MAX: Duration = Duration::from_secs(4000);
/// How old a delivery may become; setting `dispatch.max_age`. Postfix keeps mail as long.
///
/// When hit: the delivery is dead, with the reason `expired`.
pub const DELIVERY_MAX_AGE: Duration = Duration::from_secs(5 * 24 * 3600);

/// How often a delivery may crash its plugin when it is alone in its call.
///
/// When hit: the delivery is dead.
pub const MAX_CRASHES: u32 = 5;
/// Crashes among the last calls of a plugin, and how many calls those are; settings `dispatch.quarantine_crashes` and
/// `dispatch.quarantine_calls`.
///
/// When hit: the channel is quarantined: it makes no calls until an administrator releases it.
pub const QUARANTINE_CRASHES: usize = 5;
pub const QUARANTINE_CALLS: usize = 10;
/// Different deliveries that must have crashed the plugin alone among its last calls. A single delivery that crashes
/// again and again does not quarantine the channel.
///
/// When hit: the crashes count for the quarantine.
pub const QUARANTINE_DELIVERIES: usize = 2;
/// How long a version that became active is watched, and how many crashes among its last calls are allowed.
///
/// Unit: crashes
///
/// When hit: after the time the version counts as proven; at the crashes the version before it becomes active again.
pub const WATCH_TIME: Duration = Duration::from_secs(10 * 60);
pub const WATCH_CRASHES: usize = 3;
/// How a candidate version is tried by default: its share of the calls, the calls that prove it, and the time after
/// which fewer calls are enough.
///
/// When hit: the candidate is promoted, unless it has faults.
pub const CANARY_SHARE_PERCENT: u8 = 10;
pub const CANARY_CALLS: u64 = 20;
pub const CANARY_TIME: Duration = Duration::from_secs(10 * 60);
/// The most calls and the longest time that the plan of a trial may name.
///
/// When hit: the plan is refused with the field.
pub const CANARY_CALLS_MAX: u64 = 1_000_000;
pub const CANARY_TIME_MAX: Duration = Duration::from_secs(24 * 3600);
/// Crashes, troubles or wrong refusals of a candidate version, where the active version has fewer.
///
/// When hit: the trial ends and the active version stays.
pub const CANARY_FAULTS: u64 = 2;
/// Calls for each fault that a candidate version needs to be promoted in spite of its faults.
///
/// When hit: the candidate can be promoted.
pub const CANARY_GOOD_CALLS: u64 = 10;
/// The longest age that the failure policy of a channel may name.
///
/// When hit: the policy is refused.
pub const POLICY_AGE_MAX: Duration = Duration::from_secs(30 * 24 * 3600);
/// How long one call of a plugin may take, guest code and host calls together; limit `deadline_ms` of a channel.
///
/// When hit: the call is interrupted and counts as a crash by timeout.
pub const CALL_DEADLINE: Duration = Duration::from_secs(120);
/// The longest deadline that an administrator may give a channel.
///
/// When hit: the change of the limit is refused.
pub const CALL_DEADLINE_MAX_MS: usize = 15 * 60 * 1000;
/// Characters that are kept of a log line of a plugin, of the reason of an outcome, and of a receipt.
///
/// When hit: the text is cut.
pub const REASON_CHARS: usize = 500;
/// The shortest secret that is removed from the texts of a plugin. Shorter ones are likely to be ordinary words.
///
/// When hit: a shorter secret is not removed.
pub const REDACTED_CHARS: usize = 6;

/// The file of a component.
///
/// When hit: the component is refused: an upload with 413, a download with an error.
pub const COMPONENT_BYTES: usize = 64 * 1024 * 1024;
/// The name of a user.
///
/// When hit: the request is refused with the field.
pub const USER_CHARS: usize = 200;
/// The name of a filter.
///
/// When hit: the request is refused with the field.
pub const FILTER_NAME_CHARS: usize = 200;
/// The name of a channel.
///
/// When hit: the request is refused with the field.
pub const CHANNEL_NAME_CHARS: usize = 50;
/// The longest wait of a digest, and the largest count of messages that sends it early.
///
/// Unit: seconds; messages
///
/// When hit: the subscription is refused with the field.
pub const DIGEST_INTERVAL_SECONDS: u64 = 30 * 24 * 3600;
pub const DIGEST_COUNT: u32 = 100_000;
/// Subscriptions of one user: one for each channel.
///
/// Unit: subscriptions
///
/// When hit: further subscriptions are not matched.
pub const SUBSCRIPTIONS_PER_USER: usize = 1000;
/// Filters of one user for one channel.
///
/// Unit: filters
///
/// When hit: the subscription is refused with the field.
pub const FILTERS_PER_SUBSCRIPTION: usize = 500;
/// Rules in one filter.
///
/// Unit: rules
///
/// When hit: the subscription is refused with the field.
pub const RULES_PER_FILTER: usize = 500;
/// Arguments of a rule, keys and values together.
///
/// When hit: the subscription is refused with the field.
pub const ARGUMENTS_BYTES: usize = 4096;
/// Addresses of one user on one channel.
///
/// Unit: addresses
///
/// When hit: a subscription with more is refused with the field, and no further address can be confirmed.
pub const ADDRESSES_PER_SUBSCRIPTION: usize = 50;
/// Names of one kind (users, packages, ...) that are kept of one message. The largest composes have about 300.
///
/// When hit: further names are ignored.
pub const FACT_ITEMS: usize = 2000;
/// The name of a user, package or object in a message.
///
/// When hit: the name is ignored.
pub const FACT_BYTES: usize = 512;
/// A rendered title, subtitle, link or icon.
///
/// When hit: the text is cut.
pub const LINE_CHARS: usize = 1000;
/// A rendered long form.
///
/// When hit: the text is cut.
pub const LONG_FORM_CHARS: usize = 200_000;
/// The cost of rendering one template, in the fuel of minijinja: one unit for each instruction and for each 64 bytes of
/// output.
///
/// Unit: units of fuel
///
/// When hit: rendering fails and is reported: the title becomes the topic, other texts are left out.
pub const TEMPLATE_FUEL: u64 = 100_000;
/// Memory that the engine uses to test one set of patterns, for each set and thread.
///
/// When hit: the cache is cleared, and matching takes longer.
pub const REGEX_SET_CACHE_BYTES: usize = 1024 * 1024;
/// The compiled size of a regular expression of a user.
///
/// When hit: the rule is refused.
pub const REGEX_BYTES: usize = 64 * 1024;

/// The most linear memory that an administrator may allow one instance.
///
/// Unit: bytes
///
/// When hit: the change of the limit is refused.
pub const PLUGIN_MEMORY_CEILING: usize = 1024 * 1024 * 1024;
/// The most table elements that an administrator may allow one instance.
///
/// Unit: elements
///
/// When hit: the change of the limit is refused.
pub const PLUGIN_TABLE_CEILING: usize = 100_000;
/// The name and the version of a plugin, and the name of a configuration field.
///
/// When hit: the manifest, or the request, is refused.
pub const NAME_BYTES: usize = 64;
/// Labels and one-line texts of a manifest, names of rules and of tokens.
///
/// When hit: the manifest, or the request, is refused.
pub const LABEL_CHARS: usize = 300;
/// The help text of a configuration field.
///
/// When hit: the manifest is refused.
pub const HELP_CHARS: usize = 1000;
/// Configuration fields, grant requests, and choices of one field in a manifest.
///
/// When hit: the manifest is refused.
pub const MANIFEST_FIELDS: usize = 64;
pub const MANIFEST_GRANTS: usize = 64;
pub const MANIFEST_CHOICES: usize = 100;
/// One value of the configuration of a channel.
///
/// When hit: the configuration is refused with the field.
pub const CONFIG_VALUE_CHARS: usize = 8192;
/// An address of a user on a channel.
///
/// When hit: the address is refused.
pub const ADDRESS_CHARS: usize = 500;
