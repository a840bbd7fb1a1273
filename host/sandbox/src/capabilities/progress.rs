//! `progress`: outcomes that count even if the call fails later. The first outcome for an index counts.

use tidings_domain::outcome::Outcome;

use crate::instance::InstanceState;
use crate::violation::Violation;

impl InstanceState {
    pub(crate) fn settle(&mut self, index: u32, outcome: Outcome) -> Result<(), Violation> {
        let batch = self.settled.len();
        let settled = self.settled.get_mut(index as usize).ok_or(Violation::Settled { index, batch })?;
        settled.get_or_insert(outcome);
        Ok(())
    }
}
