//! Composes the lines of a delivery. Text and colours follow FMN; colours only if the recipient wants markup.

use tidings_plugin::brief::web_link;
use tidings_plugin::text::HeaderSafe;
use tidings_plugin::{Confirmation, Content, Delivery, Digest, Event, Recipient, time};

use crate::line::{self, Span};
use crate::settings::Settings;

/// The most lines of one event.
const EVENT_LINES: usize = 3;
/// The most lines of each part of a confirmation, and of one line of an answer.
const ANSWER_LINES: usize = 4;
/// The age from which an event is shown with its age, in milliseconds.
const LATE_MS: u64 = 60 * 1000;
/// mIRC's colours by number.
const TEAL: u8 = 10;
const LIGHT_GREY: u8 = 15;
/// The colour of an application's title, by the first word of the title, as in FMN.
const APPLICATIONS: [(&str, u8); 8] = [
    ("bodhi", 3),
    ("buildsys", 5),
    ("fas", 2),
    ("git", 4),
    ("koschei", 7),
    ("meetbot", 13),
    ("pagure", 6),
    ("pkgdb", 12),
];

/// Composes the lines of a delivery: at least one, each of at most `capacity` octets; for a digest at most `most`, but
/// at least its first and last line.
pub fn compose(settings: &Settings, delivery: &Delivery, now_ms: u64, capacity: usize, most: usize) -> Vec<String> {
    let recipient = &delivery.recipient;
    match &delivery.content {
        Content::Single(event) => {
            let mut spans = event_spans(settings, event, recipient, now_ms);
            spans.extend(filter_note(recipient));
            line::split(&spans, capacity, EVENT_LINES)
        }
        Content::Digest(digest) => digest_lines(settings, digest, recipient, now_ms, capacity, most),
        Content::Confirmation(confirmation) => {
            let lines = confirmation_texts(confirmation, recipient);
            lines.iter().flat_map(|text| line::split(&[Span::plain(text)], capacity, ANSWER_LINES)).collect()
        }
    }
}

/// Splits one line of the daemon's answer to a command.
pub fn answer(text: &str, capacity: usize) -> Vec<String> {
    line::split(&[Span::plain(text)], capacity, ANSWER_LINES)
}

fn event_spans(settings: &Settings, event: &Event, recipient: &Recipient, now_ms: u64) -> Vec<Span> {
    let texts = [&event.subtitle, &event.title, &event.topic];
    let text = texts.into_iter().find(|text| is_visible(text)).map_or("A message", String::as_str);
    let mut spans = Vec::new();
    if recipient.markup && is_visible(&event.title) && text != event.title {
        let first = event.title.split('.').next().unwrap_or_default();
        let known = APPLICATIONS.iter().find(|(name, _)| *name == first);
        spans.push(Span::coloured(&event.title, known.map_or(LIGHT_GREY, |(_, colour)| *colour)));
        spans.push(Span::plain(" -- "));
    }
    spans.push(Span::plain(text.trim()));
    spans.extend(age(event.timestamp_ms, now_ms).map(|age| Span::plain(&format!(" ({age})"))));
    if let Some(link) = web_link(event.link.as_deref()).filter(|_| settings.links) {
        spans.push(Span::plain(" "));
        spans.push(if recipient.markup { Span::coloured(&link, TEAL) } else { Span::plain(&link) });
    }
    spans
}

/// Whether a text has more than white space and control characters.
fn is_visible(text: &str) -> bool {
    !HeaderSafe::flatten(text).is_empty()
}

/// Names the filter that matched, in the form of FMN.
fn filter_note(recipient: &Recipient) -> Option<Span> {
    let name = [&recipient.settings_link, &recipient.filter_name].into_iter().flatten().next();
    name.filter(|_| recipient.triggered_by)
        .map(|name| Span::plain(&format!(" ( triggered by {} )", HeaderSafe::flatten(name))))
}

fn digest_lines(
    settings: &Settings,
    digest: &Digest,
    recipient: &Recipient,
    now_ms: u64,
    capacity: usize,
    most: usize,
) -> Vec<String> {
    let shown = settings.digest_lines.min(most.saturating_sub(2));
    let updates = digest.events.len() + digest.omitted as usize;
    let mut head = vec![Span::plain(&format!("{updates} update{}:", if updates == 1 { "" } else { "s" }))];
    head.extend(filter_note(recipient));
    let mut lines = line::split(&head, capacity, 1);
    let items: Vec<Vec<Span>> = if recipient.verbose || digest.summary.is_empty() {
        digest.events.iter().map(|event| event_spans(settings, event, recipient, now_ms)).collect()
    } else {
        digest.summary.iter().map(|summary| vec![Span::plain(summary.trim())]).collect()
    };
    for item in items.iter().take(shown) {
        let bullet = [Span::plain("- ")].into_iter().chain(item.iter().cloned());
        lines.extend(line::split(&bullet.collect::<Vec<_>>(), capacity, 1));
    }
    let left = items.len().saturating_sub(shown);
    if left > 0 {
        lines.push(format!("and {left} more"));
    } else if digest.omitted > 0 {
        lines.push(format!("and {} more that did not fit in", digest.omitted));
    }
    lines
}

fn confirmation_texts(confirmation: &Confirmation, recipient: &Recipient) -> [String; 3] {
    let user = HeaderSafe::flatten(&recipient.user);
    let until = time::minute(confirmation.expires_ms);
    [
        format!("Somebody, probably you, asked for notifications to be sent here, for the account {user}."),
        format!("To receive them, open {} or say: confirm {}", confirmation.accept_link, confirmation.code),
        format!(
            "If that was not you, open {} or do nothing: without your consent nothing is sent here. \
             The code is valid until {until}.",
            confirmation.reject_link
        ),
    ]
}

/// The age of an event, if it is above [`LATE_MS`].
fn age(then_ms: u64, now_ms: u64) -> Option<String> {
    let minutes = now_ms.saturating_sub(then_ms) / 60_000;
    let (count, unit) = match minutes {
        0..60 => (minutes, "minute"),
        60..1440 => (minutes / 60, "hour"),
        _ => (minutes / 1440, "day"),
    };
    let late = now_ms.saturating_sub(then_ms) > LATE_MS;
    late.then(|| format!("{count} {unit}{} ago", if count == 1 { "" } else { "s" }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_age_is_shown_in_the_largest_unit_that_fits() {
        const MINUTE: u64 = 60_000;
        for (ms, expected) in [
            (0, None),
            (LATE_MS, None),
            (LATE_MS + 1, Some("1 minute ago")),
            (59 * MINUTE, Some("59 minutes ago")),
            (119 * MINUTE, Some("1 hour ago")),
            (120 * MINUTE, Some("2 hours ago")),
            (49 * 60 * MINUTE, Some("2 days ago")),
        ] {
            assert_eq!(age(1000, 1000 + ms).as_deref(), expected, "{ms}");
        }
        assert_eq!(age(1000, 0), None, "the clock jumped");
    }
}
