//! The text of mails: compared with golden files, and read back by a parser that the plugin does not use.
//!
//! `UPDATE_GOLDEN=1 cargo test` writes the golden files again; review the difference.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use std::path::Path;

use email::mail::compose;
use mail_parser::{HeaderValue, Message, MessageParser};
use support::{confirmation, delivery, digest, event, settings, single};
use tidings_plugin::{Content, Delivery, Event};

fn written(delivery: &Delivery, eight_bit: bool) -> String {
    compose(&settings(&[("footer", "Tidings, https://tidings.example.org")]), delivery)
        .unwrap()
        .write(eight_bit)
        .as_str()
        .to_owned()
}

fn parsed(mail: &str) -> Message<'_> {
    MessageParser::default().parse(mail.as_bytes()).unwrap()
}

fn texts(message: &Message<'_>, name: &str) -> Vec<String> {
    let text = |value: &HeaderValue<'_>| value.as_text().unwrap_or_default().trim().to_owned();
    message
        .headers()
        .iter()
        .filter(|header| header.name().eq_ignore_ascii_case(name))
        .map(|h| text(h.value()))
        .collect()
}

fn hostile() -> Event {
    let evil = "x\r\nBcc: victim@example.org\r\n\r\n<script>\0\u{1b}[31m\u{2028}Bcc: victim@example.org";
    let mut event = event();
    event.topic = evil.into();
    event.application = evil.into();
    event.title = evil.into();
    event.subtitle = evil.into();
    event.long_form = evil.into();
    event.link = Some(evil.into());
    event.usernames = vec![evil.into(), "\u{feff}".into()];
    event.packages = vec![evil.into()];
    event.thread = Some(evil.into());
    event
}

fn cases() -> Vec<(&'static str, Delivery)> {
    let mut unicode = event();
    unicode.subtitle =
        "Łukasz wydał paczkę „żółw” – gratulacje 🎉, a to jest dość długi temat, który się nie mieści".into();
    unicode.long_form = "日本語の本文\nzażółć gęślą jaźń".into();
    let mut long_lines = event();
    long_lines.long_form = format!("short\n{}\n.\n..two dots\nend", "long ".repeat(400));
    let mut bare = single(6);
    bare.recipient.filter_name = None;
    bare.recipient.settings_link = None;
    bare.recipient.unsubscribe_link = None;
    bare.content = Content::Single(Event { link: None, thread: None, usernames: vec![], packages: vec![], ..event() });
    let mut verbose = delivery(8, Content::Digest(digest()));
    verbose.recipient.verbose = true;
    let mut evil = delivery(9, Content::Single(hostile()));
    let inject = "x\r\nBcc: victim@example.org";
    evil.recipient.filter_name = Some(inject.into());
    evil.recipient.settings_link = Some(inject.into());
    evil.recipient.unsubscribe_link = Some(format!("https://example.org/>\r\n{inject}"));
    vec![
        ("single", single(1)),
        ("unicode", delivery(2, Content::Single(unicode))),
        ("long-lines", delivery(3, Content::Single(long_lines))),
        ("bare", bare),
        ("digest", delivery(7, Content::Digest(digest()))),
        ("digest-verbose", verbose),
        ("hostile", evil),
        ("confirmation", delivery(10, Content::Confirmation(confirmation()))),
    ]
}

#[test]
fn mails_match_the_golden_files() {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    for (name, delivery) in cases() {
        let path = golden.join(format!("{name}.eml"));
        let mail = written(&delivery, false);
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            std::fs::write(&path, &mail).unwrap();
        }
        let expected = std::fs::read_to_string(&path).unwrap_or_default();
        assert_eq!(mail, expected, "{} differs; UPDATE_GOLDEN=1 writes it again", path.display());
    }
}

#[test]
fn a_parser_reads_back_the_headers() {
    for eight_bit in [false, true] {
        for (name, delivery) in cases() {
            let mail = written(&delivery, eight_bit);
            let message = parsed(&mail);
            let to = message.to().and_then(|to| to.first()).unwrap();
            assert_eq!(to.address(), Some("toshio@example.com"), "{name}");
            let from = message.from().and_then(|from| from.first()).unwrap();
            assert_eq!((from.name(), from.address()), (Some("Tidings"), Some("tidings@example.org")), "{name}");
            assert_eq!(message.date().unwrap().to_rfc3339(), "2026-11-24T12:00:00Z", "{name}");
            assert_eq!(message.message_id(), Some(format!("{}@example.org", delivery.id).as_str()), "{name}");
            assert_eq!(texts(&message, "Auto-Submitted"), ["auto-generated"], "{name}");
            assert!(message.body_text(0).unwrap().ends_with("-- \r\n") || mail.contains("Tidings"), "{name}");
            assert!(message.attachments.is_empty(), "{name}");
        }
    }
}

