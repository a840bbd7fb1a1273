//! The SMTP dialogue: the commands that are sent, and the outcome of each delivery for each reply of the server.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use support::server::{ALL, Act, Server};
use support::{settings, single};
use tidings_plugin::Delivery;
use tidings_plugin::net::{Error, Verification};
use tidings_plugin::testing::{letters, reason};

fn batch(count: u32) -> Vec<Delivery> {
    (1..=count).map(single).collect()
}

#[test]
fn a_batch_uses_one_connection_with_rset_between_mails() {
    let server = Server::new(ALL);
    let outcomes = server.deliver(&settings(&[]), &batch(2));
    assert_eq!(letters(&outcomes), "dd");
    assert_eq!(reason(&outcomes[0]), "2.0.0 queued as 4711");
    assert_eq!(server.connections(), 1);
    let mail = format!("MAIL FROM:<tidings@example.org> SIZE={}", server.mails()[0].len());
    let to = "RCPT TO:<toshio@example.com>";
    assert_eq!(server.transcript(), ["EHLO example.org", &mail, to, "DATA", "RSET", &mail, to, "DATA", "QUIT"]);
}

#[test]
fn a_server_that_supports_only_helo_gets_no_extension() {
    let server = Server::scripted(ALL, &[("EHLO", 0, Act::Reply("502 what?"))]);
    let mut batch = batch(1);
    batch[0].recipient.filter_name = Some("zażółć".into());
    assert_eq!(letters(&server.deliver(&settings(&[]), &batch)), "d");
    assert_eq!(server.transcript()[..3], ["EHLO example.org", "HELO example.org", "MAIL FROM:<tidings@example.org>"]);
    assert!(server.mails()[0].is_ascii());
}

#[test]
fn eight_bits_are_used_if_offered() {
    let server = Server::new(ALL);
    let mut batch = batch(1);
    batch[0].recipient.filter_name = Some("zażółć".into());
    server.deliver(&settings(&[]), &batch);
    assert!(server.transcript()[1].ends_with(" BODY=8BITMIME"), "{:?}", server.transcript());
    assert!(server.mails()[0].contains("Content-Transfer-Encoding: 8bit\r\n"));
    assert!(server.mails()[0].contains("zażółć"));
}

#[test]
fn an_address_beyond_ascii_needs_smtputf8() {
    let mut batch = batch(2);
    batch[0].recipient.address = "żółw@bücher.example".into();
    let server = Server::new(ALL);
    assert_eq!(letters(&server.deliver(&settings(&[]), &batch)), "dd");
    assert!(server.transcript()[1].ends_with(" SMTPUTF8"));
    assert!(server.mails()[0].contains("To: żółw@bücher.example\r\n"));

    let server = Server::new("PIPELINING\n8BITMIME");
    let outcomes = server.deliver(&settings(&[]), &batch);
    assert_eq!(letters(&outcomes), "xd");
    assert!(reason(&outcomes[0]).contains("SMTPUTF8"));
}

#[test]
fn a_mail_above_the_size_limit_of_the_server_is_not_sent() {
    let server = Server::new("SIZE 500");
    let outcomes = server.deliver(&settings(&[]), &batch(1));
    assert_eq!(letters(&outcomes), "x");
    assert!(reason(&outcomes[0]).contains("at most 500"), "{}", reason(&outcomes[0]));
    assert_eq!(server.transcript(), ["EHLO example.org", "QUIT"]);
}

#[test]
fn an_invalid_address_is_rejected_and_the_others_are_delivered() {
    let mut batch = batch(2);
    batch[0].recipient.address = "x@example.org>\r\nRCPT TO:<y@example.org".into();
    let server = Server::new(ALL);
    assert_eq!(letters(&server.deliver(&settings(&[]), &batch)), "xd");
    assert_eq!(server.mails().len(), 1);
}

