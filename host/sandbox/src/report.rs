//! What comes back from a call of a plugin: always one outcome for each delivery, whatever happened, and what it cost.

use std::time::Duration;

use tidings_domain::outcome::{CrashKind, Outcome};

use crate::violation::Crash;

/// How a batch went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallReport {
    /// One for each delivery, in the order of the batch.
    pub outcomes: Vec<Outcome>,
    /// The call as a whole gave no answer. What the plugin had settled before stands in `outcomes`; the others are
    /// `Outcome::Crash`.
    pub crash: Option<(CrashKind, String)>,
    pub stats: CallStats,
}

/// What one call used.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CallStats {
    /// From entering the sandbox to leaving it, without the wait for a free instance.
    pub duration: Duration,
    /// Processor time of its code, and of the host's on its behalf where that did not wait.
    pub cpu: Duration,
    pub host_calls: u64,
    /// Lines of its log, and those that were dropped beyond the limit.
    pub log_lines: u32,
    pub log_lines_dropped: u64,
    /// Connections, requests and credentials that no grant covered.
    pub egress_denials: u64,
    /// Bytes sent and received over the network.
    pub network_bytes: u64,
    /// The most linear memory that the instance had, in bytes.
    pub peak_memory_bytes: usize,
}

impl CallStats {
    /// Adds what another call used; memory is the most of both.
    pub fn add(&mut self, other: &CallStats) {
        self.duration += other.duration;
        self.cpu += other.cpu;
        self.host_calls += other.host_calls;
        self.log_lines = self.log_lines.saturating_add(other.log_lines);
        self.log_lines_dropped += other.log_lines_dropped;
        self.egress_denials += other.egress_denials;
        self.network_bytes += other.network_bytes;
        self.peak_memory_bytes = self.peak_memory_bytes.max(other.peak_memory_bytes);
    }
}

/// Puts together what the plugin answered (as `edit` leaves it), what it had settled before, and how the call ended. The
/// first word for a place stands; an answer of the wrong length is none.
pub(crate) fn assemble(
    answer: Result<Vec<Outcome>, Crash>,
    settled: Vec<Option<Outcome>>,
    edit: impl Fn(Outcome) -> Outcome,
) -> (Vec<Outcome>, Option<Crash>) {
    let batch = settled.len();
    let answer = answer.and_then(|outcomes| match outcomes.len() {
        length if length == batch => Ok(outcomes),
        length => Err((CrashKind::Nonsense, format!("answered {length} outcomes for a batch of {batch}"))),
    });
    match answer {
        Ok(outcomes) => {
            let answered = outcomes.into_iter().map(edit);
            let first_word = settled.into_iter().zip(answered).map(|(settled, answered)| settled.unwrap_or(answered));
            (first_word.collect(), None)
        }
        Err((kind, detail)) => {
            let lost = || Outcome::Crash { kind, detail: detail.clone() };
            (settled.into_iter().map(|settled| settled.unwrap_or_else(lost)).collect(), Some((kind, detail)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn delivered(receipt: &str) -> Outcome {
        Outcome::Delivered { receipt: Some(receipt.to_owned()) }
    }

    fn crashed(kind: CrashKind, detail: &str) -> Outcome {
        Outcome::Crash { kind, detail: detail.to_owned() }
    }

    #[test]
    fn there_is_one_outcome_for_each_delivery_whatever_happened() {
        let trap = (CrashKind::Trap, "unreachable".to_owned());
        let wrong = |text: &str| (CrashKind::Nonsense, text.to_owned());
        for (answer, settled, outcomes, crash) in [
            (Ok(vec![delivered("a")]), vec![None], vec![delivered("a")], None),
            (Ok(vec![delivered("a")]), vec![Some(delivered("first"))], vec![delivered("first")], None),
            (
                Err(trap.clone()),
                vec![Some(delivered("a")), None],
                vec![delivered("a"), crashed(CrashKind::Trap, "unreachable")],
                Some(trap),
            ),
            (
                Ok(vec![delivered("a"), delivered("b"), delivered("c")]),
                vec![None, Some(delivered("s"))],
                vec![crashed(CrashKind::Nonsense, "answered 3 outcomes for a batch of 2"), delivered("s")],
                Some(wrong("answered 3 outcomes for a batch of 2")),
            ),
            (
                Ok(vec![]),
                vec![None],
                vec![crashed(CrashKind::Nonsense, "answered 0 outcomes for a batch of 1")],
                Some(wrong("answered 0 outcomes for a batch of 1")),
            ),
        ] {
            assert_eq!(assemble(answer, settled, |outcome| outcome), (outcomes, crash));
        }
    }
}
