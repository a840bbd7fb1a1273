//! `log`: the plugin's log, limited in lines per call. The channel's context redacts, escapes and cuts each line.

use crate::channel_host::LogLevel;
use crate::instance::InstanceState;

impl InstanceState {
    /// Writes a line that the plugin logs, after the text that it printed before.
    pub(crate) fn log(&mut self, level: LogLevel, message: &str) {
        self.log_printed(false);
        self.log_line(level, message);
    }

    /// Writes a line, or counts it as dropped beyond the limit.
    pub(crate) fn log_line(&mut self, level: LogLevel, message: &str) {
        if self.stats.log_lines >= self.context.limits.log_lines {
            self.stats.log_lines_dropped += 1;
            return;
        }
        self.stats.log_lines += 1;
        self.context.log(level, message.trim_end().to_owned());
    }
}
