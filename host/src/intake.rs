//! From frames to committed deliveries: parse, verify, compute facts, match, hand to the store, wake the dispatchers. A
//! message counts as accepted once its commit has returned; until then it is in the buffer or in flight here. One that
//! needs an access list that is not at hand waits for it, and lets the others pass. Intake never calls a plugin and never
//! waits for one.

use std::collections::BTreeSet;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::StreamExt as _;
use futures::stream::FuturesUnordered;
use sha2::{Digest as _, Sha256};
use tidings_acl::View;
use tidings_bus::Received;
use tidings_domain::delivery::{Acceptance, Accepted, Recipient};
use tidings_domain::facts::Event;
use tidings_domain::limits;
use tidings_domain::message::{Envelope, Refusal};
use tidings_domain::ruleset::Matcher;
use tidings_store::{Store, StoreError};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::changes::changed_user;
use crate::clock;
use crate::dispatch::Wakers;
use crate::knowledge::{Knowledge, Snapshot};
use crate::lists::{self, Lists, Needed};
use crate::telemetry::{Metrics, chain};
use crate::verify::{Policy, Verified};
use crate::waiting::Waiting;

/// How long intake pauses when the store is unavailable, before it tries the same commit again.
const STORE_PAUSE: Duration = Duration::from_millis(500);

/// The stage between the bus and the outbox.
#[derive(Clone)]
pub struct Intake {
    pub knowledge: Arc<Knowledge>,
    pub lists: Arc<Lists>,
    pub store: Arc<dyn Store>,
    pub policy: Policy,
    pub wakers: Arc<Wakers>,
    pub metrics: Arc<Metrics>,
}

/// A message on its way through here.
struct Read {
    received: Received,
    verified: Verified,
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
        self.changed_user.is_some() || self.fires()
    }

    fn fires(&self) -> bool {
        self.accepted.recipients.iter().any(|recipient| recipient.oneshot)
    }
}

/// How far a message came without waiting.
enum Progress {
    Examined(Received, Box<Examined>),
    /// Its access lists are not all here, or an earlier message about the same package waits for one.
    Waits(Read, Needed),
}

impl Intake {
    /// Works until the sources are gone and the buffer is empty, or until `stop`; then finishes what is under way.
    pub async fn run(self, mut queue: mpsc::Receiver<Received>, stop: CancellationToken) {
        let (mut commits, mut views) = (FuturesUnordered::new(), FuturesUnordered::new());
        let mut waiting = Waiting::default();
        let (mut matcher, mut open) = (Matcher::new(), true);
        while open || !waiting.is_empty() {
            let room = commits.len() < limits::INTAKE_IN_FLIGHT && waiting.len() < limits::INTAKE_WAITING;
            tokio::select! {
                // Commits first: a full set of them stops the reading.
                biased;
                Some(()) = commits.next() => {}
                () = stop.cancelled() => break,
                Some((ticket, view)) = views.next() => {
                    waiting.arrive(ticket, view);
                    while let Some((read, view)) = waiting.pop() {
                        let Some(examined) = self.examine_late(&read, &view, &mut matcher) else { continue };
                        let changes_rules = examined.changes_rules();
                        let commit = self.accept(read.received, examined, &stop);
                        if changes_rules { commit.await } else { commits.push(commit) }
                    }
                }
                received = queue.recv(), if open && room => {
                    let Some(received) = received else {
                        open = false;
                        continue;
                    };
                    match self.examine_safely(received, &waiting, &mut matcher) {
                        None => {}
                        Some(Progress::Waits(read, needed)) if self.lists.are_local() => {
                            let view = self.lists.view(&needed).await;
                            let Some(examined) = self.examine_late(&read, &view, &mut matcher) else { continue };
                            let changes_rules = examined.changes_rules();
                            let commit = self.accept(read.received, examined, &stop);
                            if changes_rules { commit.await } else { commits.push(commit) }
                        }
                        Some(Progress::Waits(read, needed)) => {
                            self.metrics.waited.inc();
                            let ticket = waiting.push(needed.packages.clone(), read);
                            let lists = &self.lists;
                            views.push(async move { (ticket, lists.view(&needed).await) });
                        }
                        Some(Progress::Examined(received, examined)) => {
                            let changes_rules = examined.changes_rules();
                            let commit = self.accept(received, *examined, &stop);
                            // What it changes holds for the next message.
                            if changes_rules { commit.await } else { commits.push(commit) }
                        }
                    }
                }
            }
        }
        while commits.next().await.is_some() {}
    }

