//! Bounds of plugins and of the sandbox that runs them. A bound that an operator may change is the default of a setting
//! and names it; the others are fixed.

use std::time::Duration;

/// Plugin instances that exist at the same time, of all channels together; setting `sandbox.max_instances`.
///
/// When hit: a call waits up to `INSTANCE_WAIT` for one; then its deliveries are tried later.
pub const SANDBOX_INSTANCES: u32 = 64;
/// The largest value of `sandbox.max_instances`: each instance reserves `CORE_MEMORIES` of 4 GiB, and a process has 128
/// TiB of addresses.
///
/// When hit: the configuration is refused.
pub const SANDBOX_INSTANCES_MAX: u32 = 4096;
/// How long a call waits for an instance. Together with the deadline of the call it stays below the lease.
///
/// When hit: the deliveries are tried later and lose no attempt.
pub const INSTANCE_WAIT: Duration = Duration::from_secs(20);
/// How long one `wake` of a resident plugin may take. The plugin delivers nothing meanwhile.
///
/// When hit: the instance is ended and counts as crashed by timeout.
pub const WAKE_DEADLINE: Duration = Duration::from_secs(10);
/// The shortest time between two wakes of a resident plugin.
///
/// When hit: the wake waits until the time has passed, and is counted.
pub const WAKE_INTERVAL: Duration = Duration::from_millis(50);
/// Wakes in a row that had to wait for `WAKE_INTERVAL`.
///
/// Unit: wakes
///
/// When hit: the daemon logs a warning, once.
pub const EARLY_WAKES_LOGGED: u32 = 200;
/// The shortest and the longest wait before a crashed resident plugin is started again, and how long an instance must
/// live to reset the wait. The wait doubles with each crash.
///
/// When hit: the wait is set to the bound.
pub const RESIDENT_BACKOFF_MIN: Duration = Duration::from_secs(1);
pub const RESIDENT_BACKOFF_MAX: Duration = Duration::from_secs(300);
pub const RESIDENT_STABLE_AFTER: Duration = Duration::from_secs(60);
/// How long a batch waits for the next instance of a resident plugin.
///
/// When hit: the deliveries are tried later, and the channel pauses.
pub const RESIDENT_START_WAIT: Duration = Duration::from_secs(5);
/// The part of the remaining time of a call that a connection or an HTTP exchange may take, so that the plugin sees the
/// timeout before its deadline.
///
/// Unit: of the remaining time
///
/// When hit: the connection or exchange fails with a timeout.
pub const CONNECT_SHARE: f64 = 0.8;
/// How long `describe` and `check-address` may take. They compute and use no network.
///
/// When hit: the call is interrupted and counts as a crash by timeout.
pub const QUESTION_DEADLINE: Duration = Duration::from_secs(5);
/// How often a running plugin yields, and so the precision of its deadline.
///
/// When hit: the plugin yields to other tasks.
pub const EPOCH_TICK: Duration = Duration::from_millis(10);
/// Processor time that a plugin may use without a pause on a thread of the daemon. A mail takes a tenth of a
/// millisecond.
///
/// When hit: the call continues on a thread of lower priority.
pub const GUEST_BURST: Duration = Duration::from_millis(2);
/// The `nice` value of the thread for plugins that compute for long: after all deliveries, before compilations.
///
/// Unit: steps of `nice`
///
/// When hit: the system may use a value of 19 at most.
pub const GUEST_NICE: i32 = 10;
/// Requests of one plugin to the store in a second (state, streams, inbox), and how many unused ones it may save.
/// Deliveries need a few for each batch.
///
/// Unit: requests per second; requests
///
/// When hit: the host call waits.
pub const STORE_CALLS_PER_SECOND: u32 = 200;
pub const STORE_CALLS_SAVED: u32 = 1000;
/// Core instances, tables and memories in one component. The largest toolchain seen (Python) needs half of each.
///
/// When hit: the component is refused.
pub const CORE_INSTANCES: u32 = 80;
pub const CORE_TABLES: u32 = 40;
pub const CORE_MEMORIES: u32 = 6;
/// Memory that the linear memory and the tables of an ended instance keep for the next one.
///
/// When hit: the rest is returned to the system.
pub const WARM_MEMORY_BYTES: usize = 256 * 1024;
pub const WARM_TABLE_BYTES: usize = 64 * 1024;
/// Memory that the stack of an ended instance keeps for the next one. It is cleared at each end.
///
/// When hit: the rest is returned to the system.
pub const WARM_STACK_BYTES: usize = 16 * 1024;
/// Memories and tables of ended instances that keep their memory at the same time.
///
/// Unit: memories, and as many tables
///
/// When hit: the memory of further ones is returned to the system.
pub const WARM_SLOTS: u32 = 16;
/// Handles of resources that one instance may hold.
///
/// When hit: the call is ended and counts as a crash by host calls.
pub const GUEST_HANDLES: usize = 1000;
/// The stack of the guest.
///
/// When hit: the call traps and counts as a crash.
pub const GUEST_STACK_BYTES: usize = 512 * 1024;
/// The stack of host functions behind that of the guest. A TLS handshake in a debug build is the deepest.
///
/// When hit: the process ends; the size is chosen so that no host function reaches it.
pub const HOST_STACK_BYTES: usize = 1536 * 1024;

