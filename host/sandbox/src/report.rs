//! What a call of a plugin returns: exactly one outcome for each delivery, and what the call used.

use std::time::Duration;

use tidings_domain::outcome::{CrashKind, Outcome};

use crate::violation::Crash;

/// The result of one batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallReport {
    /// One for each delivery, in the order of the batch.
    pub outcomes: Vec<Outcome>,
    /// Why the call returned no answer, if it did not. Outcomes that the plugin had settled before stay in `outcomes`;
    /// the others are `Outcome::Crash`.
    pub crash: Option<(CrashKind, String)>,
    pub stats: CallStats,
}

/// What one call used.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CallStats {
    /// From the start of the call to its end, without the wait for a free instance.
    pub duration: Duration,
    /// Processor time of the guest, and of host functions on its behalf.
    pub cpu: Duration,
    pub host_calls: u64,
    /// Lines written to the plugin's log.
    pub log_lines: u32,
    /// Lines dropped beyond the limit.
    pub log_lines_dropped: u64,
    /// Connections, requests and uses of credentials that no grant covers.
    pub egress_denials: u64,
    /// Bytes sent and received over the network.
    pub network_bytes: u64,
    /// The peak of the instance's linear memory, in bytes.
    pub peak_memory_bytes: usize,
}

impl CallReport {
    /// The report of a batch that the plugin was not asked to deliver now.
    pub(crate) fn postponed(batch: usize, after: Duration, reason: String) -> CallReport {
        let trouble = Outcome::ChannelTrouble { after: Some(after), reason };
        CallReport { outcomes: vec![trouble; batch], crash: None, stats: CallStats::default() }
    }
}

impl CallStats {
    /// Adds what another call used. The peak of memory is the larger one.
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

/// Combines what the plugin returned (changed by `edit`), what it had settled before, and how the call ended. The first
/// outcome for an index counts; an answer of the wrong length is a crash.
pub(crate) fn combine_outcomes(
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
            let first = settled.into_iter().zip(answered).map(|(settled, answered)| settled.unwrap_or(answered));
            (first.collect(), None)
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
    fn each_delivery_has_exactly_one_outcome() {
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
            assert_eq!(combine_outcomes(answer, settled, |outcome| outcome), (outcomes, crash));
        }
    }
}