/// The second of three deliveries gets the reply. The third uses the same connection or a new one, or the channel
/// pauses.
#[test]
fn reliability_40_each_reply_affects_only_what_it_concerns() {
    for (step, nth, act, expected, connections) in [
        ("MAIL", 1, Act::Reply("451 4.7.1 greylisted"), "drd", 1),
        ("MAIL", 1, Act::Reply("550 5.7.1 blocked"), "dtt", 1),
        ("MAIL", 1, Act::Reply("552 5.3.4 too large"), "dxd", 1),
        ("MAIL", 1, Act::Reply("421 4.7.0 too much"), "dpp", 1),
        ("RCPT", 1, Act::Reply("450 4.2.1 later"), "drd", 1),
        ("RCPT", 1, Act::Reply("550 5.1.1 unknown"), "dxd", 1),
        ("RCPT", 1, Act::Reply("421 bye"), "dpp", 1),
        ("RCPT", 1, Act::Close, "drd", 2),
        ("RCPT", 1, Act::Hang, "dtt", 1),
        ("DATA", 1, Act::Reply("451 later"), "drd", 1),
        ("DATA", 1, Act::Reply("554 no"), "dxd", 1),
        ("DATA", 1, Act::Reply("421 bye"), "dpp", 1),
        ("DATA", 1, Act::Close, "drd", 2),
        (".", 1, Act::Reply("452 4.3.1 full"), "drd", 1),
        (".", 1, Act::Reply("554 5.7.1 spam"), "dxd", 1),
        (".", 1, Act::Reply("421 4.3.2 going down"), "drp", 1),
        (".", 1, Act::Close, "drd", 2),
        (".", 1, Act::Hang, "drt", 1),
        ("RSET", 0, Act::Reply("421 bye"), "dpp", 1),
        ("RSET", 0, Act::Close, "drd", 2),
        ("RSET", 0, Act::Reply("500 what?"), "drd", 2),
    ] {
        for offers in [ALL, "SIZE"] {
            let server = Server::scripted(offers, &[(step, nth, act.clone())]);
            let outcomes = server.deliver(&settings(&[]), &batch(3));
            assert_eq!(letters(&outcomes), expected, "{step} {act:?}, offered {offers:?}: {outcomes:?}");
            assert_eq!(server.connections(), connections, "{step} {act:?}, offered {offers:?}");
        }
    }
}

#[test]
fn an_error_before_the_first_mail_is_trouble_of_the_channel() {
    let tls = [("tls", "required")];
    let with_password = [("tls", "none"), ("username", "tidings"), ("password", "hunter2-canary")];
    for (more, step, act, expected) in [
        (&[][..], "connect", Act::Fail(Error::Failed("refused".into())), "tt"),
        (&[], "connect", Act::Fail(Error::Denied("no grant for mx:25".into())), "tt"),
        (&[], "connect", Act::Fail(Error::Unresolved("NXDOMAIN".into())), "tt"),
        (&[], "connect", Act::Fail(Error::Timeout), "tt"),
        (&[], "greeting", Act::Reply("554 no service here"), "tt"),
        (&[], "greeting", Act::Reply("421 too many connections"), "pp"),
        (&[], "greeting", Act::Hang, "tt"),
        (&[], "greeting", Act::Close, "tt"),
        (&[], "greeting", Act::Reply("HTTP/1.1 400 Bad Request"), "tt"),
        (&[], "EHLO", Act::Reply("421 busy"), "pp"),
        (&[], "EHLO", Act::Reply("451 busy"), "tt"),
        (&tls, "STARTTLS", Act::Reply("454 TLS not available"), "tt"),
        (&tls, "STARTTLS", Act::Reply("501 what?"), "tt"),
        (&tls, "tls", Act::Fail(Error::Tls("certificate not valid for name".into())), "tt"),
        (&with_password, "AUTH", Act::Reply("535 5.7.8 wrong"), "tt"),
        (&with_password, "AUTH", Act::Reply("454 4.7.0 later"), "tt"),
        (&with_password, "AUTH", Act::Reply("421 4.7.0 too many attempts"), "pp"),
    ] {
        let server = Server::scripted("STARTTLS\nAUTH PLAIN", &[(step, 0, act.clone())]);
        let outcomes = server.deliver(&settings(more), &batch(2));
        assert_eq!(letters(&outcomes), expected, "{step} {act:?}: {outcomes:?}");
        assert!(!format!("{outcomes:?}").contains("hunter2"));
        assert!(server.mails().is_empty());
    }
}

