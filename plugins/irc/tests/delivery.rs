//! The outcomes of deliveries for each behaviour of a server, over sockets.

#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test may panic")]

mod support;

use support::server::{Server, accepting, script};
use support::{Channel, confirmation, delivery, settings, single};
use tidings_plugin::testing::{letters, reason};
use tidings_plugin::{Content, Digest};

const HOUR_MS: u64 = 3600 * 1000;

#[test]
fn a_delivery_is_delivered_when_the_server_has_read_it() {
    let server = accepting();
    let mut channel = Channel::new(settings(server.port, &[]));
    let outcomes = channel.deliver(&[single("ralph", "one"), single("#fedora", "two"), single("a b", "three")]);
    assert_eq!(letters(&outcomes), "ddx");
    assert_eq!(server.received(), ["PRIVMSG ralph :one", "JOIN #fedora", "PRIVMSG #fedora :two", "PING :t1"]);
    assert_eq!(letters(&channel.deliver(&[single("#fedora", "four")])), "d");
    assert_eq!(server.received()[4..], ["PRIVMSG #fedora :four", "PING :t2"], "one connection, joined once");
}

#[test]
fn no_text_becomes_a_command_or_ctcp() {
    let server = accepting();
    let mut channel = Channel::new(settings(server.port, &[]));
    let evil = "\u{1}DCC SEND x\u{1} a\r\nQUIT :gone\nJOIN #evil\0\u{3}04red";
    let mut message = single("ralph", evil);
    message.recipient.filter_name = Some("f\r\nQUIT".into());
    message.recipient.settings_link = None;
    message.recipient.triggered_by = true;
    let mut request = confirmation("ralph");
    request.recipient.user = "x\r\nQUIT".into();
    assert_eq!(letters(&channel.deliver(&[message, request])), "dd");
    let received = server.received();
    assert_eq!(received[0], "PRIVMSG ralph :DCC SEND x a QUIT :gone JOIN #evil 04red ( triggered by f QUIT )");
    assert!(
        received.iter().all(|line| line.starts_with("PRIVMSG ralph :") || line.starts_with("PING ")),
        "{received:?}"
    );
}

#[test]
fn an_unreachable_target_is_retried_until_the_message_expires() {
    let server = Server::start(vec![script(|client| {
        client.welcome();
        client.serve(|line| match line {
            "PRIVMSG split :one" => Some(":irc.example.org 401 tidings Split :No such nick/channel".into()),
            line if line.starts_with("JOIN #closed") => {
                Some(":irc.example.org 473 tidings #closed :Cannot join channel (+i)".into())
            }
            line if line.starts_with("PRIVMSG #closed") => {
                Some(":irc.example.org 404 tidings #closed :Cannot send to channel".into())
            }
            _ => None,
        });
    })]);
    let mut channel = Channel::new(settings(server.port, &[("perishable_minutes", "5")]));
    let mut late = single("split", "two");
    late.accepted_ms -= 6 * 60 * 1000;
    let batch = [single("split", "one"), single("ralph", "x"), late, single("#closed", "y"), single("ralph", "z")];
    let outcomes = channel.deliver(&batch);
    assert_eq!(letters(&outcomes), "rdxrd");
    assert_eq!(reason(&outcomes[0]), "No such nick/channel");
    assert_eq!(reason(&outcomes[2]), "expired: older than 5 minutes");
    assert!(reason(&outcomes[3]).contains("+i"), "{}", reason(&outcomes[3]));
}

#[test]
fn a_refusal_affects_the_lines_that_it_is_about() {
    let server = Server::start(vec![script(|client| {
        client.welcome();
        let mut gone = false;
        client.serve(move |line| {
            gone |= line == "PRIVMSG ralph :4";
            (gone && line.starts_with("PRIVMSG ralph")).then(|| ":s 401 tidings Ralph :No such nick".to_owned())
        });
    })]);
    let mut channel = Channel::new(settings(server.port, &[]));
    let batch: Vec<_> =
        (1..=6).flat_map(|number| [single("ralph", &number.to_string()), single("ann", &number.to_string())]).collect();
    assert_eq!(letters(&channel.deliver(&batch)), "dddddd".to_owned() + &"rd".repeat(3));
}

#[test]
fn an_expired_message_is_not_sent_and_a_digest_does_not_expire_by_age() {
    let server = accepting();
    let mut channel = Channel::new(settings(server.port, &[("perishable_minutes", "60")]));
    let digest = Digest { events: Vec::new(), summary: vec!["a day's builds".into()], omitted: 3 };
    let digest = delivery("ralph", Content::Digest(digest));
    let mut batch =
        [single("ralph", "old"), single("ralph", "new"), digest, confirmation("ralph"), confirmation("ralph")];
    batch[0].accepted_ms -= 61 * 60 * 1000;
    batch[2].accepted_ms -= 25 * HOUR_MS;
    batch[3].accepted_ms -= 2 * HOUR_MS;
    let Content::Confirmation(confirmation) = &mut batch[4].content else { unreachable!() };
    confirmation.expires_ms -= 25 * HOUR_MS;
    let outcomes = channel.deliver(&batch);
    assert_eq!(letters(&outcomes), "xdddx");
    assert_eq!(reason(&outcomes[0]), "expired: older than 60 minutes");
    assert_eq!(reason(&outcomes[4]), "expired: the code is no longer valid");
    assert!(server.received().iter().all(|line| !line.ends_with("old")), "{:?}", server.received());
}

#[test]
fn a_server_that_does_not_answer_costs_no_delivery_an_attempt() {
    let server = Server::start(vec![script(|client| {
        client.welcome();
        while client.line().is_some() {}
    })]);
    let mut channel = Channel::new(settings(server.port, &[]));
    let outcomes = channel.deliver_within(1500, &[single("a", "1"), single("b", "2")]);
    assert_eq!(letters(&outcomes), "pp");
    assert!(reason(&outcomes[0]).contains("confirm"), "{}", reason(&outcomes[0]));

    let server = Server::start(vec![script(|client| while client.line().is_some() {})]);
    let mut channel = Channel::new(settings(server.port, &[]));
    let outcomes = channel.deliver_within(1000, &[single("a", "1")]);
    assert_eq!(letters(&outcomes), "p");
    assert!(reason(&outcomes[0]).contains("registered"), "{}", reason(&outcomes[0]));
}

#[test]
fn lines_are_read_in_pieces_and_with_bare_line_ends() {
    let server = Server::start(vec![script(|client| {
        client.until("USER ");
        for byte in b":s 001 tidings :hi\r\n\n:s 376 tidings :end\n" {
            client.send_bytes(&[*byte]);
        }
        client.serve(|line| line.strip_prefix("PING ").map(|token| format!(":s PONG s {token}\r\n:s NOTICE * :half")));
    })]);
    let mut channel = Channel::new(settings(server.port, &[]));
    assert_eq!(letters(&channel.deliver(&[single("a", "1")])), "d");
}