/// Nesting of components and modules in a component.
///
/// Unit: levels
///
/// When hit: the component is refused.
pub const COMPONENT_NESTING: usize = 4;
/// Types, functions and other items in a component, each counted over all its modules.
///
/// When hit: the component is refused.
pub const COMPONENT_TYPES: u64 = 10_000;
pub const COMPONENT_FUNCTIONS: u64 = 50_000;
pub const COMPONENT_ITEMS: u64 = 100_000;
/// Modules and components inside a component.
///
/// When hit: the component is refused.
pub const COMPONENT_MODULES: u64 = 200;
/// Bytes that describe types, over all modules of a component. They are bounded before they are read, since one type
/// may have a million parts. The largest toolchain seen (Python) has 40 kB.
///
/// When hit: the component is refused.
pub const COMPONENT_TYPE_BYTES: u64 = 1024 * 1024;
/// The code of one function, which determines most of the time of compilation.
///
/// When hit: the component is refused.
pub const FUNCTION_BYTES: usize = 1024 * 1024;

/// Memory of the process that compiles a component. The largest toolchain seen (Python, 18 MB) takes 340 MB.
///
/// When hit: the process ends and the component is refused.
pub const COMPILE_MEMORY_BYTES: u64 = 1536 * 1024 * 1024;
/// Address space of the compiling process for its own program and libraries, beyond `COMPILE_MEMORY_BYTES`.
///
/// When hit: the process ends and the component is refused.
pub const COMPILE_PROGRAM_BYTES: u64 = 1024 * 1024 * 1024;
/// Processor time of the compiling process. The largest toolchain seen takes 15 s.
///
/// When hit: the process is killed and the component is refused.
pub const COMPILE_CPU_SECONDS: u64 = 120;
/// How long the compiling process may take in all. It has the lowest priority, so on a busy machine this is far more
/// than its processor time; it is less than a request of the API may take.
///
/// When hit: the process is killed and the component is refused.
pub const COMPILE_TIME: Duration = Duration::from_secs(240);
/// How long a component waits until the one before it is compiled.
///
/// When hit: the request is refused as busy and can be repeated.
pub const COMPILE_WAIT: Duration = Duration::from_secs(50);
/// The compiled code of a component. The largest seen is three times as large as its component.
///
/// When hit: the process is killed and the component is refused.
pub const COMPILED_BYTES: u64 = 512 * 1024 * 1024;
/// What is read of the errors of the compiling process.
///
/// When hit: the rest is ignored.
pub const COMPILE_STDERR_BYTES: u64 = 4096;

/// The longest wait that an answer of a plugin may name.
///
/// When hit: the wait is set to the bound.
pub const WAIT_MAX: Duration = Duration::from_secs(30 * 24 * 3600);

