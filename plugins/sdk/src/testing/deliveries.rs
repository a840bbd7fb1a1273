//! Minimal deliveries. A test changes the fields that it is about.

use super::NOW_MS;
use crate::{Confirmation, Content, Delivery, Digest, Event, Recipient};

/// An event with these texts, published at [`NOW_MS`].
pub fn event(subtitle: &str, long_form: &str) -> Event {
    Event {
        id: "2026-a1".into(),
        topic: "org.example.prod.a.b".into(),
        application: "a".into(),
        timestamp_ms: NOW_MS,
        title: "a.b".into(),
        subtitle: subtitle.into(),
        long_form: long_form.into(),
        link: None,
        icon: None,
        secondary_icon: None,
        agent: None,
        usernames: Vec::new(),
        packages: Vec::new(),
        objects: Vec::new(),
        thread: None,
        body: "{}".into(),
        extra: Vec::new(),
    }
}

/// A digest of these events, with a summary line for each.
pub fn digest(events: Vec<Event>) -> Content {
    let summary = events.iter().map(|event| event.subtitle.clone()).collect();
    Content::Digest(Digest { events, summary, omitted: 0 })
}

/// A request to confirm the address; its code is `K7QX`.
pub fn confirmation() -> Content {
    Content::Confirmation(Confirmation {
        code: "K7QX".into(),
        accept_link: "https://t.example/yes".into(),
        reject_link: "https://t.example/no".into(),
        expires_ms: NOW_MS,
    })
}

/// The first attempt to deliver this content to ralph at an address, without optional fields.
pub fn delivery(address: &str, content: Content) -> Delivery {
    let recipient = Recipient {
        user: "ralph".into(),
        address: address.into(),
        filter_name: None,
        settings_link: None,
        unsubscribe_link: None,
        markup: false,
        triggered_by: false,
        verbose: false,
        extra: Vec::new(),
    };
    let id = "0123456789abcdef0123456789abcdef".to_owned();
    Delivery { id, attempt: 1, accepted_ms: NOW_MS, recipient, content, extra: Vec::new() }
}
