//! The behaviours and their names in addresses. It must not call the host.

/// What the plugin does with a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Behaviour {
    /// Runs endlessly in its own code.
    Loop,
    /// Allocates and writes memory endlessly.
    Memory,
    /// Panics.
    Trap,
    /// Recurses endlessly.
    Recurse,
    /// Logs ten million lines.
    LogFlood,
    /// Logs one line of 16 MiB.
    LogHuge,
    /// Reads the clock 10^9 times.
    ClockFlood,
    /// Requests four gigabytes of random bytes in one call.
    RandomHuge,
    /// Writes to its state until a write fails; rejects all deliveries with the count and the error.
    StateFlood,
    /// Returns one outcome too few.
    Short,
    /// Returns one outcome too many.
    Long,
    /// `retry` after ten years, with a reason that forges log lines.
    GarbageRetry,
    /// `delivered` with a receipt of 1 MiB full of control characters.
    GarbageReceipt,
    /// `address-gone` with a replacement that forges a header.
    GarbageGone,
    /// `channel-trouble` for the largest number of milliseconds.
    GarbageTrouble,
    /// The four above in turn, by index in the batch.
    Garbage,
    /// An outcome of 32 MiB.
    HugeResult,
    /// Connects to the configured host and port; rejects all deliveries with the result.
    Connect,
    /// Sends an HTTP request to the configured host and port; rejects all deliveries with the result.
    Http,
    /// Opens connections to the configured host and port until one fails; rejects all deliveries with the count and the
    /// error.
    Handles,
    /// Reads from a connection endlessly.
    Slow,
    /// Settles the first delivery as delivered, then panics.
    ProgressThenTrap,
    /// Settles every delivery as delivered, then runs endlessly.
    ProgressThenLoop,
    /// Settles a delivery that is not in the batch, then delivers.
    ProgressBeyond,
    /// Submits one text of 16 MiB to the inbox; rejects all deliveries with the lengths of the replies.
    InboxHuge,
    /// Logs a line that forges others, and delivers.
    LogForged,
    /// Writes unusual keys; rejects all deliveries with the results.
    StateOdd,
    /// Opens connections and never closes them; rejects all deliveries with the count and the error.
    Leak,
    /// Connects with TLS; rejects all deliveries with the result.
    Tls,
    /// Uses credentials in requests that it was not granted; rejects all deliveries with the results.
    Steal,
    /// Requests the URL in its address after the first `@`, and follows all redirects; rejects all deliveries with the
    /// result.
    Fetch,
    /// Connects to the `host:port` in its address after the first `@`; rejects all deliveries with the result.
    Dial,
    /// Writes to the event stream of a delivery that is not in the batch, then delivers.
    StreamBeyond,
    /// Writes entries that are too large or not JSON; rejects all deliveries with the results.
    StreamHuge,
    /// One step endlessly: `random-flood`.
    Flood(Step),
    /// Two steps in turn, endlessly: `memory+log`.
    Both(Step, Step),
    /// Logs its password, and rejects all deliveries with the password in the reason.
    Tell,
    /// Delivers with the receipt `count N`, where N counts the calls of this instance.
    Counter,
    /// Delivers.
    Ok,
}

/// A step that is repeated. No step ends a call by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Computes for about a millisecond.
    Spin,
    /// Allocates and keeps a mebibyte.
    Memory,
    /// Recurses twice as deep as the last time.
    Recurse,
    Log,
    Clock,
    Random,
    StateRead,
    StateWrite,
    Inbox,
    /// Writes an entry to the event stream of the first delivery.
    Stream,
    Config,
    /// Settles the first delivery of the batch.
    Settle,
    /// Connects to the configured host and port, and keeps the connection.
    Connect,
    /// Sends an HTTP request to the configured host and port.
    Http,
}

