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
/// Publishers whose counter is followed on one bus endpoint; those beyond are not watched for gaps.
pub const BUS_PUBLISHERS: usize = 256;
/// How many of a publisher's latest messages are remembered to tell a repeat from a restart.
pub const BUS_RECENT: usize = 256;
/// A counter that jumps further is another counter, not a gap.
pub const BUS_GAP_MAX: u64 = 1_000_000;
/// Messages that one intake transaction takes at most. Under a backlog it is what decides how much is written: a page of an
/// index that many messages change in one transaction is written once.
pub const INTAKE_BATCH: usize = 4096;
/// Messages that are being committed at the same time: the next transaction fills while one is written.
pub const INTAKE_IN_FLIGHT: usize = 2 * INTAKE_BATCH;
/// A table of access lists that is loaded in one request, in bytes; 100,000 packages with six holders are 15 MB.
pub const ACCESS_LISTS_BYTES: usize = 64 * 1024 * 1024;
/// Messages that wait for access lists at the same time; beyond it nothing is read from the bus.
pub const INTAKE_WAITING: usize = 1000;

/// Writes that wait for the store's writer; beyond it callers wait to hand theirs in.
pub const STORE_QUEUE: usize = 4 * INTAKE_BATCH;
/// Rows after which a group of writes takes no further call, so that one transaction stays below about half a second.
pub const STORE_GROUP_ROWS: usize = 20_000;
/// Bytes of events after which it takes no further call either.
pub const STORE_GROUP_BYTES: usize = 32 * 1024 * 1024;
/// Connections that only read.
pub const STORE_READERS: u32 = 4;
/// How long a write waits for another program's lock on the database, and a read for a free connection.
pub const STORE_BUSY: Duration = Duration::from_secs(5);
/// Bytes of events that are loaded for one digest; those beyond are counted as omitted.
pub const DIGEST_BYTES: usize = 16 * 1024 * 1024;
/// How far back from its newest the feed of changes reaches: whoever was away longer reads everything again.
pub const CHANGES_KEPT: Duration = Duration::from_secs(24 * 3600);
/// Changes that one reading of the feed returns at most.
pub const CHANGES_PAGE: u32 = 1000;
/// Changes of one transaction that are told one by one; of more, reading everything again is the cheaper answer.
pub const CHANGES_SINGLY: usize = 1000;
/// Bytes of documents after which a page of subscriptions ends; it exceeds them by one user's at most.
pub const SUBSCRIPTION_PAGE_BYTES: usize = 16 * 1024 * 1024;
/// Messages that one transaction of pruning forgets, so that intake waits a moment at most.
pub const PRUNE_BATCH: u32 = 1000;

/// How long one access list may take to come, all its requests together; setting `acl.timeout`. The slowest service seen
/// took 15 s.
pub const ACL_TIMEOUT: Duration = Duration::from_secs(20);
/// How long a message waits for its access lists in all; setting `acl.wait`. A package's list and then its groups' may
/// take `ACL_TIMEOUT` each.
pub const ACL_WAIT: Duration = Duration::from_secs(45);
/// When a list is fetched again although nothing said that it changed; setting `acl.max_age`.
pub const ACL_MAX_AGE: Duration = Duration::from_secs(24 * 3600);
/// The same for the knowledge that there is no such package or group; setting `acl.unknown_age`.
pub const ACL_UNKNOWN_AGE: Duration = Duration::from_secs(3600);
/// When a list that was fetched because it changed is fetched once more: some services tell of a change a moment before
/// they have made it.
pub const ACL_CONFIRM: Duration = Duration::from_secs(10);
/// Requests to one access-list service at the same time; setting `acl.concurrency`.
pub const ACL_CONCURRENCY: usize = 16;
/// Lists of one kind that are being fetched or wait for their turn; a message that needs another one is told at once that
/// it is not known.
pub const ACL_FLIGHTS: usize = 10_000;
/// Tries to fetch a list of which nothing is known, and the wait before the second; it doubles.
pub const ACL_ATTEMPTS: u32 = 3;
pub const ACL_ATTEMPT_REST: Duration = Duration::from_secs(1);
/// The shortest and the longest wait before a list that could not be refreshed is tried again.
pub const ACL_RETRY_MIN: Duration = Duration::from_secs(5);
pub const ACL_RETRY_MAX: Duration = Duration::from_secs(300);
/// Failures in a row after which a service is left alone, and for how long; settings `acl.breaker_failures` and
/// `acl.breaker_rest`.
pub const ACL_BREAKER_FAILURES: u32 = 5;
pub const ACL_BREAKER_REST: Duration = Duration::from_secs(30);
/// Memory for the lists of packages and of groups, in bytes; settings `acl.package_bytes` and `acl.group_bytes`. Fedora's
/// 25,000 packages need about 16 MB (measured with six holders each).
pub const ACL_PACKAGE_BYTES: u64 = 64 * 1024 * 1024;
pub const ACL_GROUP_BYTES: u64 = 32 * 1024 * 1024;
/// Connecting to an access-list service.
pub const ACL_CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// The body of one of its answers, in bytes. The largest groups have some 3,000 members of 100 bytes.
pub const ACL_RESPONSE_BYTES: usize = 8 * 1024 * 1024;
/// Redirects that are followed, on the same host only.
pub const ACL_REDIRECTS: usize = 3;
/// Members asked for at a time, and pages of one group that are read.
pub const ACL_PAGE: u32 = 1000;
pub const ACL_PAGES: u32 = 100;
/// Names in one list; a service that sends more is not answering the question.
pub const ACL_NAMES: usize = 100_000;

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
/// How long a delivery waits whose address moved and moved again, or moved to itself: a ring of such addresses has no end.
pub const ADDRESS_MOVE_REST: Duration = Duration::from_secs(60);
/// A delivery older than this is dead; setting `dispatch.max_age`. Postfix keeps mail as long.
pub const DELIVERY_MAX_AGE: Duration = Duration::from_secs(5 * 24 * 3600);

