//! The content of a message to an app: a flat map of texts, the same for FCM and UnifiedPush, fitted into a limit. The icon
//! is removed first, then the text is cut, and links are removed last. A link longer than `LINK_OCTETS` is never sent, nor
//! one longer than `SHORT_LINK_OCTETS` to a server with a smaller limit. This file must not know either protocol.

use serde_json::{Map, Value};
use tidings_plugin::brief::{Brief, web_link};
use tidings_plugin::text::{cut, prefix};
use tidings_plugin::{Content, Delivery};

/// The largest message, in octets: the limit of FCM, and what every push server must accept (RFC 8030, 7.2).
pub const MESSAGE_OCTETS: usize = 4096;
/// The largest message for a server with a smaller limit, in octets.
pub const SHORT_OCTETS: usize = 1024;
/// The longest link, in octets; a longer one is left out.
const LINK_OCTETS: usize = 1024;
/// The longest name (topic, application, thread, code), in octets; a longer one is cut.
const NAME_OCTETS: usize = 128;
/// The longest title, in octets; a longer one is cut.
const TITLE_OCTETS: usize = 256;
/// The longest link in a message of at most `SHORT_OCTETS`, in octets; a longer one is left out.
const SHORT_LINK_OCTETS: usize = SHORT_OCTETS / 4;

/// The limits of the parts of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ContentLimits {
    /// The longest text, in octets.
    text: usize,
    /// The longest link, in octets.
    link: usize,
    /// Whether the message has an icon.
    icon: bool,
}

/// The texts of a delivery.
pub struct MessageContent {
    brief: Brief,
}

impl MessageContent {
    pub fn new(delivery: &Delivery) -> MessageContent {
        MessageContent { brief: Brief::of(delivery) }
    }

    /// One line.
    pub fn title(&self) -> String {
        cut(&self.brief.title, TITLE_OCTETS)
    }

    /// The text below the title; may be empty.
    pub fn text(&self, limits: ContentLimits) -> String {
        cut(&self.brief.text, limits.text)
    }

    /// The fields beside title and text. Fields without a value are left out.
    pub fn fields(&self, delivery: &Delivery, limits: ContentLimits) -> Map<String, Value> {
        let link = |link: Option<&str>| web_link(link).filter(|link| link.len() <= limits.link).unwrap_or_default();
        let name = |name: &str| prefix(name, NAME_OCTETS).to_owned();
        let mut fields = vec![("id", delivery.id.clone()), ("link", link(self.brief.link.as_deref()))];
        match &delivery.content {
            Content::Single(event) => fields.extend([
                ("kind", "single".to_owned()),
                ("topic", name(&event.topic)),
                ("application", name(&event.application)),
                ("thread", name(event.thread.as_deref().unwrap_or_default())),
                ("time", event.timestamp_ms.to_string()),
                ("icon", link(event.icon.as_deref().filter(|_| limits.icon && delivery.recipient.markup))),
            ]),
            Content::Digest(digest) => fields.extend([
                ("kind", "digest".to_owned()),
                ("count", (digest.events.len() + digest.omitted as usize).to_string()),
            ]),
            Content::Confirmation(confirmation) => fields.extend([
                ("kind", "confirmation".to_owned()),
                ("code", name(&confirmation.code)),
                ("accept", link(Some(&confirmation.accept_link))),
                ("reject", link(Some(&confirmation.reject_link))),
            ]),
        }
        let present = fields.into_iter().filter(|(_, value)| !value.is_empty());
        present.map(|(key, value)| (key.to_owned(), Value::String(value))).collect()
    }

    /// Calls `write` with smaller and smaller limits, and returns its first result of at most `octets` octets.
    pub fn fit(&self, octets: usize, write: impl Fn(ContentLimits) -> Value) -> Vec<u8> {
        let link = if octets > SHORT_OCTETS { LINK_OCTETS } else { SHORT_LINK_OCTETS };
        let all = ContentLimits { text: self.brief.text.len().min(octets), link, icon: true };
        let mut limits = all;
        loop {
            let json = write(limits).to_string().into_bytes();
            let surplus = json.len().saturating_sub(octets);
            limits = match (surplus, limits) {
                (0, _) | (_, ContentLimits { text: 0, link: 0, icon: false }) => return json,
                (_, ContentLimits { icon: true, .. }) => ContentLimits { icon: false, ..limits },
                // JSON writes an octet of text as at most six, so each step cuts too little rather than too much.
                (_, ContentLimits { text: 1.., .. }) => {
                    ContentLimits { text: limits.text.saturating_sub(surplus.div_ceil(6)), ..limits }
                }
                // Several of the longest links do not fit. Without some of them the text may fit again.
                _ => ContentLimits { text: all.text, link: limits.link / 2, icon: false },
            };
        }
    }
}
