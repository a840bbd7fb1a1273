//! Bounds of channels, confirmations and the inbox. A bound that an operator may change is the default of a setting and names it; the others are fixed.

use std::time::Duration;

/// How often failure policies are carried out, and channels looked after that do not run as they should.
pub const POLICY_SWEEP: Duration = Duration::from_secs(5);
/// The wait before a channel that could not start is tried again; it doubles with each failure.
pub const FAILED_REST_MIN: Duration = POLICY_SWEEP;
pub const FAILED_REST_MAX: Duration = Duration::from_secs(300);
/// Lines of its plugin's log that are kept in memory for each channel: at most 1 MB, with `REASON_CHARS` characters each.
pub const LOG_TAIL_LINES: usize = 500;

/// How long the owner of an address may take to confirm it.
pub const CONFIRMATION_AGE: Duration = Duration::from_secs(24 * 3600);
/// After one question of a user on a channel, how long no other is sent: they go to people who did not ask for them.
pub const CONFIRMATION_REST: Duration = Duration::from_secs(60);
/// Characters of a code that is typed by hand; each is one of 30.
pub const CONFIRMATION_CODE_CHARS: usize = 8;
/// Lines of the daemon's own answer to a command, and characters of each: IRC sends one every second or two.
pub const INBOX_ANSWER_LINES: usize = 30;
pub const INBOX_LINE_CHARS: usize = 400;
/// Names of applications in one such line.
pub const INBOX_NAMES: usize = 12;
/// Who says what is no command is told about `help`, and then not again for so long; and so many addresses are remembered.
pub const INBOX_HINT_REST: Duration = Duration::from_secs(3600);
pub const INBOX_HINTS: usize = 10_000;
