//! `log`: the plugin's own lines, without the channel's secrets, escaped and cut, so many in a call and not more. An
//! outcome's words are treated alike.

use tidings_domain::limits;
use tidings_domain::outcome::Outcome;
use tidings_domain::text::one_line;

use crate::host::LogLevel;
use crate::instance_state::{ChannelContext, InstanceState};

impl InstanceState {
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
        self.furniture.log(level, message.trim_end().to_owned());
    }
}

impl ChannelContext {
    /// A line in the channel's log.
    pub(crate) fn log(&self, level: LogLevel, text: String) {
        let line = one_line(&self.redaction.apply(text), limits::REASON_CHARS);
        self.host.log(&self.channel, level, &line);
    }

    /// An outcome without the channel's secrets in its words.
    pub(crate) fn redacted(&self, outcome: Outcome) -> Outcome {
        outcome.reworded(|text| self.redaction.apply(text))
    }
}
