//! One call of a channel's plugin with a batch of leases: what goes in, and which lease got which outcome.

use std::sync::Arc;
use std::time::Duration;

use tidings_domain::delivery::{Content, Delivery};
use tidings_domain::digest;
use tidings_domain::outcome::{CrashKind, Outcome};
use tidings_domain::window::CallResult;
use tidings_sandbox::limits::QUESTION_DEADLINE;
use tidings_sandbox::{Batch, CallStats, DeliveryLinks, DeliveryRequest};
use tidings_store::Lease;
use tokio_util::sync::CancellationToken;

use super::PluginRunner;

/// The result of a call.
pub struct CallOutcome {
    /// The deliveries that have an outcome.
    pub tried: Vec<(Lease, Outcome)>,
    /// The deliveries whose call was cut off before anything was known of them.
    pub untried: Vec<Lease>,
    pub took: Duration,
    /// What the call used; none where it was cut off.
    pub stats: Option<CallStats>,
}

impl PluginRunner {
    /// Calls the plugin with a batch. When `cut_off` fires, the call is dropped with its connections; what the plugin had
    /// settled until then counts.
    pub(in crate::dispatch) async fn call(
        self: Arc<Self>,
        batch: Vec<Lease>,
        cut_off: CancellationToken,
    ) -> CallOutcome {
        let began = std::time::Instant::now();
        let requests: Batch = batch.iter().map(|lease| self.request(lease.delivery())).collect();
        let (outcomes, stats) = match self.deliver_until(&requests, cut_off.cancelled()).await {
            Ok(report) => (report.outcomes.into_iter().map(Some).collect(), Some(report.stats)),
            Err(settled) => (settled, None),
        };
        let took = began.elapsed();
        let (mut tried, mut untried) = (Vec::with_capacity(batch.len()), Vec::new());
        for (lease, outcome) in batch.into_iter().zip(outcomes) {
            match outcome {
                Some(outcome) => tried.push((lease, outcome)),
                None => untried.push(lease),
            }
        }
        self.check_replacements(&mut tried).await;
        CallOutcome { tried, untried, took, stats }
    }

    /// Where the plugin named another address instead of one that is gone, it is asked whether that one is valid. An
    /// invalid replacement is dropped; where the plugin gives no answer, the delivery is tried again.
    async fn check_replacements(&self, tried: &mut [(Lease, Outcome)]) {
        // Before the leases end, however many there are.
        let by = tokio::time::Instant::now() + QUESTION_DEADLINE;
        for (lease, outcome) in tried {
            let Outcome::AddressGone { replacement: replacement @ Some(_), reason } = outcome else { continue };
            let (delivery, asked) = (lease.delivery(), replacement.take().unwrap_or_default());
            let answer = self.check_address(&delivery.user, &asked);
            match tokio::time::timeout_at(by, answer).await {
                Ok(Ok(Ok(normal))) if normal != delivery.address => *replacement = Some(normal),
                Ok(Ok(Ok(_))) => tracing::warn!(
                    channel = self.channel,
                    delivery = %delivery.id,
                    "the plugin replaces an address by itself; the address counts as gone"
                ),
                Ok(Ok(Err(why))) => tracing::warn!(
                    channel = self.channel,
                    delivery = %delivery.id,
                    why,
                    "the replacement of an address is invalid; the address counts as gone"
                ),
                Ok(Err(_)) | Err(_) => {
                    let reason = format!("the address that replaces this one could not be checked: {reason}");
                    *outcome = Outcome::Retry { after: None, reason };
                }
            }
        }
    }

    /// What the plugin is given of a delivery.
    pub(super) fn request(&self, delivery: &Arc<Delivery>) -> DeliveryRequest {
        let settings =
            delivery.filter.as_ref().and_then(|filter| self.links.settings_link(&delivery.user, &self.channel, filter));
        let unsubscribe = self.links.unsubscribe_link(&delivery.user, &self.channel, &delivery.address);
        let summary = match &delivery.content {
            Content::Digest { events, .. } => {
                let data = Arc::clone(&self.matching.snapshot().static_data);
                digest::summary(&data.catalogue, &data.aliases, events, &delivery.user)
            }
            Content::Single(_) | Content::Confirmation(_) => Vec::new(),
        };
        DeliveryRequest { delivery: Arc::clone(delivery), links: DeliveryLinks { settings, unsubscribe }, summary }
    }
}

impl CallOutcome {
    /// What the call says about its channel: trouble weighs more than a crash, a crash more than success.
    pub fn result(&self) -> CallResult {
        let mut result = CallResult::Success;
        for (_, outcome) in &self.tried {
            match outcome {
                Outcome::ChannelTrouble { after, .. } => return CallResult::Trouble { after: *after },
                Outcome::Crash { .. } => result = CallResult::Crashed,
                _ => {}
            }
        }
        result
    }

    /// The kind and detail of the plugin's crash, if it crashed.
    pub fn crash(&self) -> Option<(CrashKind, &str)> {
        self.tried.iter().find_map(|(_, outcome)| match outcome {
            Outcome::Crash { kind, detail } => Some((*kind, detail.as_str())),
            _ => None,
        })
    }

    /// The reason of the channel's trouble, if it was in any.
    pub fn trouble(&self) -> Option<String> {
        self.tried.iter().find_map(|(_, outcome)| match outcome {
            Outcome::ChannelTrouble { reason, .. } => Some(reason.clone()),
            _ => None,
        })
    }
}
