//! From frames to committed deliveries: parse, verify, compute facts, match, hand to the store, wake the dispatchers. A
//! message counts as accepted once its commit has returned; until then it is in the buffer or in flight here. Intake
//! never calls a plugin and never waits for one.

use std::collections::BTreeSet;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt as _;
use futures::stream::FuturesUnordered;
use sha2::{Digest as _, Sha256};
use tidings_bus::Received;
use tidings_domain::delivery::{Acceptance, Accepted};
use tidings_domain::facts::Event;
use tidings_domain::limits;
use tidings_domain::message::{Envelope, Refusal};
use tidings_store::{Store, StoreError};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::changes::changed_user;
use crate::clock;
use crate::dispatch::Wakers;
use crate::knowledge::Knowledge;
use crate::telemetry::{Metrics, chain};
use crate::verify::Policy;

/// How long intake pauses when the store is unavailable, before it tries the same commit again.
const STORE_PAUSE: Duration = Duration::from_millis(500);

/// The stage between the bus and the outbox.
#[derive(Clone)]
pub struct Intake {
    pub knowledge: Arc<Knowledge>,
    pub store: Arc<dyn Store>,
    pub policy: Policy,
    pub wakers: Arc<Wakers>,
    pub metrics: Arc<Metrics>,
}

/// What was made of one message.
struct Examined {
    accepted: Accepted,
    /// Whose rules the message says have changed.
    changed_user: Option<String>,
}

impl Examined {
    /// Whether rules are other ones after it: a one-shot filter matched, or somebody edited his.
    fn changes_rules(&self) -> bool {
        self.changed_user.is_some() || self.accepted.recipients.iter().any(|recipient| recipient.oneshot)
    }
}

impl Intake {
    /// Works until the sources are gone and the buffer is empty, or until `stop`; then finishes the commits under way.
    pub async fn run(self, mut queue: mpsc::Receiver<Received>, stop: CancellationToken) {
        let mut commits = FuturesUnordered::new();
        loop {
            tokio::select! {
                // Commits first: a full set of them stops the reading.
                biased;
                Some(()) = commits.next() => {}
                () = stop.cancelled() => break,
                received = queue.recv(), if commits.len() < 2 * limits::INTAKE_BATCH => {
                    let Some(received) = received else { break };
                    let Some(examined) = self.examine_safely(&received) else { continue };
                    let changes_rules = examined.changes_rules();
                    let commit = self.accept(received, examined, &stop);
                    if changes_rules {
                        // What it changes holds for the next message.
                        commit.await;
                    } else {
                        commits.push(commit);
                    }
                }
            }
        }
        while commits.next().await.is_some() {}
    }

    /// Poison is caught here: whatever a message breaks, the next one is looked at.
    fn examine_safely(&self, received: &Received) -> Option<Examined> {
        self.metrics.received.inc();
        let endpoint = received.origin.endpoint.name();
        match std::panic::catch_unwind(AssertUnwindSafe(|| self.examine(received))) {
            Ok(Ok(examined)) => Some(examined),
            Ok(Err(refusal)) => {
                self.metrics.refuse(refusal);
                tracing::debug!(endpoint, reason = refusal.as_str(), "message refused");
                None
            }
            Err(_) => {
                self.metrics.poison.inc();
                let body: String = String::from_utf8_lossy(&received.frame.body).escape_debug().take(2000).collect();
                tracing::error!(endpoint, body, "a message broke the code; it is left out");
                None
            }
        }
    }

    /// Everything that needs no waiting.
    fn examine(&self, received: &Received) -> Result<Examined, Refusal> {
        let envelope = Envelope::read(&received.frame)?;
        received.origin.endpoint.observe(received.origin.connection, &envelope);
        let verified = self.policy.verify(envelope, received.at)?;
        let envelope = verified.envelope();
        let snapshot = self.knowledge.snapshot();
        let references = &snapshot.references;
        let event = Event::new(&references.catalogue, &references.aliases, envelope);
        let recipients = snapshot.matches(&event);
        let stored = (!recipients.is_empty()).then(|| Arc::new(event.stored(received.at)));
        Ok(Examined {
            accepted: Accepted {
                id: envelope.id().clone(),
                topic: envelope.topic().to_owned(),
                digest: Sha256::digest(&received.frame.body).into(),
                event: stored,
                recipients,
            },
            changed_user: changed_user(envelope).map(str::to_owned),
        })
    }

    /// Commits, however long the store takes to be available again, and tells whoever must know. The message keeps its
    /// place in the buffer until then.
    async fn accept(&self, _received: Received, examined: Examined, stop: &CancellationToken) {
        let Examined { accepted, changed_user } = examined;
        let channels: BTreeSet<String> = accepted.recipients.iter().map(|r| r.channel.clone()).collect();
        let fired: BTreeSet<String> =
            accepted.recipients.iter().filter(|r| r.oneshot).map(|r| r.user.clone()).collect();
        let id = accepted.id.clone();
        let Some(acceptance) = self.commit(accepted, stop).await else { return };
        match acceptance {
            Acceptance::New { deliveries: 0 } => _ = self.metrics.unmatched.inc(),
            Acceptance::New { deliveries } => {
                self.metrics.matched.inc();
                self.metrics.deliveries.inc_by(deliveries as u64);
                for channel in &channels {
                    self.wakers.wake(channel);
                }
            }
            Acceptance::Duplicate => _ = self.metrics.duplicate.inc(),
            Acceptance::Conflict => {
                self.metrics.conflict.inc();
                tracing::warn!(message = %id, "another message with the same id came before; the first one stands");
            }
        }
        for user in fired.iter().chain(&changed_user) {
            if let Err(error) = self.knowledge.reload_user(user).await {
                tracing::error!(user, error = %error, "a user's rules could not be read again; the old ones stay in force");
            }
        }
    }

    /// None if the daemon stops while the store is unavailable: the message was never accepted.
    async fn commit(&self, accepted: Accepted, stop: &CancellationToken) -> Option<Acceptance> {
        let mut reported = false;
        loop {
            match self.store.accept(accepted.clone(), clock::now()).await {
                Ok(acceptance) => return Some(acceptance),
                Err(StoreError::Unavailable { .. }) if stop.is_cancelled() => return None,
                Err(error @ StoreError::Unavailable { .. }) => {
                    self.metrics.store_retries.inc();
                    if !std::mem::replace(&mut reported, true) {
                        tracing::error!(error = %chain(&error), "intake waits for the store");
                    }
                    tokio::select! {
                        () = tokio::time::sleep(STORE_PAUSE) => {}
                        () = stop.cancelled() => {}
                    }
                }
                Err(error) => {
                    self.metrics.poison.inc();
                    tracing::error!(message = %accepted.id, error = %chain(&error), "a message cannot be stored; it is left out");
                    return None;
                }
            }
        }
    }
}