impl Behaviour {
    /// Parses the part of an address before the first `@`; an unknown name is [`Behaviour::Ok`].
    pub fn parse(address: &str) -> Self {
        let name = address.split('@').next().unwrap_or_default();
        let behaviour = BEHAVIOURS.iter().find(|(known, _)| *known == name).map(|(_, behaviour)| *behaviour);
        let flood = || Some(Behaviour::Flood(Step::parse(name.strip_suffix("-flood")?)?));
        let both = || {
            let (first, second) = name.split_once('+')?;
            Some(Behaviour::Both(Step::parse(first)?, Step::parse(second)?))
        };
        behaviour.or_else(flood).or_else(both).unwrap_or(Behaviour::Ok)
    }
}

impl Step {
    fn parse(name: &str) -> Option<Self> {
        STEPS.iter().find(|(known, _)| *known == name).map(|(_, step)| *step)
    }
}

const STEPS: &[(&str, Step)] = &[
    ("spin", Step::Spin),
    ("memory", Step::Memory),
    ("recurse", Step::Recurse),
    ("log", Step::Log),
    ("clock", Step::Clock),
    ("random", Step::Random),
    ("state-read", Step::StateRead),
    ("state-write", Step::StateWrite),
    ("inbox", Step::Inbox),
    ("stream", Step::Stream),
    ("config", Step::Config),
    ("settle", Step::Settle),
    ("connect", Step::Connect),
    ("http", Step::Http),
];

const BEHAVIOURS: &[(&str, Behaviour)] = &[
    ("loop", Behaviour::Loop),
    ("memory", Behaviour::Memory),
    ("trap", Behaviour::Trap),
    ("recurse", Behaviour::Recurse),
    ("log-flood", Behaviour::LogFlood),
    ("log-huge", Behaviour::LogHuge),
    ("clock-flood", Behaviour::ClockFlood),
    ("random-huge", Behaviour::RandomHuge),
    ("state-flood", Behaviour::StateFlood),
    ("short", Behaviour::Short),
    ("long", Behaviour::Long),
    ("garbage-retry", Behaviour::GarbageRetry),
    ("garbage-receipt", Behaviour::GarbageReceipt),
    ("garbage-gone", Behaviour::GarbageGone),
    ("garbage-trouble", Behaviour::GarbageTrouble),
    ("garbage", Behaviour::Garbage),
    ("huge-result", Behaviour::HugeResult),
    ("connect", Behaviour::Connect),
    ("http", Behaviour::Http),
    ("handles", Behaviour::Handles),
    ("slow", Behaviour::Slow),
    ("progress-then-trap", Behaviour::ProgressThenTrap),
    ("progress-then-loop", Behaviour::ProgressThenLoop),
    ("progress-beyond", Behaviour::ProgressBeyond),
    ("inbox-huge", Behaviour::InboxHuge),
    ("log-forged", Behaviour::LogForged),
    ("state-odd", Behaviour::StateOdd),
    ("leak", Behaviour::Leak),
    ("tls", Behaviour::Tls),
    ("steal", Behaviour::Steal),
    ("fetch", Behaviour::Fetch),
    ("dial", Behaviour::Dial),
    ("tell", Behaviour::Tell),
    ("stream-beyond", Behaviour::StreamBeyond),
    ("stream-huge", Behaviour::StreamHuge),
    ("counter", Behaviour::Counter),
    ("ok", Behaviour::Ok),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_part_before_the_at_sign_selects_the_behaviour() {
        assert_eq!(Behaviour::parse("loop@example.org"), Behaviour::Loop);
        assert_eq!(Behaviour::parse("progress-then-trap"), Behaviour::ProgressThenTrap);
        assert_eq!(Behaviour::parse("ralph@loop.example.org"), Behaviour::Ok);
        assert_eq!(Behaviour::parse("fetch@http://user@example.org/"), Behaviour::Fetch);
        assert_eq!(Behaviour::parse("random-flood@x"), Behaviour::Flood(Step::Random));
        assert_eq!(Behaviour::parse("memory+log@x"), Behaviour::Both(Step::Memory, Step::Log));
        assert_eq!(Behaviour::parse("memory+nothing@x"), Behaviour::Ok);
    }

    #[test]
    fn every_name_is_unique() {
        for (name, behaviour) in BEHAVIOURS {
            assert_eq!(Behaviour::parse(name), *behaviour, "{name}");
        }
    }
}
