//! Constructors of [`Outcome`].

use crate::{Gone, Outcome, Retry, Trouble};

impl Outcome {
    /// A temporary failure of this delivery alone. The daemon chooses when to try again.
    pub fn retry(reason: impl Into<String>) -> Self {
        Outcome::retry_after(None, reason)
    }

    /// A temporary failure of this delivery alone. The next attempt is at least `after_ms` milliseconds from now, if
    /// given.
    pub fn retry_after(after_ms: Option<u64>, reason: impl Into<String>) -> Self {
        Outcome::Retry(Retry { after_ms, reason: reason.into() })
    }

    /// The address no longer exists, and the service named no replacement.
    pub fn gone(reason: impl Into<String>) -> Self {
        Outcome::AddressGone(Gone { replacement: None, reason: reason.into() })
    }

    /// A failure of the channel. It pauses for `after_ms` milliseconds, or for a time that the daemon chooses.
    pub fn trouble(after_ms: Option<u64>, reason: impl Into<String>) -> Self {
        Outcome::ChannelTrouble(Trouble { after_ms, reason: reason.into() })
    }
}
