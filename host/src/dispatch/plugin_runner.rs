//! One call of a channel's plugin with a batch of leases: what goes in, and which lease got which outcome.

use std::sync::Arc;
use std::time::Duration;

use tidings_domain::delivery::{Content, Delivery};
use tidings_domain::digest;
use tidings_domain::outcome::{CrashKind, Outcome};
use tidings_domain::window::CallResult;
use tidings_sandbox::limits;
use tidings_sandbox::{Batch, CallStats, DeliveryLinks, DeliveryRequest, ResidentStats};
use tidings_store::Lease;
use tokio_util::sync::CancellationToken;

use super::InstanceKind;
use crate::link_signer::LinkSigner;
use crate::matching_state::MatchingState;

/// Sends deliveries through what carries one channel.
pub struct PluginRunner {
    channel: String,
    carrier: InstanceKind,
    links: Arc<LinkSigner>,
    knowledge: Arc<MatchingState>,
    deadline: Duration,
}

/// A call that ended.
pub struct CallOutcome {
    pub tried: Vec<(Lease, Outcome)>,
    /// Cut off before anything was known of them.
    pub untried: Vec<Lease>,
    pub took: Duration,
    /// What it used; none where it was cut off.
    pub stats: Option<CallStats>,
}

impl PluginRunner {
    /// `deadline` is the plugin's limit for one call; the catalogue in `knowledge` folds digests.
    pub fn new(
        channel: String,
        carrier: InstanceKind,
        links: Arc<LinkSigner>,
        knowledge: Arc<MatchingState>,
        deadline: Duration,
    ) -> PluginRunner {
        PluginRunner { channel, carrier, links, knowledge, deadline }
    }

    /// How long one call may take.
    pub fn deadline(&self) -> Duration {
        self.deadline
    }

    /// Starts what runs also where nothing is to be sent.
    pub(super) fn begin(&self) {
        self.carrier.begin();
    }

    /// Ends it, within `grace`.
    pub(super) async fn end(&self, grace: Duration) {
        self.carrier.end(grace).await;
    }

    /// How many calls may be under way at once, where `configured` are allowed.
    pub(super) fn window(&self, configured: usize) -> usize {
        self.carrier.window(configured)
    }

    /// What the instances of a resident plugin did.
    pub fn life(&self) -> Option<ResidentStats> {
        self.carrier.life()
    }

    /// Waits until a resident plugin has crashed more often than `seen` times with nothing to deliver.
    pub(super) async fn idle_crash(&self, seen: u64) -> ResidentStats {
        self.carrier.idle_crash(seen).await
    }

    /// What a resident plugin used apart from deliveries, since this was asked last.
    pub(super) fn take_used(&self) -> Option<CallStats> {
        self.carrier.take_used()
    }

    /// Sends one delivery outside the outbox: a test. It goes on where nobody waits for it any more: to cut it off would cost
    /// a resident plugin its connections.
    pub async fn send(self: Arc<Self>, delivery: Delivery) -> Option<Outcome> {
        let batch = Batch::from([self.parcel(&Arc::new(delivery))]);
        let call = async move { self.carrier.deliver_once(&batch).await.outcomes.pop() };
        tokio::spawn(call).await.ok().flatten()
    }

    /// Calls the plugin with a batch. When `cut_off` fires, the call is dropped with its connections; what the plugin had
    /// settled until then counts.
    pub(super) async fn call(self: Arc<Self>, batch: Vec<Lease>, cut_off: CancellationToken) -> CallOutcome {
        let began = std::time::Instant::now();
        let parcels: Batch = batch.iter().map(|lease| self.parcel(lease.delivery())).collect();
        let (outcomes, stats) = match self.carrier.deliver_until(&parcels, cut_off.cancelled()).await {
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

    /// Where the far side named another address instead of one that is gone, the plugin is asked whether it is one. What
    /// it refuses is none; where it gives no answer, the delivery is tried again.
    async fn check_replacements(&self, tried: &mut [(Lease, Outcome)]) {
        // Before the leases end, however many there are.
        let by = tokio::time::Instant::now() + limits::QUESTION_DEADLINE;
        for (lease, outcome) in tried {
            let Outcome::AddressGone { replacement: replacement @ Some(_), reason } = outcome else { continue };
            let (delivery, asked) = (lease.delivery(), replacement.take().unwrap_or_default());
            let answer = self.carrier.check_address(&delivery.user, &asked);
            match tokio::time::timeout_at(by, answer).await {
                Ok(Ok(Ok(normal))) if normal != delivery.address => *replacement = Some(normal),
                Ok(Ok(Ok(_))) => tracing::warn!(channel = self.channel, "an address is to be replaced by itself"),
                Ok(Ok(Err(why))) => tracing::warn!(channel = self.channel, why, "a replacement of an address is none"),
                Ok(Err(_)) | Err(_) => {
                    let reason = format!("the address that replaces this one could not be checked: {reason}");
                    *outcome = Outcome::Retry { after: None, reason };
                }
            }
        }
    }

    fn parcel(&self, delivery: &Arc<Delivery>) -> DeliveryRequest {
        let settings =
            delivery.filter.as_ref().and_then(|filter| self.links.settings_link(&delivery.user, &self.channel, filter));
        let unsubscribe = self.links.unsubscribe_link(&delivery.user, &self.channel, &delivery.address);
        let summary = match &delivery.content {
            Content::Digest { events, .. } => {
                let references = Arc::clone(&self.knowledge.snapshot().references);
                digest::summary(&references.catalogue, &references.aliases, events, &delivery.user)
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

    /// How the plugin crashed, if it did.
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
