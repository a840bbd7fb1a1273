//! One call of a channel's plugin with a batch of leases: what goes in, and which lease got which outcome.

use std::sync::Arc;
use std::time::Duration;

use tidings_domain::delivery::{Content, Delivery};
use tidings_domain::digest;
use tidings_domain::outcome::{CrashKind, Outcome};
use tidings_domain::window::CallResult;
use tidings_sandbox::{Links as ParcelLinks, Parcel, Plugin, Stats};
use tidings_store::Lease;
use tokio_util::sync::CancellationToken;

use crate::knowledge::Knowledge;
use crate::links::Links;

/// Sends deliveries through one channel's plugin.
pub struct Sender {
    channel: String,
    plugin: Plugin,
    links: Arc<Links>,
    knowledge: Arc<Knowledge>,
    deadline: Duration,
}

/// A call that ended.
pub struct Called {
    pub tried: Vec<(Lease, Outcome)>,
    /// Cut off before anything was known of them.
    pub untried: Vec<Lease>,
    pub took: Duration,
    /// What it used; none where it was cut off.
    pub stats: Option<Stats>,
}

impl Sender {
    /// `deadline` is the plugin's limit for one call; the catalogue in `knowledge` folds digests.
    pub fn new(
        channel: String,
        plugin: Plugin,
        links: Arc<Links>,
        knowledge: Arc<Knowledge>,
        deadline: Duration,
    ) -> Sender {
        Sender { channel, plugin, links, knowledge, deadline }
    }

    /// How long one call may take.
    pub fn deadline(&self) -> Duration {
        self.deadline
    }

    /// Sends one delivery outside the outbox: a test.
    pub async fn send(&self, delivery: &Delivery) -> Option<Outcome> {
        self.plugin.deliver(&[self.parcel(delivery)]).await.outcomes.pop()
    }

    /// Calls the plugin with a batch. When `cut_off` fires, the call is dropped with its connections; what the plugin had
    /// settled until then counts.
    pub(super) async fn call(self: Arc<Self>, batch: Vec<Lease>, cut_off: CancellationToken) -> Called {
        let began = std::time::Instant::now();
        let parcels: Vec<Parcel<'_>> = batch.iter().map(|lease| self.parcel(lease.delivery())).collect();
        let (outcomes, stats) = match self.plugin.deliver_until(&parcels, cut_off.cancelled()).await {
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
        Called { tried, untried, took, stats }
    }

    fn parcel<'a>(&self, delivery: &'a Delivery) -> Parcel<'a> {
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
        Parcel { delivery, links: ParcelLinks { settings, unsubscribe }, summary }
    }
}

impl Called {
    /// What the call says about its channel: trouble weighs more than a crash, a crash more than success.
    pub fn result(&self) -> CallResult {
        let mut result = CallResult::Fine;
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
