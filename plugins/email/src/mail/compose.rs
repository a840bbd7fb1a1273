//! Composes the headers and the text of a mail. Headers follow FMN, so users' mail filters keep working.

use sha2::{Digest as _, Sha256};
use tidings_plugin::text::{HeaderSafe, prefix};
use tidings_plugin::{Confirmation, Content, Delivery, Digest, Event, Recipient};

use super::body::Body;
use super::header::Headers;
use super::{Draft, date, link};
use crate::address::{Address, AddressError};
use crate::settings::{Mailbox, Settings};

/// The longest subject, in characters.
const SUBJECT_CHARS: usize = 250;
/// The longest line of a digest's summary, in characters.
const SUMMARY_CHARS: usize = 500;
/// The most values of one X-Fedmsg header.
const FEDMSG_VALUES: usize = 100;
/// The longest value of an X-Fedmsg header, in characters.
const FEDMSG_CHARS: usize = 200;
/// The longest text of one event, in octets.
const TEXT_OCTETS: usize = 256 * 1024;
/// A digest gets no more full items once its body has this length, in octets.
const BODY_OCTETS: usize = 1024 * 1024;
const SEPARATOR: &str = "------------------------------------------------------------------------";

/// Composes the mail of a delivery. Fails when the recipient's address is invalid.
pub fn compose(settings: &Settings, delivery: &Delivery) -> Result<Draft, AddressError> {
    let to = Mailbox { name: HeaderSafe::default(), address: Address::parse(&delivery.recipient.address)? };
    let mut headers = Headers::default();
    headers.mailbox("From", &settings.from);
    headers.mailbox("To", &to);
    headers.text("Subject", &subject(settings, &delivery.content));
    headers.verbatim("Date", &HeaderSafe::flatten(&date::rfc5322(delivery.accepted_ms)));
    headers.verbatim("Message-ID", &message_id(settings, &delivery.id));
    if let Some(thread) = thread(settings, &delivery.content) {
        headers.verbatim("In-Reply-To", &thread);
        headers.verbatim("References", &thread);
    }
    headers.fixed("Auto-Submitted", "auto-generated");
    if !matches!(delivery.content, Content::Confirmation(_)) {
        subscription_headers(&mut headers, settings, &delivery.recipient);
    }
    fedmsg_headers(&mut headers, &delivery.content);
    headers.fixed("MIME-Version", "1.0");
    headers.fixed("Content-Type", "text/plain; charset=utf-8");
    let utf8 = !(settings.from.address.is_ascii() && to.address.is_ascii() && settings.envelope_from.is_ascii());
    Ok(Draft { to: to.address, headers, body: Body::new(&text(settings, delivery)), utf8 })
}

fn subject(settings: &Settings, content: &Content) -> HeaderSafe {
    let subject = match content {
        Content::Single(event) => first_nonempty([&event.subtitle, &event.title, &event.topic]).to_owned(),
        Content::Digest(digest) => {
            let updates = digest.events.len() + digest.omitted as usize;
            format!("{updates} update{}", if updates == 1 { "" } else { "s" })
        }
        Content::Confirmation(_) => "Confirm that notifications may be sent here".to_owned(),
    };
    HeaderSafe::flatten(&format!("{} {subject}", settings.subject_prefix)).truncate(SUBJECT_CHARS)
}

fn first_nonempty<const N: usize>(texts: [&str; N]) -> &str {
    texts.into_iter().find(|text| !text.trim().is_empty()).unwrap_or_default()
}

/// `<left@domain>`, with the letters, digits and hyphens of `left`, so the id is always valid.
fn message_id(settings: &Settings, left: &str) -> HeaderSafe {
    let left: String = left.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '-').collect();
    HeaderSafe::flatten(&format!("<{left}@{}>", settings.from.address.domain()))
}

/// The id of a mail that does not exist. All mails of a thread refer to it, so mail clients group them.
fn thread(settings: &Settings, content: &Content) -> Option<HeaderSafe> {
    let events = match content {
        Content::Single(event) => std::slice::from_ref(event),
        Content::Digest(digest) => &digest.events,
        Content::Confirmation(_) => return None,
    };
    let (first, rest) = events.split_first()?;
    let thread = first.thread.as_deref().filter(|thread| rest.iter().all(|e| e.thread.as_deref() == Some(thread)))?;
    let digest: String = Sha256::digest(thread).iter().take(16).map(|octet| format!("{octet:02x}")).collect();
    Some(message_id(settings, &format!("thread-{digest}")))
}

/// Adds the headers of list mail and of one-click unsubscription (RFC 2919, RFC 2369, RFC 8058).
fn subscription_headers(headers: &mut Headers, settings: &Settings, recipient: &Recipient) {
    headers.fixed("Precedence", "bulk");
    headers.verbatim("List-Id", &HeaderSafe::flatten(&format!("<{}>", settings.list_id)));
    if let Some(link) = recipient.unsubscribe_link.as_deref().and_then(link::bracketed) {
        headers.verbatim("List-Unsubscribe", &link);
        headers.fixed("List-Unsubscribe-Post", "List-Unsubscribe=One-Click");
    }
}

