//! Bounds of intake. A bound that an operator may change is the default of a setting and names it; the others are
//! fixed.

use tidings_store::limits::INTAKE_BATCH;
/// Messages that are being committed at the same time: the next transaction fills while one is written.
///
/// Unit: messages
///
/// When hit: no further message is read until a commit returns.
pub const INTAKE_IN_FLIGHT: usize = 2 * INTAKE_BATCH;
/// Messages that wait for access lists at the same time.
///
/// Unit: messages
///
/// When hit: no further message is read from the bus.
pub const INTAKE_WAITING: usize = 1000;
