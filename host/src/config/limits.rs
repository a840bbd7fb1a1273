//! Defaults of settings that belong to no other module. A bound that an operator may change is the default of a setting
//! and names it; the others are fixed.

use std::time::Duration;

/// How long a message is kept; setting `retention.messages`.
///
/// When hit: the message and its settled deliveries are deleted.
pub const RETENTION: Duration = Duration::from_secs(30 * 24 * 3600);
