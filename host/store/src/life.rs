//! The life of a channel's plugin, as the store keeps it: versions, history, and what becomes of deliveries that a channel
//! kept waiting. What is to be done and when, the domain decides.

use async_trait::async_trait;
use tidings_domain::plugin_life::ChannelEvent;
use tidings_domain::time::Timestamp;

use crate::{Channel, ChannelVersion, Result};

/// Changes of channels with their consequences, each in one transaction or, for deliveries, several that each leave
/// everything in order.
#[async_trait]
pub trait ChannelLife: Send + Sync {
    /// Creates the channel or replaces it as a whole, its versions too, in one transaction. `event` goes into its history; a
    /// version that it is about and that has lost its place counts as failed where the event is a failure.
    async fn change_channel(&self, channel: &Channel, event: Option<ChannelEvent>, now: Timestamp) -> Result<()>;
    /// Every version that the channel has or had, the latest change first.
    async fn channel_versions(&self, name: &str) -> Result<Vec<ChannelVersion>>;
    /// The channel's history, newest first; `limits::CHANNEL_EVENTS` are kept.
    async fn channel_events(&self, name: &str, limit: u32) -> Result<Vec<ChannelEvent>>;

    /// Gives up what the channel kept waiting: deliveries that wait (no lease in force, no digest gathers them) and were
    /// accepted before that moment are dead, with that reason; returns how many. A digest is as old as its latest member.
    async fn drop_late(&self, channel: &str, accepted_before: Timestamp, reason: &str, now: Timestamp) -> Result<u64>;
    /// Sends it by another channel: such a delivery is cancelled with that reason, and the same message goes to the user's
    /// first address there, due now, unless it goes there already. It stays where the user has no address there, where its
    /// message was given up there, or where `to` is disabled or quarantined. Returns how many left.
    async fn move_late(
        &self,
        channel: &str,
        to: &str,
        accepted_before: Timestamp,
        reason: &str,
        now: Timestamp,
    ) -> Result<u64>;
}