/// Adds FMN's headers, which users' mail filters read. A digest has each value once.
fn fedmsg_headers(headers: &mut Headers, content: &Content) {
    let events = match content {
        Content::Single(event) => std::slice::from_ref(event),
        Content::Digest(digest) => &digest.events,
        Content::Confirmation(_) => return,
    };
    let mut add = |name, value: &dyn Fn(&Event) -> Vec<String>| {
        let mut seen = Vec::new();
        for text in events.iter().flat_map(value).filter(|text| !text.trim().is_empty()) {
            if seen.len() < FEDMSG_VALUES && !seen.contains(&text) {
                headers.text(name, &HeaderSafe::flatten(&text).truncate(FEDMSG_CHARS));
                seen.push(text);
            }
        }
    };
    add("X-Fedmsg-Topic", &|event| vec![event.topic.clone()]);
    add("X-Fedmsg-Category", &|event| vec![event.application.clone()]);
    add("X-Fedmsg-Username", &|event| event.usernames.clone());
    add("X-Fedmsg-Package", &|event| event.packages.clone());
}

fn text(settings: &Settings, delivery: &Delivery) -> String {
    let recipient = &delivery.recipient;
    let mut text = match &delivery.content {
        Content::Single(event) => single(event),
        Content::Digest(digest) => digest_text(digest, recipient.verbose),
        Content::Confirmation(confirmation) => confirmation_text(confirmation, recipient),
    };
    let footer = footer(settings, recipient, &delivery.content);
    if !footer.is_empty() {
        text.push_str("\n-- \n");
        text.push_str(&footer);
    }
    text
}

fn single(event: &Event) -> String {
    let text = first_nonempty([&event.long_form, &event.subtitle, &event.title]);
    let mut text = format!("{}\n", cut(text.trim_end(), TEXT_OCTETS));
    push_link(&mut text, event.link.as_deref());
    text
}

fn push_link(text: &mut String, link: Option<&str>) {
    if let Some(link) = link {
        text.push_str(&format!("\t{}\n", line(link)));
    }
}

fn digest_text(digest: &Digest, verbose: bool) -> String {
    let mut text = String::from("Digest summary:\n\n");
    for (number, summary) in (1..).zip(&digest.summary) {
        text.push_str(&format!("{number:2}. {}\n", HeaderSafe::flatten(summary).truncate(SUMMARY_CHARS)));
    }
    if digest.omitted > 0 {
        text.push_str(&format!("\nand {} more that did not fit in.\n", digest.omitted));
    }
    if verbose {
        for (index, event) in digest.events.iter().enumerate() {
            text.push_str(&format!("\n{SEPARATOR}\n"));
            if text.len() > BODY_OCTETS {
                text.push_str(&format!("The full text of {} more did not fit in.\n", digest.events.len() - index));
                break;
            }
            text.push_str(&format!("{}, {}\n", date::rfc5322(event.timestamp_ms), line(&event.subtitle)));
            if event.long_form != event.subtitle && !event.long_form.trim().is_empty() {
                text.push_str(&format!("\n{}\n", cut(event.long_form.trim_end(), TEXT_OCTETS)));
            }
            push_link(&mut text, event.link.as_deref());
        }
    }
    text
}

fn confirmation_text(confirmation: &Confirmation, recipient: &Recipient) -> String {
    format!(
        "Somebody, probably you, asked for notifications to be sent to\n\t{}\nfor the account {}.\n\n\
         To receive them, open\n\t{}\nor give back the code\n\t{}\n\n\
         If that was not you, open\n\t{}\nor do nothing: without your consent nothing is sent here.\n\n\
         The code is valid until {}.\n",
        line(&recipient.address),
        line(&recipient.user),
        line(&confirmation.accept_link),
        line(&confirmation.code),
        line(&confirmation.reject_link),
        date::rfc5322(confirmation.expires_ms),
    )
}

fn footer(settings: &Settings, recipient: &Recipient, content: &Content) -> String {
    let mut footer = String::new();
    if !matches!(content, Content::Confirmation(_)) {
        if recipient.triggered_by {
            if let Some(filter) = &recipient.filter_name {
                footer.push_str(&format!("You received this message due to your filter \"{}\".\n", line(filter)));
            }
            if let Some(link) = &recipient.settings_link {
                footer.push_str(&format!("Change what you receive: {}\n", line(link)));
            }
        }
        if let Some(link) = &recipient.unsubscribe_link {
            footer.push_str(&format!("Unsubscribe: {}\n", line(link)));
        }
    }
    if !settings.footer.is_empty() {
        footer.push_str(&format!("{}\n", settings.footer));
    }
    footer
}

fn line(text: &str) -> HeaderSafe {
    HeaderSafe::flatten(text)
}

/// Cuts a text to at most `octets` octets, and adds a note where it cuts.
fn cut(text: &str, octets: usize) -> String {
    if text.len() <= octets {
        return text.to_owned();
    }
    format!("{}\n[The rest is left out: {} octets in all.]", prefix(text, octets), text.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_text_is_cut_between_characters_with_a_note() {
        assert_eq!(cut("żółw", 7), "żółw");
        assert_eq!(cut("żółw", 3), "ż\n[The rest is left out: 7 octets in all.]");
    }
}
