//! Short ways to write an [`Outcome`].

use crate::{Gone, Outcome, Retry, Trouble};

impl Outcome {
    /// A passing failure of this delivery alone; the host chooses when it is tried again.
    pub fn retry(reason: impl Into<String>) -> Self {
        Outcome::retry_after(None, reason)
    }

    /// The same, not before `after_ms` milliseconds from now, if there is a wait.
    pub fn retry_after(after_ms: Option<u64>, reason: impl Into<String>) -> Self {
        Outcome::Retry(Retry { after_ms, reason: reason.into() })
    }

    /// The address does not exist any more, and the far side named no other.
    pub fn gone(reason: impl Into<String>) -> Self {
        Outcome::AddressGone(Gone { replacement: None, reason: reason.into() })
    }

    /// The channel is at fault; it rests for `after_ms` milliseconds, or as long as the host thinks fit.
    pub fn trouble(after_ms: Option<u64>, reason: impl Into<String>) -> Self {
        Outcome::ChannelTrouble(Trouble { after_ms, reason: reason.into() })
    }
}