/// A delivery that makes its plugin crash this often is dead.
pub const MAX_CRASHES: u32 = 5;
/// Deliveries of a channel that are remembered as suspects, and so sent alone.
pub const SUSPECTS: usize = 10_000;
/// The shortest rest of a channel in trouble.
pub const CHANNEL_REST_MIN: Duration = Duration::from_secs(10);

/// Crashes among a plugin's last calls after which its channel is quarantined, and how many calls those are; settings
/// `dispatch.quarantine_crashes` and `dispatch.quarantine_calls`.
pub const QUARANTINE_CRASHES: usize = 5;
pub const QUARANTINE_CALLS: usize = 10;
/// Different deliveries that must have crashed alone among them: a single one that crashes again and again is poison.
pub const QUARANTINE_DELIVERIES: usize = 2;
/// How long a version that became active is watched, and how many crashes among its last calls roll it back.
pub const WATCH_TIME: Duration = Duration::from_secs(10 * 60);
pub const WATCH_CRASHES: usize = 3;
/// When a delivery that crashed alone in a watched version is tried again; it uses no attempt up.
pub const WATCH_RETRY: Duration = Duration::from_secs(3);
const _: () = assert!(WATCH_RETRY.as_secs() * WATCH_CRASHES as u64 <= 9, "a lone delivery rolls back within 10 s");
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
/// How often failure policies are carried out, and channels looked after that do not run as they should.
pub const POLICY_SWEEP: Duration = Duration::from_secs(5);
/// Deliveries that one transaction of a failure policy drops or moves, so that intake waits a moment at most.
pub const POLICY_BATCH: u32 = 500;
/// The wait before a channel that could not start is tried again; it doubles with each failure.
pub const FAILED_REST_MIN: Duration = POLICY_SWEEP;
pub const FAILED_REST_MAX: Duration = Duration::from_secs(300);
/// Events that are kept of each channel's history.
pub const CHANNEL_EVENTS: u32 = 500;
/// Lines of its plugin's log that are kept in memory for each channel: at most 1 MB, with `REASON_CHARS` characters each.
pub const LOG_TAIL_LINES: usize = 500;

/// How long one call of a plugin may take in all, guest code and host calls; a channel's limit `deadline_ms`.
pub const CALL_DEADLINE: Duration = Duration::from_secs(120);
/// The longest deadline that a channel may be given, in milliseconds.
pub const CALL_DEADLINE_MAX_MS: usize = 15 * 60 * 1000;
/// How much longer than a call's deadline its lease lives, so that nobody else runs the same delivery meanwhile.
pub const LEASE_MARGIN: Duration = Duration::from_secs(60);

/// How long calls in flight may go on when their channel is disabled or the daemon stops; setting `dispatch.stop_grace`.
pub const STOP_GRACE: Duration = Duration::from_secs(5);
/// Plugin instances alive at the same time, all channels together; setting `sandbox.max_instances`.
pub const SANDBOX_INSTANCES: u32 = 64;
/// The most that may be set: `CORE_MEMORIES` of 4 GiB are reserved for each, and a process has 128 TiB of addresses.
pub const SANDBOX_INSTANCES_MAX: u32 = 4096;
const _: () =
    assert!((SANDBOX_INSTANCES_MAX as u64 * CORE_MEMORIES as u64) * 5 / 1024 < 128, "addresses for all memories");