#[test]
fn a_lost_reply_is_a_retry_with_the_same_mail() {
    let server = Server::scripted(ALL, &[(".", 0, Act::Close)]);
    let mut batch = batch(1);
    assert_eq!(letters(&server.deliver(&settings(&[]), &batch)), "r");
    batch[0].attempt = 2;
    assert_eq!(letters(&server.deliver(&settings(&[]), &batch)), "d");
    let mails = server.mails();
    assert_eq!(mails.len(), 2);
    assert_eq!(mails[0], mails[1], "Message-ID, Date and everything else are the same");
    assert!(mails[0].contains(&format!("Message-ID: <{}@example.org>\r\n", batch[0].id)));
}

#[test]
fn two_consecutive_lost_connections_are_trouble_of_the_channel() {
    let server = Server::scripted(ALL, &[("RCPT", 1, Act::Close), ("RCPT", 2, Act::Close)]);
    assert_eq!(letters(&server.deliver(&settings(&[]), &batch(5))), "drrtt");
    let server = Server::scripted(ALL, &[("RCPT", 1, Act::Close), ("RCPT", 3, Act::Close)]);
    assert_eq!(letters(&server.deliver(&settings(&[]), &batch(5))), "drdrd");
    assert_eq!(server.connections(), 3);
}

#[test]
fn reliability_41_encryption_is_as_strong_as_configured() {
    use Verification::{Full, None as Any};
    let password = [("username", "u"), ("password", "p")];
    let offered = "STARTTLS\nAUTH PLAIN";
    let bad = || Some(Act::Fail(Error::Tls("handshake failed".into())));
    for (tls, password, offers, handshake, expected, verification) in [
        ("none", &[][..], offered, None, "d", &[][..]),
        ("opportunistic", &[], offered, None, "d", &[Any]),
        ("opportunistic", &[], "", None, "d", &[]),
        ("opportunistic", &[], offered, bad(), "d", &[]),
        ("required", &[], offered, None, "d", &[Full]),
        ("required", &[], "", None, "t", &[]),
        ("required", &[], offered, bad(), "t", &[]),
        ("implicit", &[], "", None, "d", &[Full]),
        ("implicit", &[], "", bad(), "t", &[]),
        ("none", &password, "AUTH PLAIN", None, "d", &[]),
        ("opportunistic", &password, offered, None, "d", &[Full]),
        ("opportunistic", &password, "AUTH PLAIN", None, "t", &[]),
        ("opportunistic", &password, offered, bad(), "t", &[]),
    ] {
        let script: Vec<_> = handshake.into_iter().map(|act| ("tls", 0, act)).collect();
        let server = Server::scripted(offers, &script);
        let settings = settings(&[&[("tls", tls)], password].concat());
        let outcomes = server.deliver(&settings, &batch(1));
        let case = format!("{tls}, password {}, offered {offers:?}", !password.is_empty());
        assert_eq!(letters(&outcomes), expected, "{case}: {outcomes:?}");
        assert_eq!(server.verification(), verification, "{case}");
        let sent_password = server.transcript().iter().any(|line| line.starts_with("AUTH"));
        assert_eq!(sent_password, expected == "d" && !password.is_empty(), "{case}");
    }
}

#[test]
fn data_after_the_reply_to_starttls_is_an_error() {
    for tls in ["opportunistic", "required"] {
        let injected = b"220 go\r\n250-mx\r\n250 AUTH PLAIN\r\n".to_vec();
        let server = Server::scripted("STARTTLS", &[("STARTTLS", 0, Act::Raw(injected))]);
        let outcomes = server.deliver(&settings(&[("tls", tls)]), &batch(1));
        assert_eq!(letters(&outcomes), "t", "{tls}");
        assert!(server.verification().is_empty() && server.mails().is_empty());
    }
}

#[test]
fn capabilities_before_tls_are_discarded() {
    let server = Server::scripted("STARTTLS\nAUTH PLAIN\nPIPELINING", &[("EHLO", 1, Act::Reply("250 mx.example.org"))]);
    let settings = settings(&[("tls", "required"), ("username", "u"), ("password", "p")]);
    let outcomes = server.deliver(&settings, &batch(1));
    assert_eq!(letters(&outcomes), "t");
    assert!(reason(&outcomes[0]).contains("AUTH"), "{}", reason(&outcomes[0]));
}

