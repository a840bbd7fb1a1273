//! Builds an entry of the event stream: the data that a page or another front end needs to show a notification. Text is
//! plain; the front end must escape it.

use serde_json::{Value, json};
use tidings_plugin::brief::{Brief, web_link};
use tidings_plugin::text::cut;
use tidings_plugin::{Content, Delivery};

/// The longest text, in octets. JSON writes an octet as at most six, and an entry has at most 65,536.
const TEXT_OCTETS: usize = 8192;
/// The longest title or name, in octets.
const LINE_OCTETS: usize = 500;
/// The longest link, in octets; a longer one is left out.
const LINK_OCTETS: usize = 2000;

/// The entry of a delivery. `time` is the time of the event, `sent` is when Tidings accepted the message, in RFC 3339.
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
        "link": short_link(brief.link.as_deref()),
        "icon": short_link(icon),
        "application": application.filter(|name| !name.is_empty()).map(|name| cut(name, LINE_OCTETS)),
        "filter": recipient.filter_name.as_deref().map(|name| cut(name, LINE_OCTETS)),
        "time": tidings_plugin::time::rfc3339(happened),
        "sent": tidings_plugin::time::rfc3339(delivery.accepted_ms),
        "settings_link": short_link(recipient.settings_link.as_deref()),
        "unsubscribe_link": short_link(recipient.unsubscribe_link.as_deref()),
    })
}

/// The link, unless it is too long or not a web link.
fn short_link(link: Option<&str>) -> Option<String> {
    web_link(link).filter(|link| link.len() <= LINK_OCTETS)
}

#[cfg(test)]
mod tests {
    use tidings_plugin::{Event, testing};

    use super::*;

    /// The largest entry that the contract allows, in octets.
    const ENTRY_OCTETS: usize = 64 * 1024;

    #[test]
    fn an_entry_has_the_fields_of_its_event() {
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
    fn an_entry_with_the_longest_texts_fits_the_limit() {
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
