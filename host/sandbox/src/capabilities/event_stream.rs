//! `event-stream`: what the plugin's users follow in a browser. A plugin writes for the deliveries of its batch and for no
//! other address.

use crate::limits;
use serde::de::IgnoredAny;

use crate::host::{StateError, StreamAppend};
use crate::instance_state::InstanceState;
use crate::violation::Violation;

impl InstanceState {
    /// Adds to the streams of these places of the batch, all or none.
    pub(crate) async fn append(&mut self, written: Vec<(u32, String)>) -> Result<Result<(), StateError>, Violation> {
        let batch = self.batch.len();
        if written.len() > batch {
            return Ok(Err(StateError::Limit(format!("there are {batch} deliveries to write of"))));
        }
        let mut entries = Vec::with_capacity(written.len());
        for (index, data) in written {
            let parcel = self.batch.get(index as usize).ok_or(Violation::Appended { index, batch })?;
            if let Err(why) = check(&data) {
                return Ok(Err(StateError::Limit(why)));
            }
            let (address, delivery) = (parcel.delivery.address.clone(), parcel.delivery.id.to_string());
            entries.push(StreamAppend { address, delivery, data });
        }
        let _turn = self.furniture.pace.turn().await;
        Ok(self.furniture.host.append(&self.furniture.channel, entries).await)
    }
}

fn check(data: &str) -> Result<(), String> {
    if data.len() > limits::STREAM_ENTRY_BYTES {
        return Err(format!("an entry has at most {} bytes", limits::STREAM_ENTRY_BYTES));
    }
    serde_json::from_str::<IgnoredAny>(data).map(drop).map_err(|error| format!("an entry is JSON: {error}"))
}