/// Random bytes of one `random.bytes`.
///
/// When hit: the call is ended and counts as a crash by host calls.
pub const RANDOM_BYTES: u32 = 4096;
/// What a plugin may print in one write, and the longest line.
///
/// When hit: a larger write traps; a longer line is split.
pub const STDIO_BYTES: usize = 4096;
/// A key in the `state` of a plugin.
///
/// When hit: the host call returns an error of the kind `limit`.
pub const STATE_KEY_BYTES: usize = 256;
/// A value in the `state` of a plugin.
///
/// When hit: the host call returns an error of the kind `limit`.
pub const STATE_VALUE_BYTES: usize = 64 * 1024;
/// One entry of an event stream.
///
/// When hit: the host call returns an error.
pub const STREAM_ENTRY_BYTES: usize = 64 * 1024;
/// A command that a plugin passes to `inbox`.
///
/// When hit: the command is cut.
pub const INBOX_CHARS: usize = 1000;
/// Lines of the reply that `inbox` returns.
///
/// When hit: further lines are dropped.
pub const INBOX_LINES: usize = 500;
/// Names that are looked up for one channel at the same time. The resolver of the system uses a thread for each until
/// the name server answers, and cannot be interrupted.
///
/// When hit: the connection fails with an error of the kind `limit`.
pub const LOOKUPS: usize = 8;
/// Addresses of one name that are tried.
///
/// Unit: addresses
///
/// When hit: further addresses are ignored.
pub const ADDRESSES_TRIED: usize = 8;
/// How long resolving a name and connecting may take, all addresses together.
///
/// When hit: the connection fails with a timeout.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(30);
/// How long one read, write or handshake of a connection may take, unless the plugin sets another time.
///
/// When hit: the operation fails with a timeout.
pub const NETWORK_TIMEOUT: Duration = Duration::from_secs(30);
/// The longest timeout that a plugin may set, for an operation or an HTTP exchange.
///
/// When hit: the timeout is set to the bound.
pub const NETWORK_TIMEOUT_MAX: Duration = Duration::from_secs(120);
/// Bytes that one `read` of a connection returns.
///
/// When hit: the rest is returned by the next `read`.
pub const READ_BYTES: u32 = 64 * 1024;
/// Headers of an HTTP request or response, and their bytes together.
///
/// When hit: the exchange fails.
pub const HTTP_HEADERS: usize = 100;
pub const HTTP_HEADER_BYTES: usize = 64 * 1024;
/// A secret that the host uses for a plugin: enough for a chain of certificates with its key.
///
/// When hit: the secret is refused.
pub const CREDENTIAL_BYTES: usize = 64 * 1024;
/// A bearer token; those of Google have at most 2048 bytes.
///
/// When hit: the token is refused, and the request fails.
pub const TOKEN_BYTES: usize = 8192;
/// How long a signed request for a token is valid; Google accepts at most an hour.
///
/// When hit: the token server refuses the request.
pub const ASSERTION_AGE: Duration = Duration::from_secs(3600);
/// How long a token is used, even where it is valid for longer, and how long before its end it is no longer used. The
/// clock of the server may be ahead, and a request takes time.
///
/// When hit: a new token is requested.
pub const TOKEN_AGE: Duration = Duration::from_secs(3600);
pub const TOKEN_EXPIRY_MARGIN: Duration = Duration::from_secs(60);
/// How long a request for a token may take. Other calls wait for it and must still report why it failed.
///
/// When hit: the request fails, and with it the calls that wait.
pub const TOKEN_TIME: Duration = Duration::from_secs(10);
/// How long a failed request for a token is not repeated, and the most that a token server may demand with
/// `Retry-After`.
///
/// When hit: calls that need the token fail until then; a longer demand is set to the bound.
pub const TOKEN_RETRY_MIN: Duration = Duration::from_secs(10);
pub const TOKEN_RETRY_MAX: Duration = Duration::from_secs(3600);
/// A URL that a plugin requests.
///
/// When hit: the request fails as invalid.
pub const URL_BYTES: usize = 8192;
/// The body of an HTTP response.
///
/// When hit: the exchange fails with an error of the kind `limit`.
pub const HTTP_RESPONSE_BYTES: usize = 8 * 1024 * 1024;
/// Redirects of one request that are followed, even where the plugin asks for more.
///
/// When hit: the redirect itself is the response.
pub const HTTP_REDIRECTS: u8 = 10;

const _: () =
    assert!((SANDBOX_INSTANCES_MAX as u64 * CORE_MEMORIES as u64) * 5 / 1024 < 128, "addresses for all memories");
