//! What a resident plugin's handle asks its task to do.

use std::time::Duration;

use tidings_domain::outcome::Outcome;
use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::delivery_request::Batch;
use crate::limits;
use crate::report::CallReport;

pub(super) enum ResidentCommand {
    Deliver(DeliverCommand),
    Stop { grace: Duration },
}

pub(super) struct DeliverCommand {
    pub batch: Batch,
    /// The task does not start the delivery later: the caller holds a lease on each delivery.
    pub start_by: Instant,
    /// Its sender is dropped to cut the call off.
    pub cut_off: oneshot::Receiver<()>,
    pub reply: oneshot::Sender<DeliveryResult>,
}

/// A report, or the outcomes that were settled before the call was cut off.
pub(super) type DeliveryResult = Result<CallReport, Vec<Option<Outcome>>>;

/// The report where the task did not come to the batch in time. It loses no delivery, since no delivery caused it.
pub(super) fn busy(batch: usize) -> CallReport {
    let reason = "the channel's one instance is running another call".to_owned();
    CallReport::postponed(batch, limits::INSTANCE_WAIT, reason)
}

/// The report where the resident plugin was stopped.
pub(super) fn stopped(batch: usize) -> CallReport {
    CallReport::postponed(batch, limits::INSTANCE_WAIT, "the channel's instance was stopped".to_owned())
}
