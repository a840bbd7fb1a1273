//! Short ways to make messages, recipients, subscriptions, channels and outcomes. Nothing here needs a store.

use std::collections::BTreeMap;
use std::sync::Arc;

use tidings_domain::delivery::{Content, NewMessage, Recipient};
use tidings_domain::grant::{Credential, CredentialKind, Grant, Grants};
use tidings_domain::limits::PluginLimits;
use tidings_domain::manifest::Capability;
use tidings_domain::message::MessageId;
use tidings_domain::outcome::Settlement;
use tidings_domain::plugin_life::ChannelVersions;
use tidings_domain::secret::Secret;
use tidings_domain::subscription::{DigestOptions, Filter, Rule, Style, Subscription};
use tidings_domain::testing::{recipient, stored_event};
use tidings_domain::time::Timestamp;
use tidings_store::{Channel, Lease};

pub fn at(millis: u64) -> Timestamp {
    Timestamp::from_millis(millis)
}

pub fn message_id(text: &str) -> MessageId {
    MessageId::made(text)
}

/// A message for these recipients; its content follows from its id.
pub fn message(id: &str, recipients: Vec<Recipient>) -> NewMessage {
    let event = stored_event(id);
    let mut digest = [0; 32];
    for (target, byte) in digest.iter_mut().zip(id.bytes()) {
        *target = byte;
    }
    NewMessage {
        id: message_id(id),
        topic: event.topic.clone(),
        digest,
        event: (!recipients.is_empty()).then(|| Arc::new(event)),
        recipients: recipients.into(),
    }
}

/// A user's address on the channel `email`.
pub fn to(user: &str) -> Recipient {
    recipient(user, "email")
}

/// The same, collected into digests.
pub fn in_digests(user: &str, interval_seconds: u64, count: Option<u32>) -> Recipient {
    Recipient { digest: Some(DigestOptions { interval_seconds, count }), ..to(user) }
}

pub fn filter(name: &str, oneshot: bool) -> Filter {
    let arguments = [("fasnick".to_owned(), "ralph".to_owned())].into();
    let rules = vec![Rule { rule: "user_filter".into(), arguments, negated: false }];
    Filter { name: name.into(), oneshot, active: true, rules }
}

/// A subscription for the channel `email` with these addresses and the filter `mine`.
pub fn subscription(user: &str, addresses: &[&str]) -> Subscription {
    Subscription {
        user: user.into(),
        channel: "email".into(),
        enabled: true,
        addresses: addresses.iter().map(|address| (*address).to_owned()).collect(),
        digest: None,
        style: Style::default(),
        filters: vec![filter("mine", false)],
    }
}

pub fn delivered() -> Settlement {
    Settlement::Delivered { receipt: Some("250 ok".into()) }
}

pub fn dead() -> Settlement {
    Settlement::Dead { reason: "550 no".into() }
}

pub fn again(not_before: u64) -> Settlement {
    Settlement::Again { not_before: at(not_before), reason: "450 later".into(), counts: true }
}

pub fn gone(replacement: Option<&str>) -> Settlement {
    Settlement::AddressGone { replacement: replacement.map(str::to_owned), reason: "moved".into() }
}

/// The ids of the messages in a lease, and how many more its digest has.
pub fn messages(lease: &Lease) -> (Vec<String>, u32) {
    match &lease.delivery().content {
        Content::Single(event) => (vec![event.id.to_string()], 0),
        Content::Digest { events, omitted } => (events.iter().map(|event| event.id.to_string()).collect(), *omitted),
        Content::Confirmation(_) => unreachable!("the store creates no confirmations"),
    }
}

pub fn users(leases: &[Lease]) -> Vec<&str> {
    leases.iter().map(|lease| lease.delivery().user.as_str()).collect()
}

/// An enabled channel with a secret, grants and a credential of each kind.
pub fn channel(name: &str) -> Channel {
    Channel {
        name: name.into(),
        component: "c".repeat(64),
        config: BTreeMap::from([("host".into(), "mx.example.org".into()), ("password".into(), "hunter2".into())]),
        former: BTreeMap::new(),
        grants: Grants {
            reach: vec![Grant {
                capability: Capability::Net,
                host: "mx.example.org".into(),
                port: 25,
                private: true,
                plain_http: false,
            }],
            credentials: [
                CredentialKind::Header { header: "authorization".into() },
                CredentialKind::GoogleServiceAccount,
                CredentialKind::ClientCertificate,
            ]
            .map(|kind| Credential {
                name: kind.as_str().into(),
                value: Secret::new(format!("hunter3 of {}", kind.as_str())),
                host: "fcm.example.org".into(),
                kind,
            })
            .into(),
        },
        limits: PluginLimits { deadline_ms: 7, ..PluginLimits::default() },
        enabled: true,
        life: ChannelVersions::default(),
    }
}