#[test]
fn the_subject_and_text_survive_any_script() {
    let (_, delivery) = cases().swap_remove(1);
    let Content::Single(event) = &delivery.content else { unreachable!() };
    for eight_bit in [false, true] {
        let mail = written(&delivery, eight_bit);
        let message = parsed(&mail);
        assert_eq!(message.subject(), Some(format!("[tidings] {}", event.subtitle).as_str()));
        let body = message.body_text(0).unwrap().replace("\r\n", "\n");
        assert!(body.starts_with(&event.long_form), "{body}");
    }
}

#[test]
fn mails_have_the_headers_of_fmn() {
    let mut event = event();
    event.usernames = vec!["ralph".into(), "toshio".into()];
    let mail = written(&delivery(1, Content::Single(event.clone())), false);
    let message = parsed(&mail);
    assert_eq!(texts(&message, "X-Fedmsg-Topic"), [event.topic]);
    assert_eq!(texts(&message, "X-Fedmsg-Category"), ["buildsys"]);
    assert_eq!(texts(&message, "X-Fedmsg-Username"), ["ralph", "toshio"]);
    assert_eq!(texts(&message, "X-Fedmsg-Package"), ["mutt"]);

    let mail = written(&delivery(1, Content::Digest(digest())), false);
    let message = parsed(&mail);
    assert_eq!(texts(&message, "X-Fedmsg-Category"), ["buildsys", "bodhi"], "each once");
    assert_eq!(texts(&message, "X-Fedmsg-Username"), ["ralph", "toshio"], "each once");
}

#[test]
fn mails_of_one_thread_refer_to_the_same_id() {
    let reference = |delivery: &Delivery| {
        let mail = written(delivery, false);
        let message = parsed(&mail);
        let references = message.references().as_text().map(ToOwned::to_owned);
        assert_eq!(references, message.in_reply_to().as_text().map(ToOwned::to_owned));
        references
    };
    let of = |thread: Option<&str>| {
        reference(&delivery(1, Content::Single(Event { thread: thread.map(Into::into), ..event() })))
    };
    let mutt = of(Some("package:mutt")).unwrap();
    assert!(mutt.starts_with("thread-") && mutt.ends_with("@example.org"), "{mutt}");
    assert_eq!(reference(&single(2)), Some(mutt.clone()));
    assert_ne!(of(Some("package:vim")), Some(mutt.clone()));
    assert_eq!(of(None), None);
    assert_eq!(reference(&delivery(1, Content::Digest(digest()))), Some(mutt), "all of one thread");
    let mut mixed = digest();
    mixed.events[1].thread = None;
    assert_eq!(reference(&delivery(1, Content::Digest(mixed))), None);
}

#[test]
fn mails_offer_one_click_unsubscription() {
    let mail = written(&single(1), false);
    assert!(mail.contains("\r\nList-Unsubscribe: <https://tidings.example.org/u/0123456789>\r\n"));
    assert!(mail.contains("\r\nList-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n"));
    assert!(mail.contains("\r\nList-Id: <tidings.example.org>\r\n"));
    assert!(mail.contains("\r\nPrecedence: bulk\r\n"));
    for (name, delivery) in cases() {
        let click = written(&delivery, false).contains("List-Unsubscribe");
        assert_eq!(click, !matches!(name, "bare" | "hostile" | "confirmation"), "{name}");
    }
}

#[test]
fn the_footer_names_the_filter_only_if_the_user_wants_it() {
    let mut delivery = single(1);
    assert!(
        written(&delivery, false).contains("\r\n-- \r\nYou received this message due to your filter \"My packages\".")
    );
    delivery.recipient.triggered_by = false;
    let mail = written(&delivery, false);
    assert!(!mail.contains("My packages") && mail.contains("\r\n-- \r\nUnsubscribe: https://"));
}

#[test]
fn a_digest_has_full_items_only_if_verbose() {
    let mut delivery = delivery(1, Content::Digest(digest()));
    let mail = written(&delivery, true);
    assert_eq!(parsed(&mail).subject(), Some("[tidings] 5 updates"));
    assert!(mail.contains(" 1. ralph built mutt\r\n 2. toshio commented on mutt 3. a forged line\r\n"));
    assert!(mail.contains("and 3 more"));
    assert!(!mail.contains("Built by"));
    delivery.recipient.verbose = true;
    let mail = written(&delivery, true);
    assert!(mail.contains("Built by:   ralph") && mail.contains("It works."));
}

