//! What callers submit to the writer: a message prepared for its insertion, and outcomes of leases.

use tidings_domain::delivery::{DeliveryId, NewMessage};
use tidings_domain::outcome::Settlement;
use tidings_domain::time::Timestamp;

use crate::error::StoreError;
use crate::roles::Lease;
use crate::sqlite::failure::WriteFailure;
use crate::sqlite::value::{id_bytes, to_json};

/// A message to accept. Its caller computes here what does not need the database, so that the writer does not.
pub(crate) struct PreparedMessage {
    pub(crate) message: NewMessage,
    pub(crate) now: Timestamp,
    /// The event as it is stored; none where there are no recipients.
    pub(crate) event: Option<String>,
    /// The ids of the deliveries, in the order of the recipients.
    pub(crate) ids: Vec<Vec<u8>>,
}

impl PreparedMessage {
    pub(crate) fn new(message: NewMessage, now: Timestamp) -> Result<PreparedMessage, WriteFailure> {
        let event = match &message.event {
            _ if message.recipients.is_empty() => None,
            Some(event) => Some(to_json("event", &**event)?),
            None => {
                let detail = format!("{} has recipients but no event", message.id);
                return Err(StoreError::Refused { what: "message", detail }.into());
            }
        };
        let ids = message
            .recipients
            .iter()
            .map(|recipient| id_bytes(&DeliveryId::derive(&message.id, &recipient.channel, &recipient.address)));
        let ids = ids.collect::<Result<_, _>>()?;
        Ok(PreparedMessage { message, now, event, ids })
    }
}

/// Outcomes of one caller.
pub(crate) struct SettledBatch {
    pub(crate) settled: Vec<(Lease, Settlement)>,
    pub(crate) now: Timestamp,
}
