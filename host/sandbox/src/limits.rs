//! Limits of plugins and of the sandbox that runs them. A limit that an operator may change is the default of a setting
//! and names that setting; the others are fixed. This file holds constants only.

use std::time::Duration;

/// Plugin instances that live at the same time, all channels together; setting `sandbox.max_instances`.
pub const SANDBOX_INSTANCES: u32 = 64;
/// The most that `sandbox.max_instances` accepts: each instance reserves `CORE_MEMORIES` times 4 GiB of the 128 TiB of
/// addresses of a process.
pub const SANDBOX_INSTANCES_MAX: u32 = 4096;
/// How long a call waits for a free instance. Together with the call's deadline it stays below the lease.
pub const INSTANCE_WAIT: Duration = Duration::from_secs(20);
/// How long one `wake` of a resident plugin may take. The channel delivers nothing meanwhile.
pub const WAKE_DEADLINE: Duration = Duration::from_secs(10);
/// The shortest time between two wakes of a resident plugin. A plugin that asks for less, or leaves readable bytes
/// unread, gets twenty wakes a second; the sandbox counts each wake that came due earlier.
pub const WAKE_INTERVAL: Duration = Duration::from_millis(50);
/// Consecutive early wakes after which the sandbox logs a warning.
pub const EARLY_WAKES_LOGGED: u32 = 200;
/// The first wait before a crashed resident plugin is started again. It doubles with each crash of an instance that
/// lived less than `RESIDENT_STABLE_AFTER`.
pub const RESIDENT_BACKOFF_MIN: Duration = Duration::from_secs(1);
/// The longest wait before a crashed resident plugin is started again.
pub const RESIDENT_BACKOFF_MAX: Duration = Duration::from_secs(300);
/// An instance that lived at least this long resets the backoff when it crashes.
pub const RESIDENT_STABLE_AFTER: Duration = Duration::from_secs(60);
/// How long a batch waits for a resident plugin's next instance. If the backoff is longer, the channel pauses.
pub const RESIDENT_START_WAIT: Duration = Duration::from_secs(5);
/// The share of a call's remaining time that connecting or an HTTP exchange may take, so that the plugin sees the
/// timeout before its deadline.
pub const CONNECT_SHARE: f64 = 0.8;
/// How long `describe` and `check-address` may take: they compute and use no network.
pub const QUESTION_DEADLINE: Duration = Duration::from_secs(5);
/// How often a running guest yields, and so the precision of its deadline.
pub const EPOCH_TICK: Duration = Duration::from_millis(10);
/// Processor time that a guest may take without a pause on a thread of the daemon; then it continues on its channel's
/// own, lower-priority thread. A mail takes a tenth of a millisecond.
pub const GUEST_BURST: Duration = Duration::from_millis(2);
/// The `nice` increment of a channel's guest thread: a lower priority than deliveries, a higher one than compilations.
pub const GUEST_NICE: i32 = 10;
/// Calls of the store (state, event streams, inbox) that one channel's plugin may make in a second. Further calls wait.
/// Deliveries make a handful in a batch.
pub const STORE_CALLS_PER_SECOND: u32 = 200;
/// Unused store calls that a channel accumulates, to be made at once later.
pub const STORE_CALLS_SAVED: u32 = 1000;
/// Core instances in one component. The largest toolchain seen (Python) needs half of them.
pub const CORE_INSTANCES: u32 = 80;
/// Tables in one component.
pub const CORE_TABLES: u32 = 40;
/// Memories in one component.
pub const CORE_MEMORIES: u32 = 6;
/// What the memory of an ended instance keeps mapped for the next one in its slot, in bytes.
pub const WARM_MEMORY_BYTES: usize = 256 * 1024;
/// What the tables of an ended instance keep mapped for the next one in their slot, in bytes.
pub const WARM_TABLE_BYTES: usize = 64 * 1024;
/// What the stack of an ended instance keeps mapped, in bytes. It is zeroed at each end; deeper pages are returned.
pub const WARM_STACK_BYTES: usize = 16 * 1024;
/// Slots of memories and tables that may be kept warm at the same time.
pub const WARM_SLOTS: u32 = 16;
/// Handles of resources that one instance may hold.
pub const GUEST_HANDLES: usize = 1000;
/// The guest's stack, in bytes. Deeper recursion traps.
pub const GUEST_STACK_BYTES: usize = 512 * 1024;
/// The part of the same stack that host functions use beyond the guest's, in bytes. A TLS handshake in a debug build is
/// the deepest.
pub const HOST_STACK_BYTES: usize = 1536 * 1024;

/// Nesting of components and modules in a component file.
pub const COMPONENT_NESTING: usize = 4;
/// Types in a component file, over all its modules.
pub const COMPONENT_TYPES: u64 = 10_000;
/// Functions in a component file, over all its modules.
pub const COMPONENT_FUNCTIONS: u64 = 50_000;
/// Imports, exports, instances and other items in a component file, over all its modules.
pub const COMPONENT_ITEMS: u64 = 100_000;
/// Modules and components within a component file.
pub const COMPONENT_MODULES: u64 = 200;
/// Bytes that describe types, over all modules of a component file. One type may have a million parts, which are not
/// counted one by one: admission must not have to read them. The largest toolchain seen (Python) has 40 kB.
pub const COMPONENT_TYPE_BYTES: u64 = 1024 * 1024;
/// The code of one function, in bytes. The compiler's time grows fastest with it.
pub const FUNCTION_BYTES: usize = 1024 * 1024;

