//! An entry of the stream: what a page, or a front end of somebody's own, needs to show a notification. Text is plain and for
//! the reader to escape.

use serde_json::{Value, json};
use tidings_plugin::brief::{Brief, web_link};
use tidings_plugin::text::cut;
use tidings_plugin::{Content, Delivery};

/// Of the text, in octets; JSON makes six of one at most, and an entry may have 65,536.
const TEXT_OCTETS: usize = 8192;
/// Of a title, or a name, in octets.
const LINE_OCTETS: usize = 500;
/// Of a link, in octets; a longer one is left out.
const LINK_OCTETS: usize = 2000;

/// The entry of a delivery. `time` is when it happened, `sent` when Tidings took it on: RFC 3339.
pub fn of(delivery: &Delivery) -> Value {
    let brief = Brief::of(delivery);
    let recipient = &delivery.recipient;
    let (kind, happened, application) = match &delivery.content {
        Content::Single(event) => ("single", event.timestamp_ms, Some(event.application.as_str())),
        Content::Digest(_) => ("digest", delivery.accepted_ms, None),
        Content::Confirmation(_) => ("confirmation", delivery.accepted_ms, None),
    };
    let icon = match &delivery.content {
        Content::Single(event) => event.icon.as_deref(),
        Content::Digest(_) | Content::Confirmation(_) => None,
    };
    json!({
        "id": delivery.id,
        "kind": kind,
        "title": cut(&brief.title, LINE_OCTETS),
        "text": cut(&brief.text, TEXT_OCTETS),
        "link": short(brief.link.as_deref()),
        "icon": short(icon),
        "application": application.filter(|name| !name.is_empty()).map(|name| cut(name, LINE_OCTETS)),
        "filter": recipient.filter_name.as_deref().map(|name| cut(name, LINE_OCTETS)),
        "time": tidings_plugin::time::rfc3339(happened),
        "sent": tidings_plugin::time::rfc3339(delivery.accepted_ms),
        "settings_link": short(recipient.settings_link.as_deref()),
        "unsubscribe_link": short(recipient.unsubscribe_link.as_deref()),
    })
}

fn short(link: Option<&str>) -> Option<String> {
    web_link(link).filter(|link| link.len() <= LINK_OCTETS)
}

#[cfg(test)]
mod tests {
    use tidings_plugin::{Event, testing};

    use super::*;

    /// What the contract lets an entry have, in octets.
    const ENTRY_OCTETS: usize = 64 * 1024;

    #[test]
    fn an_event_is_shown_with_what_a_reader_needs() {
        let event = Event {
            application: "buildsys".into(),
            link: Some("https://koji.example.org/1".into()),
            icon: Some("javascript:alert(1)".into()),
            ..testing::event("mutt built", "by ralph")
        };
        let entry = of(&testing::delivery("ralph", Content::Single(event)));
        assert_eq!(
            entry,
            json!({
                "id": "0123456789abcdef0123456789abcdef", "kind": "single", "title": "mutt built", "text": "by ralph",
                "link": "https://koji.example.org/1", "icon": null, "application": "buildsys", "filter": null,
                "time": "2026-11-24T12:00:00.000Z", "sent": "2026-11-24T12:00:00.000Z",
                "settings_link": null, "unsubscribe_link": null,
            })
        );
    }

    #[test]
    fn each_kind_has_its_name_and_a_title() {
        let digest = testing::digest(vec![testing::event("one", "one"), testing::event("two", "two")]);
        for (content, kind, title) in
            [(digest, "digest", "2 updates"), (testing::confirmation(), "confirmation", "Confirm that")]
        {
            let entry = of(&testing::delivery("ralph", content));
            assert_eq!(entry["kind"], kind);
            assert!(entry["title"].as_str().is_some_and(|text| text.starts_with(title)), "{entry}");
        }
    }

    #[test]
    fn the_longest_texts_fit_whatever_json_makes_of_them() {
        for text in ["\u{7}", "żółw ", "\"\\"] {
            let event = Event {
                application: text.repeat(20_000),
                link: Some(format!("https://a.example/{}", "x".repeat(1900))),
                ..testing::event(&text.repeat(20_000), &text.repeat(100_000))
            };
            let mut delivery = testing::delivery("ralph", Content::Single(event));
            delivery.recipient.filter_name = Some(text.repeat(20_000));
            let entry = of(&delivery).to_string();
            assert!(entry.len() <= ENTRY_OCTETS, "{text:?}: {}", entry.len());
        }
    }
}
