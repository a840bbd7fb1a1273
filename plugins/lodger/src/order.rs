//! What an address asks for: the word before its `@`. It must not act.

/// What becomes of one delivery, and of the plugin with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// `say`, and whatever is no other word: sends the delivery as a line, and waits until the server took it.
    Say,
    /// Tells how often `deliver` was called in this life.
    Count,
    /// Tells how often it was woken in this life, by reason.
    Wakes,
    /// Tells the lines that came.
    Lines,
    /// Panics; after `settle-trap`'s own delivery was settled.
    Trap,
    SettleTrap,
    /// Runs for ever.
    Loop,
    /// Panics when it is woken next.
    TrapInWake,
    /// Reads nothing any more when it is woken.
    LeaveUnread,
    /// Keeps a connection that has ended.
    KeepEnded,
    /// Opens one more connection and keeps it.
    Hoard,
    /// Opens one more connection and drops it.
    Reopen,
    /// Takes a megabyte more, for good.
    Grow,
    /// Makes a hundred host calls.
    Chat,
    /// Waits for a line, for as long as it is let.
    Await,
    /// Reads one byte of what comes.
    Sip,
    /// Writes until that fails, and tells the line that had come before.
    LastWords,
}

impl Order {
    pub fn of(address: &str) -> Order {
        match address.split('@').next().unwrap_or(address) {
            "count" => Order::Count,
            "wakes" => Order::Wakes,
            "lines" => Order::Lines,
            "trap" => Order::Trap,
            "settle-trap" => Order::SettleTrap,
            "loop" => Order::Loop,
            "trap-in-wake" => Order::TrapInWake,
            "leave-unread" => Order::LeaveUnread,
            "keep-ended" => Order::KeepEnded,
            "hoard" => Order::Hoard,
            "reopen" => Order::Reopen,
            "grow" => Order::Grow,
            "chat" => Order::Chat,
            "await" => Order::Await,
            "sip" => Order::Sip,
            "last-words" => Order::LastWords,
            _ => Order::Say,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_word_before_the_at_sign_is_the_order_and_any_other_is_sent() {
        for (address, order) in [
            ("trap@example.org", Order::Trap),
            ("settle-trap@x", Order::SettleTrap),
            ("count", Order::Count),
            ("amara@example.org", Order::Say),
            ("", Order::Say),
        ] {
            assert_eq!(Order::of(address), order, "{address}");
        }
    }
}