/// Memory of the process that compiles a component, in bytes. The largest toolchain seen (Python, 18 MB) takes 340 MB.
pub const COMPILE_MEMORY_BYTES: u64 = 1536 * 1024 * 1024;
/// What that process may have mapped beyond it for its own program and libraries, in bytes.
pub const COMPILE_PROGRAM_BYTES: u64 = 1024 * 1024 * 1024;
/// Processor time of that process, in seconds. The largest toolchain seen takes 15.
pub const COMPILE_CPU_SECONDS: u64 = 120;
/// The time after which that process is killed in any case. It has the lowest priority, so on a busy machine this is
/// far longer than its processor time; it is less than a request of the API may take.
pub const COMPILE_TIME: Duration = Duration::from_secs(240);
/// How long a component waits while another one is being compiled.
pub const COMPILE_WAIT: Duration = Duration::from_secs(50);
/// The compiled code of a component, in bytes. The largest seen is three times its component.
pub const COMPILED_BYTES: u64 = 512 * 1024 * 1024;
/// What is read of a failed compiler's standard error, in bytes.
pub const COMPILE_STDERR_BYTES: u64 = 4096;

/// The longest wait that a plugin's answer may carry. A longer one is cut to it on arrival.
pub const WAIT_MAX: Duration = Duration::from_secs(30 * 24 * 3600);

/// Random bytes of one `random.bytes`.
pub const RANDOM_BYTES: u32 = 4096;
/// What a plugin prints in one write, and the longest printed line before it is cut in two; in bytes.
pub const STDIO_BYTES: usize = 4096;
/// A key of a plugin's `state`, in bytes.
pub const STATE_KEY_BYTES: usize = 256;
/// A value of a plugin's `state`, in bytes.
pub const STATE_VALUE_BYTES: usize = 64 * 1024;
/// One entry of an event stream, in bytes.
pub const STREAM_ENTRY_BYTES: usize = 64 * 1024;
/// A command handed to `inbox`, in characters. Longer commands are cut.
pub const INBOX_CHARS: usize = 1000;
/// Reply lines that `inbox` returns.
pub const INBOX_LINES: usize = 500;
/// Host names that are resolved for one channel at the same time. The system's resolver blocks a thread for each, for
/// as long as the name server does not answer, and cannot be interrupted.
pub const LOOKUPS: usize = 8;
/// Addresses of one name that are tried.
pub const ADDRESSES_TRIED: usize = 8;
/// Resolving a name and connecting, all its addresses together.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(30);
/// One read, write or handshake of a connection, unless the plugin asks for another value.
pub const NETWORK_TIMEOUT: Duration = Duration::from_secs(30);
/// The longest timeout that a plugin may ask for, also for one HTTP exchange.
pub const NETWORK_TIMEOUT_MAX: Duration = Duration::from_secs(120);
/// Bytes that one `read` of a connection returns at most.
pub const READ_BYTES: u32 = 64 * 1024;
/// Headers of an HTTP request or response.
pub const HTTP_HEADERS: usize = 100;
/// All headers of an HTTP request or response together, in bytes.
pub const HTTP_HEADER_BYTES: usize = 64 * 1024;
/// A secret that the host uses for a plugin, in bytes: enough for a certificate chain with its key.
pub const CREDENTIAL_BYTES: usize = 64 * 1024;
/// A bearer token, in bytes. Google's have at most 2048.
pub const TOKEN_BYTES: usize = 8192;
/// How long a signed request for a token is valid. Google accepts at most an hour.
pub const ASSERTION_AGE: Duration = Duration::from_secs(3600);
/// The longest time that a token is used, whatever lifetime the token server states.
pub const TOKEN_AGE: Duration = Duration::from_secs(3600);
/// How long before its expiry a token is no longer used: the server's clock may be ahead, and a request takes time.
pub const TOKEN_EXPIRY_MARGIN: Duration = Duration::from_secs(60);
/// How long a request for a token may take. Other requests wait for it, and the caller must still learn why it failed.
pub const TOKEN_TIME: Duration = Duration::from_secs(10);
/// The shortest wait before a failed request for a token is repeated.
pub const TOKEN_RETRY_MIN: Duration = Duration::from_secs(10);
/// The longest wait that a token server may ask for with `Retry-After`.
pub const TOKEN_RETRY_MAX: Duration = Duration::from_secs(3600);
/// A URL, in bytes.
pub const URL_BYTES: usize = 8192;
/// The body of an HTTP response, in bytes.
pub const HTTP_RESPONSE_BYTES: usize = 8 * 1024 * 1024;
/// Redirects that are followed at most, whatever the plugin asks for.
pub const HTTP_REDIRECTS: u8 = 10;

const _: () =
    assert!((SANDBOX_INSTANCES_MAX as u64 * CORE_MEMORIES as u64) * 5 / 1024 < 128, "addresses for all memories");