/// How long a message is remembered; setting `retention.messages`.
pub const RETENTION: Duration = Duration::from_secs(30 * 24 * 3600);

/// One line of a plugin's log, an outcome's reason, a receipt: characters kept.
pub const REASON_CHARS: usize = 500;
/// The shortest secret that is taken out of a plugin's texts, in characters: shorter ones are words of other meaning too.
pub const REDACTED_CHARS: usize = 6;

/// A component file, in bytes.
pub const COMPONENT_BYTES: usize = 64 * 1024 * 1024;
/// How much of a component's file is written to the store at a time, in bytes: what a delivery's commit waits for it.
pub const COMPONENT_PART_BYTES: usize = 256 * 1024;
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

/// How long a call waits for a free instance. Together with its deadline it stays below the lease.
pub const INSTANCE_WAIT: Duration = Duration::from_secs(20);
const _: () = assert!(INSTANCE_WAIT.as_secs() * 2 <= LEASE_MARGIN.as_secs(), "a lease must outlive its call");
/// How long one `wake` of a resident plugin may take: nothing is delivered meanwhile.
pub const WAKE_DEADLINE: Duration = Duration::from_secs(10);
/// What lies between two wakes of a resident plugin at least: one that asks for less, or leaves unread what is readable,
/// gets twenty a second, and each that came due before is counted.
pub const WAKE_INTERVAL: Duration = Duration::from_millis(50);
/// Wakes in a row that came due too early before that is logged.
pub const WAKE_STORM: u32 = 200;
/// The wait before a resident plugin that crashed is started again; it doubles with each crash of an instance that lived
/// less than `RESIDENT_SETTLED`.
pub const RESIDENT_BACKOFF_MIN: Duration = Duration::from_secs(1);
pub const RESIDENT_BACKOFF_MAX: Duration = Duration::from_secs(300);
pub const RESIDENT_SETTLED: Duration = Duration::from_secs(60);
/// How long a batch waits for a resident plugin's next instance; where that takes longer, the channel rests.
pub const RESIDENT_PATIENCE: Duration = Duration::from_secs(5);
const _: () = assert!(
    INSTANCE_WAIT.as_secs() * 2 + RESIDENT_PATIENCE.as_secs() + WAKE_DEADLINE.as_secs() <= LEASE_MARGIN.as_secs(),
    "so does one that waits for its turn, for the rest after a crash, for an instance and for its first call"
);
/// The part of what is left of a call that connecting, or an HTTP exchange, may take, so that a plugin sees the timeout
/// before its deadline.
pub const CONNECT_SHARE: f64 = 0.8;
/// How long `describe` and `check-address` may take: they compute, they do not talk.
pub const QUESTION_DEADLINE: Duration = Duration::from_secs(5);
/// How often a running plugin is made to yield, and so the precision of its deadline.
pub const EPOCH_TICK: Duration = Duration::from_millis(10);
/// Processor time that a plugin may take at a stretch on a thread of the daemon; then it goes on in a less urgent one. A
/// mail takes a tenth of a millisecond.
pub const GUEST_BURST: Duration = Duration::from_millis(2);
/// How much less urgent that one is, as `nice` counts: behind all deliveries, before compilations.
pub const LANE_NICE: i32 = 10;
/// What one channel's plugin may ask of the store in a second (its state, its streams, the inbox), and how much of that it
/// may save up. Beyond it a call waits its turn, as it does for the one before it. Deliveries ask for a handful in a batch.
pub const STORE_CALLS_PER_SECOND: u32 = 200;
pub const STORE_CALLS_SAVED: u32 = 1000;
/// The most linear memory that an administrator may allow one instance, in bytes.
pub const PLUGIN_MEMORY_CEILING: usize = 1024 * 1024 * 1024;
/// The most table elements that an administrator may allow one instance.
pub const PLUGIN_TABLE_CEILING: usize = 100_000;
/// Core instances, tables and memories in one component. The largest toolchain seen (Python) needs half of it.
pub const CORE_INSTANCES: u32 = 80;
pub const CORE_TABLES: u32 = 40;
pub const CORE_MEMORIES: u32 = 6;
/// What the memory and the tables of an instance that ended keep for the next one in their place, in bytes each.
pub const WARM_MEMORY_BYTES: usize = 256 * 1024;
pub const WARM_TABLE_BYTES: usize = 64 * 1024;
/// What its stack keeps, in bytes: it is cleared at each end. What was deeper is given back.
pub const WARM_STACK_BYTES: usize = 16 * 1024;
/// Memories and tables that may be kept so at the same time.
pub const WARM_PLACES: u32 = 16;
/// Handles of resources that one instance may hold.
pub const GUEST_HANDLES: usize = 1000;
/// The guest's stack, in bytes: deeper recursion is a trap.
pub const GUEST_STACK_BYTES: usize = 512 * 1024;
/// What host functions have behind it on the same stack, in bytes. A TLS handshake in a debug build is the deepest.
pub const HOST_STACK_BYTES: usize = 1536 * 1024;

