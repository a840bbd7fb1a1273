//! From one message to its recipients, without waiting for anything: envelope, facts, matches. A panic is caught here, so that
//! a message that provokes one costs only itself. It writes nothing.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Instant;

use sha2::{Digest as _, Sha256};
use tidings_acl::View;
use tidings_bus::Received;
use tidings_domain::delivery::{NewMessage, Recipient};
use tidings_domain::event::Event;
use tidings_domain::message::{Envelope, Refusal};
use tidings_domain::ruleset::Matcher;

use super::Intake;
use crate::access_lists::{self, RequiredLists};
use crate::changes::changed_user;
use crate::matching_state::Snapshot;
use crate::verify::Admissible;

/// Examines one message after the other.
pub(super) struct Examiner<'a> {
    intake: &'a Intake,
    matcher: Matcher,
}

/// A message that was matched.
pub(super) struct Examined {
    pub(super) accepted: NewMessage,
    /// The user whose rules have changed according to the message.
    pub(super) changed_user: Option<String>,
}

impl Examined {
    /// Whether it changes rules: a one-shot filter matched, or a user edited filters.
    pub(super) fn changes_rules(&self) -> bool {
        self.changed_user.is_some() || self.accepted.fires()
    }
}

/// How far a message got without waiting.
pub(super) enum Progress {
    Examined(Box<Examined>),
    /// Its access lists are not all in memory, or an earlier message about the same package waits for one.
    Waits(Admissible, RequiredLists),
}

impl<'a> Examiner<'a> {
    pub(super) fn new(intake: &'a Intake) -> Examiner<'a> {
        Examiner { intake, matcher: Matcher::new() }
    }

    /// Returns none for a message that is refused, which is counted. `is_behind`: whether a message about these packages has
    /// to stay behind another.
    pub(super) fn examine(&mut self, received: &Received, is_behind: impl Fn(&[String]) -> bool) -> Option<Progress> {
        self.intake.metrics.received.inc();
        let examined = self.guarded(received, |examiner| examiner.inspect(received, is_behind))?;
        let refused = |refusal: &Refusal| {
            self.intake.metrics.refuse(*refusal);
            let endpoint = received.origin.endpoint.name();
            tracing::debug!(endpoint, reason = refusal.as_str(), "message refused");
        };
        examined.inspect_err(refused).ok()
    }

    /// Examines a message that waited, with the lists that came.
    pub(super) fn resume(&mut self, received: &Received, verified: &Admissible, view: &View) -> Option<Examined> {
        let envelope = verified.envelope();
        if !view.missing().is_empty() {
            self.intake.metrics.without_lists.inc();
            access_lists::report(view.missing(), envelope.id().as_str());
        }
        self.guarded(received, |examiner| {
            let snapshot = examiner.intake.matching.snapshot();
            let data = &snapshot.static_data;
            let event = Event::new(&data.catalogue, &data.aliases, envelope);
            examiner.matched(&snapshot, &event, view, received)
        })
    }

    /// Returns none where the work panicked.
    fn guarded<T>(&mut self, received: &Received, work: impl FnOnce(&mut Self) -> T) -> Option<T> {
        let done = catch_unwind(AssertUnwindSafe(|| work(self)));
        let report = |_: &_| {
            self.intake.metrics.poison.inc();
            let body: String = String::from_utf8_lossy(&received.frame.body).escape_debug().take(2000).collect();
            let endpoint = received.origin.endpoint.name();
            tracing::error!(endpoint, body, "a message provoked a panic; it is dropped");
        };
        done.inspect_err(report).ok()
    }

    fn inspect(&mut self, received: &Received, is_behind: impl Fn(&[String]) -> bool) -> Result<Progress, Refusal> {
        let Intake { matching, lists, policy, .. } = self.intake;
        let envelope = Envelope::read(&received.frame)?;
        received.origin.endpoint.observe(received.origin.connection, &envelope);
        let verified = policy.verify(envelope, received.at)?;
        lists.observe(verified.envelope());
        let snapshot = matching.snapshot();
        let data = &snapshot.static_data;
        let event = Event::new(&data.catalogue, &data.aliases, verified.envelope());
        let view = lists.ready(event.facts(), &snapshot.asked);
        match view.filter(|_| !is_behind(&event.facts().packages)) {
            Some(view) => Ok(Progress::Examined(Box::new(self.matched(&snapshot, &event, &view, received)))),
            None => {
                let needed = RequiredLists::new(event.facts(), &snapshot.asked);
                drop(event);
                Ok(Progress::Waits(verified, needed))
            }
        }
    }

    fn matched(&mut self, snapshot: &Snapshot, event: &Event<'_>, acl: &View, received: &Received) -> Examined {
        let began = Instant::now();
        let matches = self.matcher.run(&snapshot.rules, event, acl);
        let recipients: Arc<[Recipient]> = matches.flat_map(|found| found.recipients()).collect();
        self.intake.metrics.match_seconds.observe(began.elapsed().as_secs_f64());
        let envelope = event.envelope();
        let accepted = NewMessage {
            id: envelope.id().clone(),
            topic: envelope.topic().to_owned(),
            digest: Sha256::digest(&received.frame.body).into(),
            event: (!recipients.is_empty()).then(|| Arc::new(event.stored(received.at))),
            recipients,
        };
        Examined { accepted, changed_user: changed_user(envelope).map(str::to_owned) }
    }
}
