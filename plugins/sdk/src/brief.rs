//! A delivery as a short plain text, for channels without a format of their own: chats and push services.

use crate::text::{HeaderSafe, plain};
use crate::time;
use crate::{Confirmation, Content, Delivery, Digest, Event, Recipient};

/// The longest title and the longest line of a digest, in characters.
const LINE_CHARS: usize = 250;

/// A title, a text and a link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Brief {
    /// One line, never empty.
    pub title: String,
    /// Lines separated by `\n`, without control characters; empty where the title is complete.
    pub text: String,
    /// An http or https URL.
    pub link: Option<String>,
}

impl Brief {
    /// Writes a delivery as text, with the name of the filter where the recipient wants it.
    pub fn of(delivery: &Delivery) -> Brief {
        let recipient = &delivery.recipient;
        let mut brief = match &delivery.content {
            Content::Single(event) => of_event(event),
            Content::Digest(digest) => of_digest(digest, recipient.verbose),
            Content::Confirmation(confirmation) => of_confirmation(confirmation, recipient),
        };
        let is_confirmation = matches!(delivery.content, Content::Confirmation(_));
        if let Some(filter) = recipient.filter_name.as_deref().filter(|_| recipient.triggered_by && !is_confirmation) {
            let start = if brief.text.is_empty() { "" } else { "\n\n" };
            brief.text.push_str(&format!("{start}Your filter: {}", line(filter)));
        }
        brief
    }
}

fn of_event(event: &Event) -> Brief {
    let text = [&event.subtitle, &event.title, &event.topic].into_iter().find(|text| !text.trim().is_empty());
    let title = line(text.map_or("A message", String::as_str));
    let long = event.long_form.trim();
    let text = if long == event.subtitle.trim() { String::new() } else { plain(long) };
    Brief { title, text, link: web_link(event.link.as_deref()) }
}

fn of_digest(digest: &Digest, verbose: bool) -> Brief {
    let updates = digest.events.len() + digest.omitted as usize;
    let title = format!("{updates} update{}", if updates == 1 { "" } else { "s" });
    let mut lines: Vec<String> = digest.summary.iter().map(|summary| format!("- {}", line(summary))).collect();
    if digest.omitted > 0 {
        lines.push(format!("and {} more that did not fit in", digest.omitted));
    }
    if verbose {
        for event in &digest.events {
            let Brief { title, text, link } = of_event(event);
            lines.extend([String::new(), title]);
            lines.extend([text].into_iter().filter(|text| !text.is_empty()));
            lines.extend(link);
        }
    }
    let link = match &digest.events[..] {
        [only] if digest.omitted == 0 => web_link(only.link.as_deref()),
        _ => None,
    };
    Brief { title, text: lines.join("\n"), link }
}

fn of_confirmation(confirmation: &Confirmation, recipient: &Recipient) -> Brief {
    let text = format!(
        "Somebody, probably you, asked for notifications to be sent here, for the account {}.\n\
         To receive them, open {}\nor give back the code {}\n\
         If that was not you, open {}\nor do nothing: without your consent nothing is sent here.\n\
         The code is valid until {}.",
        line(&recipient.user),
        line(&confirmation.accept_link),
        line(&confirmation.code),
        line(&confirmation.reject_link),
        time::minute(confirmation.expires_ms),
    );
    let title = "Confirm that notifications may be sent here".to_owned();
    Brief { title, text, link: web_link(Some(&confirmation.accept_link)) }
}

fn line(text: &str) -> String {
    HeaderSafe::flatten(text).truncate(LINE_CHARS).into()
}

/// The link, if it is an http or https URL without spaces and control characters.
pub fn web_link(link: Option<&str>) -> Option<String> {
    let web = |link: &&str| link.starts_with("https://") || link.starts_with("http://");
    let whole = |link: &&str| !link.chars().any(|c| c.is_whitespace() || c.is_control());
    link.filter(web).filter(whole).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    use crate::testing;

    fn event(subtitle: &str, long_form: &str, link: Option<&str>) -> Event {
        Event { link: link.map(str::to_owned), ..testing::event(subtitle, long_form) }
    }

    fn delivery(content: Content, triggered_by: bool, verbose: bool) -> Delivery {
        let mut delivery = testing::delivery("a", content);
        let filter_name = Some("My\npackages".into());
        delivery.recipient = Recipient { filter_name, triggered_by, verbose, ..delivery.recipient };
        delivery
    }

    #[test]
    fn an_event_is_its_subtitle_and_its_long_form() {
        let brief = |event, filter| Brief::of(&delivery(Content::Single(event), filter, false));
        let short = brief(event("built\nmutt", "built\nmutt", Some("https://a.example/1")), false);
        let link = Some("https://a.example/1".to_owned());
        assert_eq!(short, Brief { title: "built mutt".into(), text: String::new(), link });
        let long = brief(event("", "one\r\ntwo\u{1b}[2J", Some("javascript:alert(1)")), true);
        let text = "one\ntwo\u{fffd}[2J\n\nYour filter: My packages".to_owned();
        assert_eq!(long, Brief { title: "a.b".into(), text, link: None });
        for evil in ["https://a.example/\nx", "https://a b", "ftp://a", ""] {
            assert_eq!(web_link(Some(evil)), None, "{evil:?}");
        }
    }

    #[test]
    fn a_digest_is_its_summary_and_its_events_if_verbose() {
        let events = vec![event("one", "more of one", Some("https://a.example/1")), event("two", "two", None)];
        let digest = Digest { events, summary: vec!["both\n- forged".into()], omitted: 1 };
        let brief = |verbose| Brief::of(&delivery(Content::Digest(digest.clone()), false, verbose));
        let text = "- both - forged\nand 1 more that did not fit in";
        assert_eq!(brief(false), Brief { title: "3 updates".into(), text: text.into(), link: None });
        assert_eq!(brief(true).text, format!("{text}\n\none\nmore of one\nhttps://a.example/1\n\ntwo"));
    }

    #[test]
    fn a_confirmation_says_how_to_answer_and_until_when() {
        let brief = Brief::of(&delivery(testing::confirmation(), true, false));
        assert_eq!(brief.link.as_deref(), Some("https://t.example/yes"));
        for part in ["ralph", "https://t.example/yes", "https://t.example/no", "K7QX", "2026-11-24 12:00 UTC"] {
            assert!(brief.text.contains(part), "{part}: {}", brief.text);
        }
        assert!(!brief.text.contains("filter"));
    }
}