/// Nesting of components and modules in a component file.
pub const COMPONENT_NESTING: usize = 4;
/// Types, functions and other items in a component file, each counted over all its modules.
pub const COMPONENT_TYPES: u64 = 10_000;
pub const COMPONENT_FUNCTIONS: u64 = 50_000;
pub const COMPONENT_ITEMS: u64 = 100_000;
/// Modules and components within a component file.
pub const COMPONENT_MODULES: u64 = 200;
/// Bytes that describe types, over all its modules. One type may have a million parts, which are counted by nobody: reading
/// them is what must not be done here. The largest toolchain seen (Python) has 40 kB.
pub const COMPONENT_TYPE_BYTES: u64 = 1024 * 1024;
/// One function's code, in bytes: what the compiler's time grows fastest with.
pub const FUNCTION_BYTES: usize = 1024 * 1024;

/// Memory of the process that compiles a component, in bytes. The largest toolchain seen (Python, 18 MB) takes 340 MB.
pub const COMPILE_MEMORY_BYTES: u64 = 1536 * 1024 * 1024;
/// What that process may have mapped beyond it: its own program and libraries, in bytes.
pub const COMPILE_PROGRAM_BYTES: u64 = 1024 * 1024 * 1024;
/// Seconds of processor time that it may take. The largest toolchain seen takes 15.
pub const COMPILE_CPU_SECONDS: u64 = 120;
/// When it is killed whatever it does. It is the last in the queue for the processor, so on a busy machine this is far
/// longer than its processor time; and it is less than a request of the API may take.
pub const COMPILE_TIME: Duration = Duration::from_secs(240);
/// How long a component waits for the one that is being compiled.
pub const COMPILE_WAIT: Duration = Duration::from_secs(50);
const _: () = assert!(
    COMPILE_WAIT.as_secs() + COMPILE_TIME.as_secs() + QUESTION_DEADLINE.as_secs() < API_SLOW_TIMEOUT.as_secs(),
    "whoever installs must hear the outcome"
);
/// The code that comes out of it, in bytes. The largest seen is three times its component.
pub const COMPILED_BYTES: u64 = 512 * 1024 * 1024;
/// What is read of what it says when it fails, in bytes.
pub const COMPILE_SAYS_BYTES: u64 = 4096;

/// How long one request for a component's file may take, the file included: 64 MiB at 5 Mbit/s.
pub const FETCH_TIME: Duration = Duration::from_secs(110);
/// How long all requests for one component may take, with redirects, a registry's manifest and token, and the signature.
pub const FETCH_ALL_TIME: Duration = Duration::from_secs(150);
const _: () = assert!(FETCH_ALL_TIME.as_secs() < API_SLOW_TIMEOUT.as_secs(), "whoever installs must hear the outcome");
/// Redirects on the way to a component. Registries lead to a store of blobs with one, release pages with two.
pub const FETCH_REDIRECTS: usize = 5;
/// A registry's manifest, in bytes; the specification asks registries for 4 MiB, one of a single layer has less than 1 kB.
pub const OCI_MANIFEST_BYTES: usize = 256 * 1024;
/// A registry's answer with a token, in bytes.
pub const OCI_TOKEN_BYTES: usize = 64 * 1024;
/// A signature beside a component, in bytes; minisign's have some 300 and a comment.
pub const SIGNATURE_BYTES: usize = 4096;

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
/// The longest wait that a plugin's answer may carry; more is cut to it before anything computes with it.
pub const WAIT_MAX: Duration = Duration::from_secs(30 * 24 * 3600);

