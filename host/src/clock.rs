//! The only file that reads the wall clock. Everything that decides takes `now` as an argument.

use std::time::{SystemTime, UNIX_EPOCH};

use tidings_domain::time::Timestamp;

/// The present time. A clock before 1970 reads as 1970.
pub fn now() -> Timestamp {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_millis(u64::try_from(since_epoch.as_millis()).unwrap_or(u64::MAX))
}
