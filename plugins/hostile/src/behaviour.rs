//! The ways to misbehave and the words that ask for them. It must not act.

/// What the plugin does with a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Behaviour {
    /// Runs for ever in its own code.
    Loop,
    /// Allocates and touches memory without end.
    Memory,
    /// Panics.
    Trap,
    /// Calls itself without end.
    Recurse,
    /// Logs ten million lines.
    LogFlood,
    /// Logs one line of 16 MiB.
    LogHuge,
    /// Asks for the time a thousand million times.
    ClockFlood,
    /// Asks for four gigabytes of random bytes in one call.
    RandomHuge,
    /// Writes to its state until that fails, and rejects everything with the count and the error.
    StateFlood,
    /// Answers one outcome too few.
    Short,
    /// Answers one outcome too many.
    Long,
    /// `retry` after ten years, with a reason that forges log lines.
    GarbageRetry,
    /// `delivered` with a receipt of 1 MiB full of control characters.
    GarbageReceipt,
    /// `address-gone` with a replacement that forges a header.
    GarbageGone,
    /// `channel-trouble` for as long as a number can say.
    GarbageTrouble,
    /// The four above in turn, by place in the batch.
    Garbage,
    /// An outcome of 32 MiB.
    HugeResult,
    /// Connects to the configured host and port; rejects everything with what came of it.
    Connect,
    /// Sends an HTTP request there; rejects everything with what came of it.
    Http,
    /// Opens connections there until one fails; rejects everything with the count and the error.
    Handles,
    /// Reads from a connection there for ever.
    Slow,
    /// Settles the first delivery as delivered, then panics.
    ProgressThenTrap,
    /// Settles every delivery as delivered, then runs for ever.
    ProgressThenLoop,
    /// Settles a delivery that is not in the batch, then delivers.
    ProgressBeyond,
    /// Hands the inbox one text of 16 MiB, and rejects everything with the lengths of what came back.
    InboxHuge,
    /// Logs a line that forges others, and delivers.
    LogForged,
    /// Writes under keys that are no good names, and rejects everything with what came of each.
    StateOdd,
    /// Opens connections and forgets them without closing; rejects everything with the count and the error.
    Leak,
    /// Connects with TLS; rejects everything with what came of it.
    Tls,
    /// Names credentials that are not its own in requests; rejects everything with what came of each.
    Steal,
    /// Asks for the URL that is its address behind the first `@`, and follows all redirects; rejects everything with what
    /// came of it.
    Fetch,
    /// Connects to the `host:port` that is its address behind the first `@`; likewise.
    Dial,
    /// Writes to the event stream of a delivery that is not in the batch, then delivers.
    StreamBeyond,
    /// Writes entries that are too large or no JSON, and rejects everything with what came of each.
    StreamHuge,
    /// One misdeed without end: `random-flood`.
    Flood(Step),
    /// Two misdeeds in turn without end: `memory+log`.
    Both(Step, Step),
    /// Logs its password, and rejects everything with it as the reason.
    Tell,
    /// Delivers with the receipt `count N`, where N counts the calls of this instance.
    Counter,
    /// Delivers.
    Ok,
}

/// A misdeed that is done again and again; none of them ends a call by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Computes for about a millisecond.
    Spin,
    /// Takes and keeps a mebibyte.
    Memory,
    /// Calls itself twice as deep as the last time.
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
    /// Sends an HTTP request there.
    Http,
}

impl Behaviour {
    /// By the part of an address before the first `@`; [`Behaviour::Ok`] where it names nothing.
    pub fn of(address: &str) -> Self {
        let word = address.split('@').next().unwrap_or_default();
        let known = WORDS.iter().find(|(name, _)| *name == word).map(|(_, behaviour)| *behaviour);
        let flood = || Some(Behaviour::Flood(Step::of(word.strip_suffix("-flood")?)?));
        let both = || word.split_once('+').and_then(|(one, two)| Some(Behaviour::Both(Step::of(one)?, Step::of(two)?)));
        known.or_else(flood).or_else(both).unwrap_or(Behaviour::Ok)
    }
}

impl Step {
    fn of(word: &str) -> Option<Self> {
        STEPS.iter().find(|(name, _)| *name == word).map(|(_, step)| *step)
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

const WORDS: &[(&str, Behaviour)] = &[
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
    fn the_part_before_the_at_sign_chooses_the_behaviour() {
        assert_eq!(Behaviour::of("loop@example.org"), Behaviour::Loop);
        assert_eq!(Behaviour::of("progress-then-trap"), Behaviour::ProgressThenTrap);
        assert_eq!(Behaviour::of("ralph@loop.example.org"), Behaviour::Ok);
        assert_eq!(Behaviour::of("fetch@http://user@example.org/"), Behaviour::Fetch);
        assert_eq!(Behaviour::of("random-flood@x"), Behaviour::Flood(Step::Random));
        assert_eq!(Behaviour::of("memory+log@x"), Behaviour::Both(Step::Memory, Step::Log));
        assert_eq!(Behaviour::of("memory+nothing@x"), Behaviour::Ok);
    }

    #[test]
    fn every_word_is_there_once() {
        for (word, behaviour) in WORDS {
            assert_eq!(Behaviour::of(word), *behaviour, "{word}");
        }
    }
}
