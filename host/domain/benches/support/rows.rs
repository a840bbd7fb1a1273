//! The input of matching: messages in the form of the bus, and subscriptions in the form of the store.

use tidings_domain::aliases::Aliases;
use tidings_domain::catalogue::Catalogue;
use tidings_domain::event::Event;
use tidings_domain::message::{Envelope, Frame};
use tidings_domain::subscription::borrowed::{FilterRef, SubscriptionRef};
use tidings_domain::subscription::{Filter, Style};

use crate::population::Named;
use crate::support::bodies;

/// Messages, and the users and packages that they name.
pub struct Messages {
    pub envelopes: Vec<Envelope>,
    pub named: Named,
    pub aliases: Aliases,
}

impl Messages {
    pub fn read(catalogue: &Catalogue) -> Messages {
        let aliases = Aliases::default();
        let envelopes: Vec<Envelope> = bodies().into_iter().map(envelope).collect();
        let mut named = Named::default();
        for envelope in &envelopes {
            let event = Event::new(catalogue, &aliases, envelope);
            named.users.extend(event.facts().usernames.iter().cloned());
            named.packages.extend(event.facts().packages.iter().cloned());
        }
        Messages { envelopes, named, aliases }
    }

    pub fn events<'m>(&'m self, catalogue: &'m Catalogue) -> Vec<Event<'m>> {
        self.envelopes.iter().map(|envelope| Event::new(catalogue, &self.aliases, envelope)).collect()
    }
}

fn envelope(body: Vec<u8>) -> Envelope {
    Envelope::read(&Frame { topic: None, body }).expect("a message")
}

/// A user's filters for a channel, as the store keeps them.
pub struct Row {
    channel: &'static str,
    pub addresses: Vec<String>,
    filters: String,
}

impl Row {
    pub fn new(user: &str, channel: &'static str, filters: &[Filter]) -> Row {
        let filters = serde_json::to_string(filters).expect("filters are JSON");
        Row { channel, addresses: vec![format!("{user}@example.org")], filters }
    }

    pub fn borrowed(&self) -> SubscriptionRef<'_> {
        SubscriptionRef {
            channel: self.channel,
            enabled: true,
            addresses: &self.addresses,
            digest: None,
            style: Style::default(),
            filters: FilterRef::read_all(&self.filters).expect("it was written here"),
        }
    }
}
