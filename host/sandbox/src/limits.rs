//! Bounds of plugins and of the sandbox that runs them. A bound that an operator may change is the default of a setting and names it; the others are fixed.

use std::time::Duration;

/// Plugin instances alive at the same time, all channels together; setting `sandbox.max_instances`.
pub const SANDBOX_INSTANCES: u32 = 64;
/// The most that may be set: `CORE_MEMORIES` of 4 GiB are reserved for each, and a process has 128 TiB of addresses.
pub const SANDBOX_INSTANCES_MAX: u32 = 4096;
/// How long a call waits for a free instance. Together with its deadline it stays below the lease.
pub const INSTANCE_WAIT: Duration = Duration::from_secs(20);
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
/// The code that comes out of it, in bytes. The largest seen is three times its component.
pub const COMPILED_BYTES: u64 = 512 * 1024 * 1024;
/// What is read of what it says when it fails, in bytes.
pub const COMPILE_SAYS_BYTES: u64 = 4096;

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
/// One entry of an event stream, in bytes.
pub const STREAM_ENTRY_BYTES: usize = 64 * 1024;
/// A command handed to `inbox`, in characters; longer ones are cut.
pub const INBOX_CHARS: usize = 1000;
/// Reply lines that `inbox` gives back.
pub const INBOX_LINES: usize = 500;
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

const _: () =
    assert!((SANDBOX_INSTANCES_MAX as u64 * CORE_MEMORIES as u64) * 5 / 1024 < 128, "addresses for all memories");
