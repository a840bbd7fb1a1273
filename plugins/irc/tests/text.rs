//! The text of deliveries.

#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test may panic")]

mod support;

use irc::compose::compose;
use support::{confirmation, delivery, event, settings, single};
use tidings_plugin::{Content, Delivery, Digest};

fn lines(delivery: &Delivery, later_minutes: u64, more: &[(&str, &str)]) -> Vec<String> {
    let now_ms = delivery.accepted_ms + later_minutes * 60_000;
    compose(&settings(6667, more), delivery, now_ms, 400, 100)
}

fn linked(markup: bool) -> Delivery {
    let mut built = event("ralph built mutt");
    built.link = Some("https://koji.example.org/1".into());
    let mut delivery = delivery("ralph", Content::Single(built));
    delivery.recipient.markup = markup;
    delivery
}

#[test]
fn a_message_has_its_subtitle_age_and_link_as_the_user_wants() {
    let mut triggered = linked(false);
    triggered.recipient.triggered_by = true;
    for (delivery, later, more, expected) in [
        (linked(false), 0, &[][..], "ralph built mutt https://koji.example.org/1"),
        (linked(false), 121, &[], "ralph built mutt (2 hours ago) https://koji.example.org/1"),
        (linked(false), 0, &[("links", "none")], "ralph built mutt"),
        (
            linked(true),
            0,
            &[],
            "\u{3}05buildsys.build.state.change\u{f} -- ralph built mutt \u{3}10https://koji.example.org/1\u{f}",
        ),
        (
            triggered,
            0,
            &[("links", "none")],
            "ralph built mutt ( triggered by https://tidings.example.org/toshio/irc/1 )",
        ),
        (single("ralph", ""), 0, &[], "buildsys.build.state.change"),
        (single("ralph", "\u{1}\u{3}\r\n"), 0, &[], "buildsys.build.state.change"),
    ] {
        assert_eq!(lines(&delivery, later, more), [expected]);
    }
    let mut evil = linked(false);
    let Content::Single(event) = &mut evil.content else { unreachable!() };
    event.link = Some("javascript:alert(1)".into());
    assert_eq!(lines(&evil, 0, &[]), ["ralph built mutt"]);
    assert_eq!(lines(&single("ralph", &"word ".repeat(1000)), 0, &[]).len(), 3, "at most three lines");
}

#[test]
fn a_digest_is_limited_and_counts_the_rest() {
    let digest = |summaries: usize, omitted: u32, verbose: bool| {
        let events = (0..4).map(|number| event(&format!("event {number}"))).collect();
        let summary = (0..summaries).map(|number| format!("group {number}\r\nQUIT")).collect();
        let mut delivery = delivery("ralph", Content::Digest(Digest { events, summary, omitted }));
        delivery.recipient.verbose = verbose;
        lines(&delivery, 0, &[("digest_lines", "3")])
    };
    assert_eq!(digest(2, 0, false), ["4 updates:", "- group 0 QUIT", "- group 1 QUIT"]);
    assert_eq!(digest(3, 5, false)[4..], ["and 5 more that did not fit in"]);
    assert_eq!(digest(9, 0, false)[3..], ["- group 2 QUIT", "and 6 more"]);
    assert_eq!(digest(2, 0, true), ["4 updates:", "- event 0", "- event 1", "- event 2", "and 1 more"]);
}

#[test]
fn a_digest_has_no_more_lines_than_a_call_can_send() {
    let events = (0..40).map(|number| event(&format!("event {number}"))).collect();
    let digest = delivery("ralph", Content::Digest(Digest { events, summary: Vec::new(), omitted: 0 }));
    for (most, shown) in [(100, 40), (10, 8), (3, 1), (1, 0)] {
        let lines = compose(&settings(6667, &[("digest_lines", "50")]), &digest, digest.accepted_ms, 400, most);
        assert_eq!(lines.iter().filter(|line| line.starts_with("- ")).count(), shown, "{most}: {lines:?}");
        assert_eq!(lines[0], "40 updates:");
        assert_eq!(lines.len(), 1 + shown + usize::from(shown < 40), "{most}: {lines:?}");
    }
}

#[test]
fn a_confirmation_says_how_to_answer_and_until_when() {
    let text = lines(&confirmation("ralph"), 0, &[]).join("\n");
    for part in ["toshio", "confirm K7QX-M2", "/confirm/accept/K7QX-M2", "/confirm/reject/K7QX-M2", "UTC"] {
        assert!(text.contains(part), "{part}: {text}");
    }
}
