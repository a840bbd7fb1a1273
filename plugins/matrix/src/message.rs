//! Builds the content of `m.room.message` of a delivery. Event text in HTML is escaped, and no message mentions a user. It
//! must not send.

use serde_json::{Value, json};
use tidings_plugin::brief::Brief;
use tidings_plugin::text::cut;
use tidings_plugin::time::minute;
use tidings_plugin::{Content, Delivery};

/// The largest content, in octets. An event has at most 65,536, with the sender, room, time, hashes and signatures that the
/// server adds.
const CONTENT_OCTETS: usize = 60 * 1024;
/// The message has the time of an event that is older than this, in milliseconds.
const LATE_MS: u64 = 10 * 60 * 1000;

/// The content of the message of a delivery. The type is `m.text`: clients do not notify about `m.notice`.
pub fn content(delivery: &Delivery, now_ms: u64) -> Value {
    let mut brief = Brief::of(delivery);
    if let Content::Single(event) = &delivery.content
        && event.timestamp_ms.saturating_add(LATE_MS) < now_ms
    {
        brief.title = format!("[{}] {}", minute(event.timestamp_ms), brief.title);
    }
    let mut octets = CONTENT_OCTETS;
    loop {
        brief.text = cut(&brief.text, octets);
        let content = json_content(&brief, delivery.recipient.markup);
        if content.to_string().len() <= CONTENT_OCTETS || octets == 0 {
            return content;
        }
        octets /= 2;
    }
}

fn json_content(brief: &Brief, markup: bool) -> Value {
    let parts =
        [Some(brief.title.as_str()), Some(brief.text.as_str()).filter(|text| !text.is_empty()), brief.link.as_deref()];
    let body: Vec<&str> = parts.into_iter().flatten().collect();
    // Without `m.mentions`, `@room` or a name in a text notifies the members.
    let mut content = json!({"msgtype": "m.text", "body": body.join("\n"), "m.mentions": {}});
    if markup {
        content["format"] = json!("org.matrix.custom.html");
        content["formatted_body"] = json!(html(brief));
    }
    content
}

fn html(brief: &Brief) -> String {
    let title = escape(&brief.title);
    let title = match &brief.link {
        Some(link) => format!("<a href=\"{}\">{title}</a>", escape(link)),
        None => title,
    };
    let text = escape(&brief.text).replace('\n', "<br>");
    if text.is_empty() { format!("<strong>{title}</strong>") } else { format!("<strong>{title}</strong><br>{text}") }
}

/// Escapes text for HTML, inside and outside of attributes.
fn escape(text: &str) -> String {
    text.chars().fold(String::with_capacity(text.len()), |mut escaped, c| {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            c => escaped.push(c),
        }
        escaped
    })
}

#[cfg(test)]
mod tests {
    use tidings_plugin::Event;
    use tidings_plugin::testing::{self, NOW_MS as NOON_MS};

    use super::*;

    fn delivery(subtitle: &str, long_form: &str, link: &str, markup: bool) -> Delivery {
        let event = Event { link: Some(link.into()), ..testing::event(subtitle, long_form) };
        let mut delivery = testing::delivery("@ralph:example.org", Content::Single(event));
        delivery.recipient.markup = markup;
        delivery
    }

    #[test]
    fn a_message_has_plain_text_and_html_if_the_user_wants_markup() {
        let plain = content(&delivery("mutt built", "by\nralph", "https://k.example/1", false), NOON_MS + LATE_MS);
        let body = "mutt built\nby\nralph\nhttps://k.example/1";
        assert_eq!(plain, json!({"msgtype": "m.text", "body": body, "m.mentions": {}}));
        let formatted = content(&delivery("mutt built", "by\nralph", "https://k.example/1", true), NOON_MS);
        assert_eq!(formatted["body"], body);
        assert_eq!(formatted["format"], "org.matrix.custom.html");
        let html = "<strong><a href=\"https://k.example/1\">mutt built</a></strong><br>by<br>ralph";
        assert_eq!(formatted["formatted_body"], html);
    }

    #[test]
    fn markup_in_event_text_is_escaped() {
        let markup = "<img src=x onerror=alert(1)>\"'&";
        let message =
            content(&delivery(markup, &format!("{markup}{markup}"), "https://k.example/\"><script>", true), NOON_MS);
        let html = message["formatted_body"].as_str().unwrap();
        let rest = html.replace("<strong>", "").replace("</strong>", "").replace("<br>", "").replace("</a>", "");
        assert_eq!(rest.matches('<').count(), 1, "{html}");
        assert!(rest.starts_with("<a href=\"https://k.example/&quot;&gt;&lt;script&gt;\">&lt;img"), "{html}");
        let link = content(&delivery("x", "x", "javascript:alert(1)", true), NOON_MS);
        assert_eq!(link["formatted_body"], "<strong>x</strong>");
    }

    #[test]
    fn a_late_message_has_the_time_of_its_event() {
        let late = content(&delivery("mutt built", "mutt built", "", false), NOON_MS + LATE_MS + 1);
        assert_eq!(late["body"], "[2026-11-24 12:00 UTC] mutt built");
    }

    #[test]
    fn a_long_message_is_cut_to_the_size_of_an_event() {
        for text in ["a long text\n", "ü", "\"", "<&>'", "日本語 "] {
            for markup in [false, true] {
                let message = content(&delivery("x", &text.repeat(100_000), "https://k.example/1", markup), NOON_MS);
                let octets = message.to_string().len();
                assert!((10_000..=CONTENT_OCTETS).contains(&octets), "{text:?}: {octets}");
                assert!(message["body"].as_str().unwrap().contains('…'), "{text:?}");
            }
        }
    }
}
