//! Bounds of channels, confirmations and the inbox. A bound that an operator may change is the default of a setting and
//! names it; the others are fixed.

use std::time::Duration;

/// Commands for one channel that wait for the one under way. Beyond it a command is refused and nothing is changed.
pub const CHANNEL_COMMANDS: usize = 32;
/// Reports about a channel's versions that wait to be acted on; a worker has one at most, and waits where there are more.
pub const CHANNEL_REPORTS: usize = 4;
/// How often failure policies are carried out.
pub const POLICY_SWEEP: Duration = Duration::from_secs(5);
/// How often a channel is checked for running what it should.
pub const RECONCILE_INTERVAL: Duration = Duration::from_secs(5);
/// The wait before a channel that could not start is tried again; it doubles with each failure.
pub const FAILED_REST_MIN: Duration = RECONCILE_INTERVAL;
pub const FAILED_REST_MAX: Duration = Duration::from_secs(300);
/// Lines of its plugin's log that are kept in memory for each channel: at most 1 MB, with `REASON_CHARS` characters each.
pub const LOG_TAIL_LINES: usize = 500;

/// How long the owner of an address may take to confirm it.
pub const CONFIRMATION_AGE: Duration = Duration::from_secs(24 * 3600);
/// After one question of a user on a channel, how long no other is sent: they go to people who did not ask for them.
pub const CONFIRMATION_REST: Duration = Duration::from_secs(60);
/// Characters of a code that is typed by hand; each is one of 30.
pub const CONFIRMATION_CODE_CHARS: usize = 8;
/// Lines of the daemon's own answer to a command: IRC sends one every second or two.
pub const INBOX_ANSWER_LINES: usize = 30;
/// Characters of each such line.
pub const INBOX_LINE_CHARS: usize = 400;
/// Names of applications in one such line.
pub const INBOX_NAMES: usize = 12;
/// After an address got the hint that `help` exists, how long it gets no other: it may answer by itself.
pub const INBOX_HINT_REST: Duration = Duration::from_secs(3600);
/// Addresses that are remembered for it. Beyond it no hint is sent.
pub const INBOX_HINTS: usize = 10_000;
