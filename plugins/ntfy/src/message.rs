//! Builds the JSON of a delivery. The same delivery gives the same JSON in every attempt, with the same `sequence_id`: a
//! server from 2.16 on replaces the first copy by the second. It must not send.

use serde_json::{Value, json};
use tidings_plugin::brief::{Brief, web_link};
use tidings_plugin::text::cut;
use tidings_plugin::{Content, Delivery, Event};

use crate::settings::Settings;

/// The longest text, in octets. The server stores a longer one as an attachment, or refuses it.
pub const MESSAGE_OCTETS: usize = 4096;
/// The longest text for a server with a smaller limit, in octets.
pub const SHORT_OCTETS: usize = 512;
/// The largest JSON document, in octets.
const JSON_OCTETS: usize = 2 * MESSAGE_OCTETS;
/// The longest link, in octets, so that some text always fits; a longer one is left out.
const LINK_OCTETS: usize = 1024;
/// How many packages become tags.
const TAGS: usize = 3;
/// The longest tag, in octets; a longer one is cut.
const TAG_OCTETS: usize = 64;
/// The priority of confirmations: high, since the user waits for them.
const CONFIRMATION_PRIORITY: u8 = 4;

/// The JSON of a delivery, with a text of at most `text_octets` octets.
pub fn message(settings: &Settings, delivery: &Delivery, text_octets: usize) -> Vec<u8> {
    let brief = Brief::of(delivery);
    let mut limit = text_octets;
    loop {
        let json = json_message(settings, delivery, &brief, limit).to_string().into_bytes();
        let surplus = json.len().saturating_sub(JSON_OCTETS);
        if surplus == 0 || limit == 0 {
            return json;
        }
        // JSON writes an octet of text as at most six, so each step cuts too little rather than too much.
        limit = limit.saturating_sub(surplus.div_ceil(6));
    }
}

fn json_message(settings: &Settings, delivery: &Delivery, brief: &Brief, text_octets: usize) -> Value {
    let confirmation = matches!(delivery.content, Content::Confirmation(_));
    // The server replaces an empty text by `triggered`.
    let text = if brief.text.is_empty() { &brief.title } else { &brief.text };
    let mut message = json!({
        "topic": delivery.recipient.address,
        "sequence_id": delivery.id,
        "message": cut(text, text_octets),
        "priority": if confirmation { CONFIRMATION_PRIORITY } else { settings.priority },
    });
    if !brief.text.is_empty() {
        message["title"] = json!(brief.title);
    }
    if let Some(link) = short_link(brief.link.as_deref()) {
        message["click"] = json!(link);
    }
    let actions = actions(delivery);
    if !actions.is_empty() {
        message["actions"] = json!(actions);
    }
    if let (true, Content::Single(event)) = (delivery.recipient.markup, &delivery.content) {
        message["tags"] = json!(tags(event));
        if let Some(icon) = short_link(event.icon.as_deref()) {
            message["icon"] = json!(icon);
        }
    }
    message
}

/// The buttons of the message.
fn actions(delivery: &Delivery) -> Vec<Value> {
    let recipient = &delivery.recipient;
    let buttons = match &delivery.content {
        Content::Confirmation(confirmation) => vec![
            ("Confirm", Some(confirmation.accept_link.as_str())),
            ("Refuse", Some(confirmation.reject_link.as_str())),
        ],
        Content::Single(_) | Content::Digest(_) if recipient.triggered_by => {
            vec![("Change filter", recipient.settings_link.as_deref())]
        }
        Content::Single(_) | Content::Digest(_) => Vec::new(),
    };
    let button = |(label, link)| Some(json!({"action": "view", "label": label, "url": short_link(link)?}));
    buttons.into_iter().filter_map(button).collect()
}

/// The application and the packages. ntfy shows a tag with the name of an emoji as that emoji.
fn tags(event: &Event) -> Vec<String> {
    let names = std::iter::once(&event.application).chain(event.packages.iter().take(TAGS));
    names.filter(|name| !name.is_empty()).map(|name| cut(name, TAG_OCTETS).replace(',', " ")).collect()
}

/// The link, unless it is too long or not a web link.
fn short_link(link: Option<&str>) -> Option<String> {
    web_link(link).filter(|link| link.len() <= LINK_OCTETS)
}

#[cfg(test)]
mod tests {
    use tidings_plugin::{Recipient, testing};

    use super::*;

    const ID: &str = "0123456789abcdef0123456789abcdef";

    fn settings() -> Settings {
        Settings::read(|_| None).unwrap()
    }

    fn event(subtitle: &str, long_form: &str) -> Event {
        Event {
            application: "buildsys".into(),
            link: Some("https://koji.example.org/1".into()),
            icon: Some("https://koji.example.org/icon.png".into()),
            packages: vec!["mutt".into(), "a,b".into()],
            ..testing::event(subtitle, long_form)
        }
    }

    fn delivery(content: Content, markup: bool) -> Delivery {
        let mut delivery = testing::delivery("ralph-topic", content);
        delivery.recipient = Recipient {
            filter_name: Some("Mine".into()),
            settings_link: Some("https://t.example/f/1".into()),
            markup,
            triggered_by: markup,
            ..delivery.recipient
        };
        delivery
    }

    fn json(content: Content, markup: bool) -> Value {
        serde_json::from_slice(&message(&settings(), &delivery(content, markup), MESSAGE_OCTETS)).unwrap()
    }

    #[test]
    fn only_a_message_with_markup_has_icon_tags_and_buttons() {
        let plain = json!({
            "topic": "ralph-topic", "sequence_id": ID, "message": "mutt built", "priority": 3,
            "click": "https://koji.example.org/1",
        });
        assert_eq!(json(Content::Single(event("mutt built", "mutt built")), false), plain);
        let all = json!({
            "topic": "ralph-topic", "sequence_id": ID, "title": "mutt built", "priority": 3,
            "message": "by ralph\n\nYour filter: Mine", "click": "https://koji.example.org/1",
            "icon": "https://koji.example.org/icon.png", "tags": ["buildsys", "mutt", "a b"],
            "actions": [{"action": "view", "label": "Change filter", "url": "https://t.example/f/1"}],
        });
        assert_eq!(json(Content::Single(event("mutt built", "by ralph")), true), all);
    }

    #[test]
    fn a_confirmation_has_its_two_buttons() {
        let message = json(testing::confirmation(), false);
        let links: Vec<_> = message["actions"].as_array().unwrap().iter().map(|action| &action["url"]).collect();
        assert_eq!(links, ["https://t.example/yes", "https://t.example/no"]);
        assert_eq!(message["priority"], 4);
    }

    #[test]
    fn a_long_text_is_cut_between_characters_so_that_its_json_fits() {
        for (text, octets) in
            [("żółw ", 4090..=4096), ("\u{1b}", 4090..=4096), ("\n\"", 3000..=4096), ("\u{7}x\"\\", 3000..=4096)]
        {
            let json =
                message(&settings(), &delivery(Content::Single(event("x", &text.repeat(5000))), true), MESSAGE_OCTETS);
            assert!(json.len() <= JSON_OCTETS, "{text:?}: {}", json.len());
            let message: Value = serde_json::from_slice(&json).unwrap();
            let text = message["message"].as_str().unwrap();
            assert!(octets.contains(&text.len()) && text.ends_with('…'), "{}", text.len());
        }
        let short = message(&settings(), &delivery(Content::Single(event("x", &"y".repeat(5000))), true), SHORT_OCTETS);
        assert!(short.len() < 2 * SHORT_OCTETS);
    }
}
