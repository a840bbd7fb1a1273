//! The action that an address asks for: the word before its `@`. This module only parses; `state` acts.

/// What the plugin does for one delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// `send`, and any word that names no other action: sends the delivery as a line and waits until the server has
    /// acknowledged it.
    Send,
    /// The receipt is the number of `deliver` calls of this instance.
    Count,
    /// The receipt is the number of wakes of this instance, by reason.
    Wakes,
    /// The receipt is the lines that were received.
    Lines,
    /// Panics.
    Trap,
    /// Settles this delivery, then panics.
    SettleTrap,
    /// Never returns.
    Loop,
    /// Panics at the next wake.
    TrapInWake,
    /// Reads nothing at later wakes.
    LeaveUnread,
    /// Keeps a connection that has ended.
    KeepEnded,
    /// Opens another connection and keeps it.
    Hold,
    /// Opens another connection and closes it.
    Reopen,
    /// Allocates a megabyte and keeps it.
    Grow,
    /// Makes a hundred host calls.
    HostCalls,
    /// Waits for a line.
    AwaitLine,
    /// Reads one byte.
    ReadByte,
    /// Writes until a write fails. The receipt is the line that was received before.
    WriteUntilFailure,
}

impl Action {
    /// Parses an address.
    pub fn of(address: &str) -> Action {
        match address.split('@').next().unwrap_or(address) {
            "count" => Action::Count,
            "wakes" => Action::Wakes,
            "lines" => Action::Lines,
            "trap" => Action::Trap,
            "settle-trap" => Action::SettleTrap,
            "loop" => Action::Loop,
            "trap-in-wake" => Action::TrapInWake,
            "leave-unread" => Action::LeaveUnread,
            "keep-ended" => Action::KeepEnded,
            "hold" => Action::Hold,
            "reopen" => Action::Reopen,
            "grow" => Action::Grow,
            "host-calls" => Action::HostCalls,
            "await-line" => Action::AwaitLine,
            "read-byte" => Action::ReadByte,
            "write-until-failure" => Action::WriteUntilFailure,
            _ => Action::Send,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_word_before_the_at_sign_selects_the_action_and_any_other_word_sends() {
        for (address, action) in [
            ("trap@example.org", Action::Trap),
            ("settle-trap@x", Action::SettleTrap),
            ("count", Action::Count),
            ("amara@example.org", Action::Send),
            ("", Action::Send),
        ] {
            assert_eq!(Action::of(address), action, "{address}");
        }
    }
}
