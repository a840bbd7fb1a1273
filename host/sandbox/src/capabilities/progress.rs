//! `progress`: outcomes that stand even if the call ends badly. The first word for a place counts.

use tidings_domain::outcome::Outcome;

use crate::instance_state::InstanceState;
use crate::violation::Violation;

impl InstanceState {
    pub(crate) fn settle(&mut self, index: u32, outcome: Outcome) -> Result<(), Violation> {
        let batch = self.settled.len();
        let place = self.settled.get_mut(index as usize).ok_or(Violation::Settled { index, batch })?;
        place.get_or_insert(outcome);
        Ok(())
    }
}