#[test]
fn authentication_is_plain_or_login() {
    let settings = settings(&[("tls", "none"), ("username", "ralph"), ("password", "secret")]);
    let server = Server::new("AUTH LOGIN PLAIN");
    assert_eq!(letters(&server.deliver(&settings, &batch(1))), "d");
    assert_eq!(server.transcript()[1], "AUTH PLAIN AHJhbHBoAHNlY3JldA==");

    let asks = [("AUTH", 0, Act::Reply("334 VXNlcm5hbWU6")), ("other", 0, Act::Reply("334 UGFzc3dvcmQ6"))];
    let server = Server::scripted("AUTH LOGIN", &asks);
    assert_eq!(letters(&server.deliver(&settings, &batch(1))), "d");
    assert_eq!(server.transcript()[1..4], ["AUTH LOGIN", "cmFscGg=", "c2VjcmV0"]);
}

#[test]
fn reliability_39_a_slow_server_leaves_the_rest_for_a_later_call() {
    let server = Server::new(ALL).slow(5_000, 200);
    let outcomes = server.deliver(&settings(&[]), &batch(20));
    let letters = letters(&outcomes);
    let done = letters.trim_end_matches('r').len();
    assert!(done > 0 && done < 20 && letters[..done].chars().all(|letter| letter == 'd'), "{letters}");
    assert!(server.remaining_ms() > 0, "it returns before the deadline");
    assert!(reason(&outcomes[19]).contains("no time was left"));
}

#[test]
fn reliability_39_no_wait_exceeds_the_deadline() {
    for step in ["greeting", "EHLO", "MAIL", "DATA", ".", "QUIT"] {
        for remaining in [120_000, 5_000, 1_000] {
            let server = Server::scripted(ALL, &[(step, 0, Act::Hang)]).within(remaining);
            server.deliver(&settings(&[]), &batch(3));
            assert!(server.remaining_ms() > 0, "{step} with {remaining} ms");
        }
    }
}

#[test]
fn endless_and_invalid_replies_are_bounded() {
    let lines = "250-x\r\n".repeat(100_000).into_bytes();
    let line = [b"250 ", "x".repeat(10_000_000).as_bytes()].concat();
    let mixed = b"250-mx\r\n550 other\r\n".to_vec();
    for octets in [lines, line, mixed, vec![0; 20], b"\r\n\r\n".to_vec(), b"99\r\n".to_vec(), vec![0xff; 10_000]] {
        let server = Server::scripted(ALL, &[("EHLO", 0, Act::Raw(octets))]);
        let outcomes = server.deliver(&settings(&[]), &batch(2));
        assert_eq!(letters(&outcomes), "tt");
        assert!(reason(&outcomes[0]).chars().count() < 500 && !reason(&outcomes[0]).contains(char::is_control));
    }
}

#[test]
fn replies_in_pieces_of_any_length_are_parsed() {
    for chunk in [1, 2, 3, 7] {
        let server = Server::new(ALL).slow(0, chunk);
        assert_eq!(letters(&server.deliver(&settings(&[]), &batch(3))), "ddd", "{chunk}");
    }
}

#[test]
fn no_text_ends_the_mail() {
    let smuggled =
        "\r\n.\r\nMAIL FROM:<evil@example.org>\r\nRCPT TO:<victim@example.org>\r\nDATA\r\nSubject: x\r\n\r\n.\r\n";
    for text in [smuggled, "\n.\n", "\r.\r", "\n.\r\n", "\r\n.\n", ".", "..", ".\r\n..\r\n...", "\0.\0"] {
        for offers in [ALL, ""] {
            let server = Server::new(offers);
            let mut event = support::event();
            event.long_form = text.into();
            event.subtitle = text.into();
            let batch = [support::delivery(1, tidings_plugin::Content::Single(event)), single(2)];
            assert_eq!(letters(&server.deliver(&settings(&[]), &batch)), "dd", "{text:?}");
            assert_eq!(server.mails().len(), 2, "{text:?}");
            assert!(!server.transcript().iter().any(|line| line.contains("evil")), "{text:?}");
        }
    }
}
