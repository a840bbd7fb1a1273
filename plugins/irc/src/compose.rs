//! From a delivery to the few lines that a person reads: FMN's words, in its colours where they are wanted.

use tidings_plugin::brief::web_link;
use tidings_plugin::text::HeaderSafe;
use tidings_plugin::{Confirmation, Content, Delivery, Digest, Event, Recipient, time};

use crate::line::{self, Span};
use crate::settings::Settings;

/// Lines of one event; the rest is a click away.
const EVENT_LINES: usize = 3;
/// Lines of a question, and of one answer to a command.
const ANSWER_LINES: usize = 4;
/// What is later than this says so: milliseconds.
const LATE_MS: u64 = 60 * 1000;
/// mIRC's colours by number.
const TEAL: u8 = 10;
const LIGHT_GREY: u8 = 15;
/// The colour of an application's name, by the first word of the title, as FMN had them.
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

/// The lines, at least one, each at most `space` octets; of a digest at most `most`, or its head and its end.
pub fn compose(settings: &Settings, delivery: &Delivery, now_ms: u64, space: usize, most: usize) -> Vec<String> {
    let recipient = &delivery.recipient;
    match &delivery.content {
        Content::Single(event) => {
            let mut spans = said(settings, event, recipient, now_ms);
            spans.extend(why(recipient));
            line::split(&spans, space, EVENT_LINES)
        }
        Content::Digest(digest) => digested(settings, digest, recipient, now_ms, space, most),
        Content::Confirmation(confirmation) => {
            let lines = asking(confirmation, recipient);
            lines.iter().flat_map(|text| line::split(&[Span::plain(text)], space, ANSWER_LINES)).collect()
        }
    }
}

/// What the host says to a command, as lines.
pub fn answer(text: &str, space: usize) -> Vec<String> {
    line::split(&[Span::plain(text)], space, ANSWER_LINES)
}

fn said(settings: &Settings, event: &Event, recipient: &Recipient, now_ms: u64) -> Vec<Span> {
    let texts = [&event.subtitle, &event.title, &event.topic];
    let text = texts.into_iter().find(|text| shows(text)).map_or("A message", String::as_str);
    let mut spans = Vec::new();
    if recipient.markup && shows(&event.title) && text != event.title {
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

/// Whether anything is left of a text without its control characters.
fn shows(text: &str) -> bool {
    !HeaderSafe::flatten(text).is_empty()
}

/// Which filter it was, as FMN told it.
fn why(recipient: &Recipient) -> Option<Span> {
    let by = [&recipient.settings_link, &recipient.filter_name].into_iter().flatten().next();
    by.filter(|_| recipient.triggered_by)
        .map(|by| Span::plain(&format!(" ( triggered by {} )", HeaderSafe::flatten(by))))
}

fn digested(
    settings: &Settings,
    digest: &Digest,
    recipient: &Recipient,
    now_ms: u64,
    space: usize,
    most: usize,
) -> Vec<String> {
    let shown = settings.digest_lines.min(most.saturating_sub(2));
    let updates = digest.events.len() + digest.omitted as usize;
    let mut head = vec![Span::plain(&format!("{updates} update{}:", if updates == 1 { "" } else { "s" }))];
    head.extend(why(recipient));
    let mut lines = line::split(&head, space, 1);
    let items: Vec<Vec<Span>> = if recipient.verbose || digest.summary.is_empty() {
        digest.events.iter().map(|event| said(settings, event, recipient, now_ms)).collect()
    } else {
        digest.summary.iter().map(|summary| vec![Span::plain(summary.trim())]).collect()
    };
    for item in items.iter().take(shown) {
        let bullet = [Span::plain("- ")].into_iter().chain(item.iter().cloned());
        lines.extend(line::split(&bullet.collect::<Vec<_>>(), space, 1));
    }
    let left = items.len().saturating_sub(shown);
    if left > 0 {
        lines.push(format!("and {left} more"));
    } else if digest.omitted > 0 {
        lines.push(format!("and {} more that did not fit in", digest.omitted));
    }
    lines
}

fn asking(confirmation: &Confirmation, recipient: &Recipient) -> [String; 3] {
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

/// How long ago, where that is worth a word.
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
    fn an_age_is_told_in_the_largest_unit_that_fits() {
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
