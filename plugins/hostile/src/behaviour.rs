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
    /// Delivers with the receipt `count N`, where N counts the calls of this instance.
    Counter,
    /// Delivers.
    Ok,
}

impl Behaviour {
    /// By the part of an address before the `@`; [`Behaviour::Ok`] where it names nothing.
    pub fn of(address: &str) -> Self {
        let word = address.split('@').next().unwrap_or_default();
        WORDS.iter().find(|(name, _)| *name == word).map_or(Behaviour::Ok, |(_, behaviour)| *behaviour)
    }
}

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
    }

    #[test]
    fn every_word_is_there_once() {
        for (word, behaviour) in WORDS {
            assert_eq!(Behaviour::of(word), *behaviour, "{word}");
        }
    }
}
