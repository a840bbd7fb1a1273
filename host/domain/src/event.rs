//! An event: a message with its facts. Its text is rendered on first use, once for all recipients.

use std::cell::OnceCell;

use crate::aliases::Aliases;
use crate::catalogue::Catalogue;
use crate::catalogue::source::MessageView;
use crate::delivery::StoredEvent;
use crate::facts::{Facts, Text};
use crate::message::Envelope;
use crate::time::Timestamp;

/// A message with its facts, and its text on demand.
#[derive(Debug)]
pub struct Event<'a> {
    catalogue: &'a Catalogue,
    aliases: &'a Aliases,
    envelope: &'a Envelope,
    facts: Facts,
    text: OnceCell<Text>,
}

impl<'a> Event<'a> {
    /// Extracts the facts of a message; cheap, and never fails.
    pub fn new(catalogue: &'a Catalogue, aliases: &'a Aliases, envelope: &'a Envelope) -> Event<'a> {
        let facts = catalogue.facts(envelope, aliases);
        Event { catalogue, aliases, envelope, facts, text: OnceCell::new() }
    }

    pub fn catalogue(&self) -> &'a Catalogue {
        self.catalogue
    }

    /// The message as sources and conditions see it.
    pub(crate) fn message(&self) -> MessageView<'a> {
        self.catalogue.message(self.envelope, self.aliases)
    }

    pub fn envelope(&self) -> &'a Envelope {
        self.envelope
    }

    pub fn facts(&self) -> &Facts {
        &self.facts
    }

    /// The text; rendered by the first call.
    pub fn text(&self) -> &Text {
        self.text.get_or_init(|| self.catalogue.text(self.envelope, &self.facts, self.aliases))
    }

    /// The message as it is kept for its deliveries. `received_at` is used if the publisher sent no time.
    pub fn stored(&self, received_at: Timestamp) -> StoredEvent {
        let text = self.text().clone();
        StoredEvent {
            id: self.envelope.id().clone(),
            topic: self.envelope.topic().to_owned(),
            timestamp: self.envelope.timestamp().unwrap_or(received_at),
            application: self.facts.application.clone(),
            title: text.title,
            long_form: text.long_form.unwrap_or_else(|| text.subtitle.clone()),
            subtitle: text.subtitle,
            link: text.link,
            icon: text.icon,
            secondary_icon: text.secondary_icon,
            agent: self.facts.agent.clone(),
            usernames: self.facts.usernames.clone(),
            packages: self.facts.packages.clone(),
            objects: text.objects,
            thread: text.thread,
            body: self.envelope.msg().to_string(),
        }
    }
}
