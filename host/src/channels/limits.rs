//! Bounds of channels, confirmations and the inbox. A bound that an operator may change is the default of a setting and
//! names it; the others are fixed.

use std::time::Duration;

/// Commands for one channel that wait for the command under way.
///
/// Unit: commands
///
/// When hit: the command is refused with 503, and nothing is changed.
pub const CHANNEL_COMMANDS: usize = 32;
/// Reports about the versions of one channel that wait to be acted on.
///
/// Unit: reports
///
/// When hit: the worker waits, and calls the version no more meanwhile.
pub const CHANNEL_REPORTS: usize = 4;
/// How often failure policies are applied.
///
/// When hit: the next pass begins.
pub const POLICY_SWEEP: Duration = Duration::from_secs(5);
/// How often a channel checks whether it runs as it should.
///
/// When hit: the next check begins.
pub const RECONCILE_INTERVAL: Duration = Duration::from_secs(5);
/// The shortest and the longest wait before a channel that could not start is tried again. The wait doubles with each
/// failure.
///
/// When hit: the wait is set to the bound.
pub const FAILED_REST_MIN: Duration = Duration::from_secs(5);
pub const FAILED_REST_MAX: Duration = Duration::from_secs(300);
/// Lines of the log of a plugin that are kept in memory for each channel: at most 1 MB, with `REASON_CHARS` characters
/// each.
///
/// When hit: the oldest line is dropped.
pub const LOG_TAIL_LINES: usize = 500;

/// How long the owner of an address may take to confirm it.
///
/// When hit: the code is no longer valid, and the user must ask for another one.
pub const CONFIRMATION_AGE: Duration = Duration::from_secs(24 * 3600);
/// The shortest time between two confirmation messages of one user on one channel. They go to people who may not have
/// asked for them.
///
/// When hit: the request is refused with 429 and `Retry-After`.
pub const CONFIRMATION_REST: Duration = Duration::from_secs(60);
/// Characters of a confirmation code; each is one of 30.
///
/// When hit: every code has exactly this length.
pub const CONFIRMATION_CODE_CHARS: usize = 8;
/// Lines of the answer of the daemon to a command in the inbox, and characters of each. IRC sends a line every second
/// or two.
///
/// Unit: lines; characters
///
/// When hit: longer lines are cut; the last line says how many more there are.
pub const INBOX_ANSWER_LINES: usize = 30;
pub const INBOX_LINE_CHARS: usize = 400;
/// Names of applications in one line of an answer.
///
/// When hit: further names are on the next line.
pub const INBOX_NAMES: usize = 12;
/// How long an address that sends no valid command gets no second hint about `help`, and how many addresses are
/// remembered.
///
/// Unit: addresses
///
/// When hit: the hint is not sent.
pub const INBOX_HINT_REST: Duration = Duration::from_secs(3600);
pub const INBOX_HINTS: usize = 10_000;
