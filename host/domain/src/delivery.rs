//! Deliveries: one message (or digest) for one destination. Identity, states, and the types that carry a delivery from
//! intake to its outcome. `outcome` decides which state follows; the store decides who holds a delivery.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::message::MessageId;
use crate::subscription::{DigestOptions, Style};
use crate::time::Timestamp;

/// 32 lower-case hexadecimal characters, derived from message, channel and address: the same delivery has the same id
/// in every attempt, after every restart, and after a database was lost.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(transparent)]
pub struct DeliveryId(String);

impl DeliveryId {
    /// The id of the delivery of `message` to `address` on `channel`.
    pub fn derive(message: &MessageId, channel: &str, address: &str) -> DeliveryId {
        Self::digest(&["delivery", message.as_str(), channel, address])
    }

    /// The id of a digest: that of its earliest delivery, marked.
    pub fn digest_of(first: &DeliveryId) -> DeliveryId {
        Self::digest(&["digest", first.as_str()])
    }

    /// Reads an id back, from the store or from an administrator.
    pub fn parse(text: &str) -> Option<DeliveryId> {
        let valid = text.len() == 32 && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
        valid.then(|| DeliveryId(text.to_owned()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn digest(parts: &[&str]) -> DeliveryId {
        use sha2::Digest as _;
        let mut hash = sha2::Sha256::new();
        for part in parts {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        }
        DeliveryId(hex::encode(&hash.finalize()[..16]))
    }
}

impl fmt::Display for DeliveryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The state of a delivery. `accepted = delivered + dead + cancelled + pending`, always; a leased one is pending.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum DeliveryState {
    /// Not sent yet: due now or later, or held with its channel.
    Pending,
    /// The remote server accepted it.
    Delivered,
    /// Given up, with a reason; an administrator may retry it.
    Dead,
    /// No longer wanted: the subscription or the address was removed before it was sent.
    Cancelled,
}

impl DeliveryState {
    pub const ALL: [DeliveryState; 4] =
        [DeliveryState::Pending, DeliveryState::Delivered, DeliveryState::Dead, DeliveryState::Cancelled];

    pub const fn as_str(self) -> &'static str {
        match self {
            DeliveryState::Pending => "pending",
            DeliveryState::Delivered => "delivered",
            DeliveryState::Dead => "dead",
            DeliveryState::Cancelled => "cancelled",
        }
    }

    pub fn parse(word: &str) -> Option<DeliveryState> {
        DeliveryState::ALL.into_iter().find(|state| state.as_str() == word)
    }
}

/// A recipient of a message, found by matching: one for each address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recipient {
    pub user: String,
    pub channel: String,
    pub address: String,
    /// The first filter that matched.
    pub filter: String,
    /// This match deactivates the filter.
    pub oneshot: bool,
    pub style: Style,
    pub digest: Option<DigestOptions>,
}

/// A message as it is kept for its deliveries and shown to plugins: everything rendered, once, for all recipients.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StoredEvent {
    pub id: MessageId,
    pub topic: String,
    pub timestamp: Timestamp,
    pub application: Option<String>,
    pub title: String,
    pub subtitle: String,
    pub long_form: String,
    pub link: Option<String>,
    pub icon: Option<String>,
    pub secondary_icon: Option<String>,
    pub agent: Option<String>,
    pub usernames: Vec<String>,
    pub packages: Vec<String>,
    pub objects: Vec<String>,
    pub thread: Option<String>,
    /// The payload as JSON text.
    pub body: String,
}

/// A message with all its recipients, for the store to accept in one transaction. Without recipients the store keeps
/// only the fact that it saw the message.
#[derive(Clone, Debug)]
pub struct NewMessage {
    pub id: MessageId,
    pub topic: String,
    /// SHA-256 of the body: a second message with the same id and another body is suspicious.
    pub digest: [u8; 32],
    /// None without recipients.
    pub event: Option<Arc<StoredEvent>>,
    /// Shared, since a commit may have to be tried again.
    pub recipients: Arc<[Recipient]>,
}

impl NewMessage {
    /// Whether a one-shot filter is among those that matched.
    pub fn fires(&self) -> bool {
        self.recipients.iter().any(|recipient| recipient.oneshot)
    }
}

/// The store's answer to a new message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Acceptance {
    /// Committed, with so many new deliveries.
    New { deliveries: usize },
    /// Seen before; nothing was written.
    Duplicate,
    /// Seen before with another content; the first one is kept.
    Conflict,
}

/// One thing for a plugin to send, claimed by one worker until its lease ends. Only the store makes leases.
#[derive(Clone, Debug)]
pub struct Delivery {
    pub id: DeliveryId,
    /// 1 for the first.
    pub attempt: u32,
    pub accepted_at: Timestamp,
    pub user: String,
    pub address: String,
    pub filter: Option<String>,
    pub style: Style,
    pub content: Content,
}

/// What is in a delivery.
#[derive(Clone, Debug)]
pub enum Content {
    Single(Arc<StoredEvent>),
    /// Oldest first.
    Digest {
        events: Vec<Arc<StoredEvent>>,
        omitted: u32,
    },
    Confirmation(Confirmation),
}

/// A question to the owner of an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Confirmation {
    pub code: String,
    pub accept_link: String,
    pub reject_link: String,
    pub expires_at: Timestamp,
}
