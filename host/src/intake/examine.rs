//! Looks at one message: parse, verify, compute facts, match. It waits for nothing: a message whose access lists are not here
//! is handed back, to be matched when they are.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Instant;

use sha2::{Digest as _, Sha256};
use tidings_acl::View;
use tidings_bus::Received;
use tidings_domain::delivery::{Accepted, Recipient};
use tidings_domain::facts::Event;
use tidings_domain::message::{Envelope, Refusal};
use tidings_domain::ruleset::Matcher;

use super::Intake;
use super::waiting::Waiting;
use crate::changes::changed_user;
use crate::knowledge::Snapshot;
use crate::lists::{self, Needed};
use crate::verify::Verified;

/// A message on its way through here.
pub(super) struct Read {
    pub received: Received,
    pub verified: Verified,
}

/// What was made of one message.
pub(super) struct Examined {
    pub accepted: Accepted,
    /// Whose rules the message says have changed.
    pub changed_user: Option<String>,
}

impl Examined {
    /// Whether rules are other ones after it: a one-shot filter matched, or somebody edited his.
    pub(super) fn changes_rules(&self) -> bool {
        self.changed_user.is_some() || self.fires()
    }

    pub(super) fn fires(&self) -> bool {
        self.accepted.recipients.iter().any(|recipient| recipient.oneshot)
    }
}

/// How far a message came without waiting.
pub(super) enum Progress {
    Examined(Box<Examined>),
    /// Its access lists are not all here, or an earlier message about the same package waits for one.
    Waits(Verified, Needed),
}

impl Intake {
    /// Poison is caught here: whatever a message breaks, the next one is looked at.
    pub(super) fn examine_safely(
        &self,
        received: &Received,
        waiting: &Waiting<Read, View>,
        matcher: &mut Matcher,
    ) -> Option<Progress> {
        self.metrics.received.inc();
        let endpoint = received.origin.endpoint.name();
        match std::panic::catch_unwind(AssertUnwindSafe(|| self.examine(received, waiting, matcher))) {
            Ok(Ok(progress)) => Some(progress),
            Ok(Err(refusal)) => {
                self.metrics.refuse(refusal);
                tracing::debug!(endpoint, reason = refusal.as_str(), "message refused");
                None
            }
            Err(_) => {
                self.poison(endpoint, &received.frame.body);
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
        received: &Received,
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
            Some(view) => Ok(Progress::Examined(Box::new(self.matched(&snapshot, &event, &view, received, matcher)))),
            None => {
                let needed = Needed::new(event.facts(), &snapshot.asked);
                drop(event);
                Ok(Progress::Waits(verified, needed))
            }
        }
    }

    /// A message that waited, with the lists that came.
    pub(super) fn examine_late(&self, read: Read, view: &View, matcher: &mut Matcher) -> Option<(Received, Examined)> {
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
            self.matched(&snapshot, &event, view, &received, matcher)
        };
        let examined = std::panic::catch_unwind(AssertUnwindSafe(late));
        let examined = examined.inspect_err(|_| self.poison(received.origin.endpoint.name(), &received.frame.body));
        Some((received, examined.ok()?))
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
}
