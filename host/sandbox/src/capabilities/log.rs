//! `log`: the plugin's own lines, escaped and cut, so many in a call and not more.

use tidings_domain::limits;
use tidings_domain::text::one_line;

use crate::host::LogLevel;
use crate::room::Room;

impl Room {
    /// A line of the plugin's own; what it printed before comes first.
    pub(crate) fn log(&mut self, level: LogLevel, message: &str) {
        self.print(false);
        self.line(level, message);
    }

    pub(crate) fn line(&mut self, level: LogLevel, message: &str) {
        if self.stats.log_lines >= self.furniture.limits.log_lines {
            self.stats.log_lines_dropped += 1;
            return;
        }
        self.stats.log_lines += 1;
        let line = one_line(message.trim_end(), limits::REASON_CHARS);
        self.furniture.host.log(&self.furniture.channel, level, &line);
    }
}