/// Random bytes of one `random.bytes`.
pub const RANDOM_BYTES: u32 = 4096;
/// What a plugin prints in one write, in bytes, and the longest line before it is cut in two.
pub const STDIO_BYTES: usize = 4096;
/// A key of a plugin's `state`, in bytes.
pub const STATE_KEY_BYTES: usize = 256;
/// A value of a plugin's `state`, in bytes.
pub const STATE_VALUE_BYTES: usize = 64 * 1024;
/// How long the owner of an address may take to confirm it.
pub const CONFIRMATION_AGE: Duration = Duration::from_secs(24 * 3600);
/// After one question of a user on a channel, how long no other is sent: they go to people who did not ask for them.
pub const CONFIRMATION_REST: Duration = Duration::from_secs(60);
/// Characters of a code that is typed by hand; each is one of 30.
pub const CONFIRMATION_CODE_CHARS: usize = 8;
/// One entry of an event stream, in bytes.
pub const STREAM_ENTRY_BYTES: usize = 64 * 1024;
/// Entries that an event stream keeps: the newest, none older than `retention.messages`.
pub const STREAM_ENTRIES: u32 = 200;
/// Entries that are read at once for whoever follows a stream.
pub const STREAM_PAGE: u32 = 20;
/// Connections that follow event streams at the same time, in all and of one stream.
pub const STREAM_FOLLOWERS: usize = 1000;
pub const STREAM_FOLLOWERS_EACH: usize = 8;
/// How often a follower looks by itself for entries, and whether the stream is still its user's.
pub const STREAM_LOOK: Duration = Duration::from_secs(30);
/// How often a silent stream says that it is there: proxies cut connections that are silent for a minute.
pub const STREAM_SIGN: Duration = Duration::from_secs(15);
/// A command handed to `inbox`, in characters; longer ones are cut.
pub const INBOX_CHARS: usize = 1000;
/// Reply lines that `inbox` gives back.
pub const INBOX_LINES: usize = 500;
/// Lines of the daemon's own answer to a command, and characters of each: IRC sends one every second or two.
pub const INBOX_ANSWER_LINES: usize = 30;
pub const INBOX_LINE_CHARS: usize = 400;
/// Names of applications in one such line.
pub const INBOX_NAMES: usize = 12;
/// Who says what is no command is told about `help`, and then not again for so long; and so many addresses are remembered.
pub const INBOX_HINT_REST: Duration = Duration::from_secs(3600);
pub const INBOX_HINTS: usize = 10_000;

/// Names that are being looked up for one channel at the same time. The system's resolver takes a thread for each, as long
/// as the nameserver is silent, and cannot be interrupted.
pub const LOOKUPS: usize = 8;
/// Addresses of one name that are tried.
pub const ADDRESSES_TRIED: usize = 8;
/// Resolving a name and connecting, all its addresses together.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(30);
/// One read, write or handshake of a connection, unless the plugin asks for less or more.
pub const NETWORK_TIMEOUT: Duration = Duration::from_secs(30);
/// The most that a plugin may ask for, also for one HTTP exchange.
pub const NETWORK_TIMEOUT_MAX: Duration = Duration::from_secs(120);
/// Bytes that one `read` of a connection returns at most.
pub const READ_BYTES: u32 = 64 * 1024;
/// Headers of an HTTP request or response, and bytes of them together.
pub const HTTP_HEADERS: usize = 100;
pub const HTTP_HEADER_BYTES: usize = 64 * 1024;
/// A secret that the host uses for a plugin, in bytes: room for a chain of certificates with its key.
pub const CREDENTIAL_BYTES: usize = 64 * 1024;
/// A bearer token, in bytes; Google's have at most 2048.
pub const TOKEN_BYTES: usize = 8192;
/// How long a signed request for a token is good; Google takes no longer one than an hour.
pub const ASSERTION_AGE: Duration = Duration::from_secs(3600);
/// A token is used this long at most, whatever it says of itself, and no longer in its last `TOKEN_EARLY`: the far side's
/// clock may be ahead, and a request takes time.
pub const TOKEN_AGE: Duration = Duration::from_secs(3600);
pub const TOKEN_EARLY: Duration = Duration::from_secs(60);
/// How long a request for a token may take. Others wait for it, and whoever asked must still hear why it failed.
pub const TOKEN_TIME: Duration = Duration::from_secs(10);
/// How long a failed request for a token is not repeated, and the most that a token server may ask for with `Retry-After`.
pub const TOKEN_FAILURE_REST: Duration = Duration::from_secs(10);
pub const TOKEN_FAILURE_REST_MAX: Duration = Duration::from_secs(3600);
/// A URL, in bytes.
pub const URL_BYTES: usize = 8192;
/// The body of an HTTP response, in bytes.
pub const HTTP_RESPONSE_BYTES: usize = 8 * 1024 * 1024;
/// Redirects that are followed at most, whatever the plugin asks for.
pub const HTTP_REDIRECTS: u8 = 10;