    /// Poison is caught here: whatever a message breaks, the next one is looked at.
    fn examine_safely(
        &self,
        received: Received,
        waiting: &Waiting<Read, View>,
        matcher: &mut Matcher,
    ) -> Option<Progress> {
        self.metrics.received.inc();
        let (endpoint, body) = (Arc::clone(&received.origin.endpoint), received.frame.body.clone());
        match std::panic::catch_unwind(AssertUnwindSafe(|| self.examine(received, waiting, matcher))) {
            Ok(Ok(progress)) => Some(progress),
            Ok(Err(refusal)) => {
                self.metrics.refuse(refusal);
                tracing::debug!(endpoint = endpoint.name(), reason = refusal.as_str(), "message refused");
                None
            }
            Err(_) => {
                self.poison(endpoint.name(), &body);
                None
            }
        }
    }

    fn poison(&self, endpoint: &str, body: &[u8]) {
        self.metrics.poison.inc();
        let body: String = String::from_utf8_lossy(body).escape_debug().take(2000).collect();
        tracing::error!(endpoint, body, "a message broke the code; it is left out");
    }

    /// Everything that needs no waiting.
    fn examine(
        &self,
        received: Received,
        waiting: &Waiting<Read, View>,
        matcher: &mut Matcher,
    ) -> Result<Progress, Refusal> {
        let envelope = Envelope::read(&received.frame)?;
        received.origin.endpoint.observe(received.origin.connection, &envelope);
        let verified = self.policy.verify(envelope, received.at)?;
        let envelope = verified.envelope();
        self.lists.observe(envelope);
        let snapshot = self.knowledge.snapshot();
        let references = &snapshot.references;
        let event = Event::new(&references.catalogue, &references.aliases, envelope);
        let view = self.lists.ready(event.facts(), &snapshot.asked);
        match view.filter(|_| !waiting.is_ahead_of(&event.facts().packages)) {
            Some(view) => {
                let examined = self.matched(&snapshot, &event, &view, &received, matcher);
                Ok(Progress::Examined(received, Box::new(examined)))
            }
            None => {
                let needed = Needed::new(event.facts(), &snapshot.asked);
                drop(event);
                Ok(Progress::Waits(Read { received, verified }, needed))
            }
        }
    }

    /// A message that waited, with the lists that came.
    fn examine_late(&self, read: &Read, view: &View, matcher: &mut Matcher) -> Option<Examined> {
        let Read { received, verified } = read;
        let envelope = verified.envelope();
        if !view.missing().is_empty() {
            self.metrics.without_lists.inc();
            lists::report(view.missing(), envelope.id().as_str());
        }
        let late = || {
            let snapshot = self.knowledge.snapshot();
            let references = &snapshot.references;
            let event = Event::new(&references.catalogue, &references.aliases, envelope);
            self.matched(&snapshot, &event, view, received, matcher)
        };
        let examined = std::panic::catch_unwind(AssertUnwindSafe(late));
        examined.inspect_err(|_| self.poison(received.origin.endpoint.name(), &received.frame.body)).ok()
    }

    fn matched(
        &self,
        snapshot: &Snapshot,
        event: &Event<'_>,
        acl: &View,
        received: &Received,
        matcher: &mut Matcher,
    ) -> Examined {
        let began = Instant::now();
        let recipients: Vec<Recipient> =
            matcher.run(&snapshot.rules, event, acl).flat_map(|m| m.recipients()).collect();
        self.metrics.match_seconds.observe(began.elapsed().as_secs_f64());
        let envelope = event.envelope();
        let stored = (!recipients.is_empty()).then(|| Arc::new(event.stored(received.at)));
        Examined {
            accepted: Accepted {
                id: envelope.id().clone(),
                topic: envelope.topic().to_owned(),
                digest: Sha256::digest(&received.frame.body).into(),
                event: stored,
                recipients,
            },
            changed_user: changed_user(envelope).map(str::to_owned),
        }
    }

    /// Commits, however long the store takes to be available again, and tells whoever must know. The message keeps its
    /// place in the buffer until then.
    async fn accept(&self, _received: Received, examined: Examined, stop: &CancellationToken) {
        let fires = examined.fires();
        let Examined { accepted, changed_user } = examined;
        let channels: BTreeSet<String> = accepted.recipients.iter().map(|r| r.channel.clone()).collect();
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
        if fires {
            self.in_force(self.knowledge.catch_up().await);
        }
        if let Some(user) = changed_user {
            self.in_force(self.knowledge.reload_user(&user).await);
        }
    }

    fn in_force(&self, read: Result<(), StoreError>) {
        if let Err(error) = read {
            tracing::error!(error = %chain(&error), "changed rules could not be read; the old ones stay in force for now");
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
