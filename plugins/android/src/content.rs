//! What a delivery says to an app: a flat map of texts, the same for FCM and for UnifiedPush, and how it is made to fit:
//! the icon goes first, then the end of the text, and only then a link that still leaves no space. A link longer than
//! `LINK_OCTETS` is never sent, nor one longer than `SHORT_LINK_OCTETS` to a server that takes less.

use serde_json::{Map, Value};
use tidings_plugin::brief::{Brief, web_link};
use tidings_plugin::text::{cut, prefix};
use tidings_plugin::{Content, Delivery};

/// Of a message in all, in octets: what FCM takes, and what every push server has to take (RFC 8030, 7.2).
pub const MESSAGE_OCTETS: usize = 4096;
/// The same for a server that takes less.
pub const SHORT_OCTETS: usize = 1024;
/// Of a link, in octets; a longer one is left out.
const LINK_OCTETS: usize = 1024;
/// Of a name (topic, application, thread, filter), in octets.
const NAME_OCTETS: usize = 128;
/// Of a title, in octets.
const TITLE_OCTETS: usize = 256;
/// Links of a message that is short of space are left out from this length on, in octets.
const SHORT_LINK_OCTETS: usize = SHORT_OCTETS / 4;

/// How much of a delivery is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Space {
    /// Of the text, in octets.
    text: usize,
    /// Of a link, in octets.
    link: usize,
    /// Whether an icon is named.
    icon: bool,
}

/// A delivery in words.
pub struct Words {
    brief: Brief,
}

impl Words {
    pub fn of(delivery: &Delivery) -> Words {
        Words { brief: Brief::of(delivery) }
    }

    /// One line.
    pub fn title(&self) -> String {
        cut(&self.brief.title, TITLE_OCTETS)
    }

    /// What the title does not say; where it says all, empty.
    pub fn text(&self, space: Space) -> String {
        cut(&self.brief.text, space.text)
    }

    /// What an app needs to know beside title and text: each key is there only where it has a value.
    pub fn facts(&self, delivery: &Delivery, space: Space) -> Map<String, Value> {
        let link = |link: Option<&str>| web_link(link).filter(|link| link.len() <= space.link).unwrap_or_default();
        let name = |name: &str| prefix(name, NAME_OCTETS).to_owned();
        let mut facts = vec![("id", delivery.id.clone()), ("link", link(self.brief.link.as_deref()))];
        match &delivery.content {
            Content::Single(event) => facts.extend([
                ("kind", "single".to_owned()),
                ("topic", name(&event.topic)),
                ("application", name(&event.application)),
                ("thread", name(event.thread.as_deref().unwrap_or_default())),
                ("time", event.timestamp_ms.to_string()),
                ("icon", link(event.icon.as_deref().filter(|_| space.icon && delivery.recipient.markup))),
            ]),
            Content::Digest(digest) => facts.extend([
                ("kind", "digest".to_owned()),
                ("count", (digest.events.len() + digest.omitted as usize).to_string()),
            ]),
            Content::Confirmation(asked) => facts.extend([
                ("kind", "confirmation".to_owned()),
                ("code", name(&asked.code)),
                ("accept", link(Some(&asked.accept_link))),
                ("reject", link(Some(&asked.reject_link))),
            ]),
        }
        let said = facts.into_iter().filter(|(_, value)| !value.is_empty());
        said.map(|(key, value)| (key.to_owned(), Value::String(value))).collect()
    }

    /// What `write` makes of the most space with which it has at most so many octets.
    pub fn fitted(&self, octets: usize, write: impl Fn(Space) -> Value) -> Vec<u8> {
        let link = if octets > SHORT_OCTETS { LINK_OCTETS } else { SHORT_LINK_OCTETS };
        let all = Space { text: self.brief.text.len().min(octets), link, icon: true };
        let mut space = all;
        loop {
            let json = write(space).to_string().into_bytes();
            let surplus = json.len().saturating_sub(octets);
            space = match (surplus, space) {
                (0, _) | (_, Space { text: 0, link: 0, icon: false }) => return json,
                (_, Space { icon: true, .. }) => Space { icon: false, ..space },
                // An octet of text takes six in JSON at most, so this does not cut more than is needed by much.
                (_, Space { text: 1.., .. }) => Space { text: space.text.saturating_sub(surplus.div_ceil(6)), ..space },
                // Links of the greatest length, and several of them; without some of them the text may fit again.
                _ => Space { text: all.text, link: space.link / 2, icon: false },
            };
        }
    }
}