#[test]
fn the_mail_of_a_huge_digest_is_bounded() {
    let event = Event { long_form: "line\n".repeat(100_000), ..event() };
    let count = 500;
    let digest =
        tidings_plugin::Digest { events: vec![event; count], summary: vec!["x".repeat(10_000); count], omitted: 0 };
    let mut delivery = delivery(1, Content::Digest(digest));
    delivery.recipient.verbose = true;
    let mail = written(&delivery, false);
    assert!(mail.len() < 2_000_000, "{}", mail.len());
    assert!(mail.contains("more did not fit in."));
}

#[test]
fn a_confirmation_says_how_to_answer_and_has_no_list_headers() {
    let mail = written(&delivery(1, Content::Confirmation(confirmation())), false);
    for part in ["confirm/accept/K7QX-M2", "confirm/reject/K7QX-M2", "\tK7QX-M2\r\n", "Wed, 25 Nov 2026 12:00:00"] {
        assert!(mail.contains(part), "{part}");
    }
    for header in ["List-", "Precedence", "X-Fedmsg", "References"] {
        assert!(!mail.contains(&format!("\r\n{header}")), "{header}");
    }
}

const KNOWN: [&str; 19] = [
    "From",
    "To",
    "Subject",
    "Date",
    "Message-ID",
    "In-Reply-To",
    "References",
    "Auto-Submitted",
    "Precedence",
    "List-Id",
    "List-Unsubscribe",
    "List-Unsubscribe-Post",
    "X-Fedmsg-Topic",
    "X-Fedmsg-Category",
    "X-Fedmsg-Username",
    "X-Fedmsg-Package",
    "MIME-Version",
    "Content-Type",
    "Content-Transfer-Encoding",
];

/// Checks what must hold for every mail.
fn check(mail: &str) {
    assert!(!mail.replace("\r\n", "").contains(['\r', '\n', '\0']), "a bare CR, LF or NUL: {mail:?}");
    assert!(mail.ends_with("\r\n"));
    assert!(mail.split("\r\n").all(|line| line.len() <= 998), "a line is too long");
    let (headers, _) = mail.split_once("\r\n\r\n").unwrap();
    for line in headers.split("\r\n") {
        let known = KNOWN.iter().any(|name| line.strip_prefix(name).is_some_and(|rest| rest.starts_with(':')));
        assert!(known || (line.starts_with(' ') && !line.trim().is_empty()), "{line:?}");
        assert!(line.is_ascii(), "{line:?}");
    }
    let message = parsed(mail);
    assert_eq!(message.to().map(|to| to.iter().count()), Some(1));
    assert!(message.bcc().is_none() && message.cc().is_none());
}

/// A generator of pseudo-random numbers with a fixed seed.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % bound
    }

    fn text(&mut self) -> String {
        const PIECES: [&str; 24] = [
            "\r",
            "\n",
            "\r\n",
            "\0",
            "\t",
            " ",
            "\u{85}",
            "\u{2028}",
            "\u{1b}[1m",
            ".",
            "\r\n.\r\n",
            "Bcc: a@b.c",
            ":",
            "=?utf-8?q?x?=",
            "ü",
            "日本",
            "🎉",
            "<",
            ">",
            ",",
            "\"",
            "\\",
            "word",
            "\u{feff}",
        ];
        let mut text = String::new();
        for _ in 0..self.below(40) {
            let times = if self.below(20) == 0 { 400 } else { 1 };
            text.push_str(&PIECES[self.below(PIECES.len())].repeat(times));
        }
        text
    }
}

#[test]
fn reliability_46_no_text_breaks_the_structure_of_a_mail() {
    for (_, delivery) in cases() {
        check(&written(&delivery, false));
        check(&written(&delivery, true));
    }
    let mut numbers = Numbers(46);
    for round in 0..600u32 {
        let mut text = || numbers.text();
        let mut event = event();
        (event.topic, event.application, event.title) = (text(), text(), text());
        (event.subtitle, event.long_form) = (text(), text());
        event.link = Some(text());
        event.thread = Some(text());
        event.usernames = vec![text(), text()];
        event.packages = vec![text()];
        let content = match round % 3 {
            0 => Content::Single(event),
            1 => Content::Digest(tidings_plugin::Digest { events: vec![event; 2], summary: vec![text()], omitted: 1 }),
            _ => Content::Confirmation(tidings_plugin::Confirmation {
                code: text(),
                accept_link: text(),
                ..confirmation()
            }),
        };
        let mut delivery = delivery(round, content);
        delivery.id = text();
        delivery.recipient.user = text();
        delivery.recipient.filter_name = Some(text());
        delivery.recipient.settings_link = Some(text());
        delivery.recipient.unsubscribe_link = Some(format!("https://{}", text()));
        delivery.recipient.verbose = true;
        check(&written(&delivery, round % 2 == 0));
    }
}
