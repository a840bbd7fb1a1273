//! What a message is about, and how it reads: facts for matching, text for people. An `Event` is a message with both; its
//! text is rendered when somebody first asks for it, once for all recipients.

use std::cell::OnceCell;

use serde::{Deserialize, Serialize};

use crate::aliases::Aliases;
use crate::catalogue::source::MessageView;
use crate::catalogue::{Catalogue, EntryId};
use crate::delivery::StoredEvent;
use crate::message::Envelope;
use crate::time::Timestamp;

/// How much a message matters, as fedora-messaging numbers it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    Debug,
    Info,
    Warning,
    Error,
}

impl Severity {
    /// The severity for fedora-messaging's number: 10 debug, 20 info, 30 warning, 40 error.
    pub const fn from_number(number: u64) -> Option<Severity> {
        match number {
            10 => Some(Severity::Debug),
            20 => Some(Severity::Info),
            30 => Some(Severity::Warning),
            40 => Some(Severity::Error),
            _ => None,
        }
    }
}

/// What matching needs to know of a message. Lists are sorted, without duplicates, and bounded by `limits::FACT_ITEMS`;
/// whatever a message does not say, or says in a shape nobody expects, is empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// The name of the application in the catalogue; none where no application claims the topic.
    pub application: Option<String>,
    pub usernames: Vec<String>,
    pub packages: Vec<String>,
    pub containers: Vec<String>,
    pub modules: Vec<String>,
    pub flatpaks: Vec<String>,
    pub groups: Vec<String>,
    /// Who did it.
    pub agent: Option<String>,
    pub severity: Option<Severity>,
    /// The entry of the catalogue that gave these facts.
    pub(crate) entry: Option<EntryId>,
}

/// A message as people read it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Text {
    /// What kind of message it is; for most, the topic without prefix and environment.
    pub title: String,
    /// One line that says what happened; the title where there is none.
    pub subtitle: String,
    /// More of it; the subtitle where there is none.
    pub long_form: Option<String>,
    pub link: Option<String>,
    pub icon: Option<String>,
    pub secondary_icon: Option<String>,
    /// Paths of the things it is about, sorted.
    pub objects: Vec<String>,
    /// What it belongs to (a package, an update, a ticket), so that mail clients can thread.
    pub thread: Option<String>,
    /// Templates that failed on this message, and how. Each left its fallback.
    pub problems: Vec<String>,
}

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

    /// The message as it is kept for its deliveries. `received_at` stands in where the publisher gave no time.
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
