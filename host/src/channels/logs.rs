//! The last log lines of each channel's plugin, in memory, for administrators. The daemon's own log has all of them.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};

use tidings_domain::time::Timestamp;
use tidings_sandbox::LogLevel;

use super::limits::LOG_TAIL_LINES;

/// One line of a plugin's log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogLine {
    /// Where to go on reading. The first line since the daemon started has its time in milliseconds, so that a client that
    /// follows goes on over a restart; each further line has one more.
    pub number: u64,
    pub at: Timestamp,
    pub level: &'static str,
    /// The plugin's version as its manifest says.
    pub version: String,
    pub line: String,
}

/// The last lines of all channels.
#[derive(Default)]
pub struct LogTails {
    channels: Mutex<HashMap<String, Tail>>,
}

#[derive(Default)]
struct Tail {
    last: u64,
    lines: VecDeque<LogLine>,
}

impl LogTails {
    pub fn add(&self, channel: &str, version: &str, level: LogLevel, line: &str, at: Timestamp) {
        let mut channels = self.channels.lock().unwrap_or_else(PoisonError::into_inner);
        let tail = channels.entry(channel.to_owned()).or_default();
        tail.last = if tail.last == 0 { at.as_millis() } else { tail.last + 1 };
        if tail.lines.len() >= LOG_TAIL_LINES {
            tail.lines.pop_front();
        }
        let (level, version, line) = (word(level), version.to_owned(), line.to_owned());
        tail.lines.push_back(LogLine { number: tail.last, at, level, version, line });
    }

    /// Forgets the lines of a channel that was removed.
    pub fn forget(&self, channel: &str) {
        self.channels.lock().unwrap_or_else(PoisonError::into_inner).remove(channel);
    }

    /// The channel's lines behind the one of that number, oldest first.
    pub fn after(&self, channel: &str, number: u64) -> Vec<LogLine> {
        let channels = self.channels.lock().unwrap_or_else(PoisonError::into_inner);
        let lines = channels.get(channel).into_iter().flat_map(|tail| &tail.lines);
        lines.filter(|line| line.number > number).cloned().collect()
    }
}

const fn word(level: LogLevel) -> &'static str {
    match level {
        LogLevel::Debug => "debug",
        LogLevel::Info => "info",
        LogLevel::Warning => "warning",
        LogLevel::Error => "error",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_channel_keeps_its_last_lines_and_their_numbers_go_on() {
        let tails = LogTails::default();
        let (start, beyond) = (1_000_000, 1_000_000 + LOG_TAIL_LINES as u64 + 7);
        for number in start..=beyond {
            tails.add("irc", "1.0", LogLevel::Info, &format!("line {number}"), Timestamp::from_millis(number));
        }
        tails.add("email", "2.0", LogLevel::Error, "alone", Timestamp::from_millis(5));
        let all = tails.after("irc", 0);
        assert_eq!((all.len(), all[0].number), (LOG_TAIL_LINES, start + 8));
        let rest: Vec<String> = tails.after("irc", beyond - 2).into_iter().map(|line| line.line).collect();
        assert_eq!(rest, [format!("line {}", beyond - 1), format!("line {beyond}")]);
        let alone = &tails.after("email", 0)[0];
        assert_eq!((alone.number, alone.level, alone.version.as_str()), (5, "error", "2.0"));
        assert_eq!(tails.after("fax", 0), []);
        let restarted = LogTails::default();
        restarted.add("irc", "1.0", LogLevel::Info, "after a restart", Timestamp::from_millis(beyond + 1000));
        assert_eq!(restarted.after("irc", beyond).len(), 1, "a client that follows goes on");
        restarted.forget("irc");
        assert_eq!(restarted.after("irc", 0), []);
    }
}
