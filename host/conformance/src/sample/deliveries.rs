//! Deliveries as the daemon makes them, from ordinary ones to the worst that a bus may carry.

use std::sync::Arc;

use tidings_domain::delivery::{Confirmation, Content, Delivery, DeliveryId, StoredEvent};
use tidings_domain::message::MessageId;
use tidings_domain::subscription::Style;
use tidings_domain::time::Timestamp;
use tidings_sandbox::{Batch, DeliveryLinks, DeliveryRequest};

/// Texts that break careless code, each with its description.
pub const UNUSUAL_TEXTS: [(&str, &str); 6] = [
    ("control characters", "bell \u{7} escape \u{1b}[31mred\u{1b}[0m delete \u{7f} \u{85}\u{2028}\u{2029}"),
    ("a changed reading direction", "gepj.\u{202e}cod.exe \u{2066}a\u{2069} \u{5d0}\u{5d1} \u{627}\u{644}"),
    ("emoji and combining characters", "👩‍👩‍👧‍👦 🏳️‍🌈 e\u{301}\u{301}\u{301} 𝒯𝒾𝒹𝒾𝓃𝑔𝓈 \u{200b}\u{feff}"),
    ("line breaks that start a header", "subject\r\nBcc: everybody@example.org\r\nX-Forged: 1\r\n\r\n.\r\nQUIT\r\n"),
    ("a NUL", "before\0after"),
    ("markup and templates", "<script>alert(1)</script> &amp; {title} %s %n ${x} `id` \" ' \\ %0d%0a"),
];

/// An event with this text as subtitle and long form.
pub fn event(id: &str, text: &str) -> StoredEvent {
    StoredEvent {
        id: MessageId::made(id),
        topic: "org.fedoraproject.prod.buildsys.build.state.change".to_owned(),
        timestamp: Timestamp::from_millis(1_795_521_600_000),
        application: Some("buildsys".to_owned()),
        title: "buildsys.build.state.change".to_owned(),
        subtitle: text.to_owned(),
        long_form: text.to_owned(),
        link: Some("https://koji.fedoraproject.org/koji/buildinfo?buildID=70121".to_owned()),
        icon: Some("https://apps.fedoraproject.org/img/icons/koji.png".to_owned()),
        secondary_icon: None,
        agent: Some("ralph".to_owned()),
        usernames: vec!["ralph".to_owned()],
        packages: vec!["quillpad".to_owned()],
        objects: vec!["quillpad/build/70121".to_owned()],
        thread: Some("quillpad".to_owned()),
        body: r#"{"name": "quillpad", "new": 1, "owner": "ralph"}"#.to_owned(),
    }
}

/// An ordinary event.
pub fn ordinary(id: &str) -> StoredEvent {
    let subtitle = "ralph's quillpad-0.9-1.fc22 completed";
    let long_form = "Package: quillpad-0.9-1.fc22\nStatus: complete\nBuilt by: ralph".to_owned();
    StoredEvent { long_form, ..event(id, subtitle) }
}

/// An event with this text in every field.
pub fn unusual(text: &str) -> StoredEvent {
    let some = || Some(text.to_owned());
    StoredEvent {
        topic: text.to_owned(),
        application: some(),
        title: text.to_owned(),
        link: some(),
        icon: some(),
        secondary_icon: some(),
        agent: some(),
        usernames: vec![text.to_owned()],
        packages: vec![text.to_owned()],
        objects: vec![text.to_owned()],
        thread: some(),
        body: text.to_owned(),
        ..event("unusual", text)
    }
}

/// An event of a mass rebuild: texts of 1 MiB and 10,000 packages.
pub fn huge() -> StoredEvent {
    let text = "a line of sixty-four characters, and all that comes after it \u{fc}\n".repeat(16 * 1024);
    StoredEvent {
        packages: (0..10_000).map(|number| format!("package-{number}")).collect(),
        body: format!(r#"{{"text": "{}"}}"#, "x".repeat(1024 * 1024)),
        long_form: text,
        ..ordinary("huge")
    }
}

/// A delivery of this content to an address, as the first attempt.
pub fn delivery(address: &str, id: &str, content: Content) -> Delivery {
    Delivery {
        id: DeliveryId::derive(&MessageId::made(id), "conformance", address),
        attempt: 1,
        accepted_at: Timestamp::from_millis(1_795_521_601_000),
        user: "ralph".to_owned(),
        address: address.to_owned(),
        filter: Some("my packages".to_owned()),
        style: Style { markup: true, triggered_by: true, verbose: true },
        content,
    }
}

/// One event for one address.
pub fn single(address: &str, event: StoredEvent) -> Delivery {
    delivery(address, event.id.as_str(), Content::Single(Arc::new(event.clone())))
}

/// A digest of this many events, with seven omitted ones.
pub fn digest(address: &str, events: usize) -> Delivery {
    let events = (0..events).map(|number| Arc::new(ordinary(&format!("digest-{number}")))).collect();
    delivery(address, "digest", Content::Digest { events, omitted: 7 })
}

/// The request to confirm an address.
pub fn confirmation(address: &str) -> Delivery {
    let question = Confirmation {
        code: "K7QXWM2P".to_owned(),
        accept_link: "https://notifications.example.org/confirm/K7QXWM2P/accept".to_owned(),
        reject_link: "https://notifications.example.org/confirm/K7QXWM2P/reject".to_owned(),
        expires_at: Timestamp::from_millis(1_795_608_000_000),
    };
    delivery(address, "confirmation", Content::Confirmation(question))
}

/// The deliveries as they are handed to a plugin, with links and summaries.
pub fn requests(deliveries: &[Delivery]) -> Batch {
    let links = || DeliveryLinks {
        settings: Some("https://notifications.example.org/filters/1".to_owned()),
        unsubscribe: Some("https://notifications.example.org/unsubscribe/1".to_owned()),
    };
    let summary = |content: &Content| match content {
        Content::Digest { events, .. } => vec![format!("ralph built quillpad {} times", events.len())],
        Content::Single(_) | Content::Confirmation(_) => Vec::new(),
    };
    let request = |delivery: &Delivery| DeliveryRequest {
        delivery: Arc::new(delivery.clone()),
        links: links(),
        summary: summary(&delivery.content),
    };
    deliveries.iter().map(request).collect()
}
