//! `event-stream`: what the plugin's users follow in a browser. A plugin appends for the deliveries of its batch only.

use serde::de::IgnoredAny;

use crate::channel_host::{StateError, StreamAppend};
use crate::instance::InstanceState;
use crate::limits;
use crate::violation::Violation;

impl InstanceState {
    /// Appends to the streams of these deliveries, given by index in the batch; all or none.
    pub(crate) async fn append(&mut self, appended: Vec<(u32, String)>) -> Result<Result<(), StateError>, Violation> {
        let batch = self.batch.len();
        if appended.len() > batch {
            return Ok(Err(StateError::Limit(format!("the batch has {batch} deliveries to append for"))));
        }
        let mut entries = Vec::with_capacity(appended.len());
        for (index, data) in appended {
            let request = self.batch.get(index as usize).ok_or(Violation::Appended { index, batch })?;
            if let Err(why) = check(&data) {
                return Ok(Err(StateError::Limit(why)));
            }
            let (address, delivery) = (request.delivery.address.clone(), request.delivery.id.to_string());
            entries.push(StreamAppend { address, delivery, data });
        }
        let _permit = self.context.store_rate.acquire().await;
        Ok(self.context.host.append(&self.context.channel, entries).await)
    }
}

fn check(data: &str) -> Result<(), String> {
    if data.len() > limits::STREAM_ENTRY_BYTES {
        return Err(format!("an entry has at most {} bytes", limits::STREAM_ENTRY_BYTES));
    }
    serde_json::from_str::<IgnoredAny>(data).map(drop).map_err(|error| format!("an entry must be JSON: {error}"))
}
