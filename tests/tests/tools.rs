//! Tests of the tools that scenarios use: the mail server implements SMTP and fails on request, its page escapes texts, the
//! publisher uses the wire format of fedmsg, and the comparison finds missing and surplus mails.

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::{Value, json};
use tidings_tests::client::TestClient;
use tidings_tests::publisher::TestPublisher;
use tidings_tests::samples::{Expected, SampleMessage};
use tidings_tests::sink::{MailSink, Phase, ScriptRule, SmtpFault};
use tidings_tests::{expect, wait};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use zeromq::{Socket, SocketRecv, SubSocket};

const LOOPBACK: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 0);
const LIMIT: Duration = Duration::from_secs(10);

/// Sends all lines at once, as a pipelining client may; returns the code of each reply.
async fn exchange(sink: &MailSink, lines: &str) -> String {
    let mut stream = TcpStream::connect(sink.smtp).await.unwrap();
    stream.write_all(lines.replace('\n', "\r\n").as_bytes()).await.unwrap();
    stream.shutdown().await.unwrap();
    let mut replies = String::new();
    stream.read_to_string(&mut replies).await.unwrap();
    replies.lines().filter(|line| line.get(3..4) == Some(" ")).map(|line| &line[..4]).collect()
}

async fn mail(sink: &MailSink, to: &str, subject: &str, text: &str) -> String {
    let lines = format!(
        "EHLO me\nMAIL FROM:<a@example.org> BODY=8BITMIME SMTPUTF8\nRCPT TO:<{to}>\nDATA\nSubject: {subject}\nMessage-ID: <1@me>\n\n{text}\n.\nQUIT\n"
    );
    exchange(sink, &lines).await
}

#[tokio::test]
async fn a_mail_is_stored_as_it_was_sent() {
    let sink = MailSink::start(LOOPBACK).await.unwrap();
    let replies = mail(&sink, "zoë@example.org", "=?utf-8?q?caf=C3=A9?=", "one\n..\ntwo").await;
    assert_eq!(replies, "220 250 250 250 354 250 221 ");
    let mails = sink.mails.to("zoë@example.org");
    assert_eq!(mails.len(), 1);
    let mail = &mails[0];
    assert_eq!((mail.subject.as_str(), mail.message_id.as_str()), ("café", "1@me"));
    assert_eq!(mail.text, "one\r\n.\r\ntwo\r\n");
    assert_eq!(mail.header("subject"), ["=?utf-8?q?caf=C3=A9?="]);
}

#[tokio::test]
async fn commands_in_the_wrong_order_are_refused() {
    let sink = MailSink::start(LOOPBACK).await.unwrap();
    let table = [
        ("MAIL FROM:<a@b>\nQUIT\n", "220 503 221 "),
        ("EHLO me\nRCPT TO:<a@b>\nDATA\nQUIT\n", "220 250 503 503 221 "),
        ("EHLO me\nMAIL FROM:<a@b>\nMAIL FROM:<a@b>\nRSET\nRCPT TO:<a@b>\n", "220 250 250 503 250 503 "),
        ("EHLO me\nMAIL FROM:<a@b> SIZE=99999999\n", "220 250 552 "),
        ("EHLO me\nMAIL FROM:<a@b>\nRCPT TO:<zoë@b>\n", "220 250 250 553 "),
    ];
    for (lines, replies) in table {
        assert_eq!(exchange(&sink, lines).await, replies, "{lines}");
    }
    assert_eq!(sink.mails.count(), 0);
}

#[tokio::test]
async fn the_server_fails_as_its_script_says() {
    let sink = MailSink::start(LOOPBACK).await.unwrap();
    let reply = |text: &str| SmtpFault::Reply(text.to_owned());
    let table = [
        (ScriptRule::at(Phase::Greeting, reply("554 no")), "554 250 250 250 354 250 221 ", 1),
        (ScriptRule::at(Phase::Recipient, reply("550 5.1.1 who")), "220 250 250 550 503 500 500 500 500 500 221 ", 0),
        (ScriptRule::at(Phase::Body, reply("451 4.3.0 later")), "220 250 250 250 354 451 221 ", 0),
        (ScriptRule::at(Phase::Sender, reply("421 4.3.2 bye")), "220 250 421 ", 0),
        (ScriptRule::at(Phase::Body, SmtpFault::Drop), "220 250 250 250 354 ", 0),
        (ScriptRule::at(Phase::Body, SmtpFault::LoseReply), "220 250 250 250 354 ", 1),
        (ScriptRule::at(Phase::Hello, SmtpFault::Wait(Duration::from_millis(1))), "220 250 250 250 354 250 221 ", 1),
    ];
    for (rule, replies, mails) in table {
        let (before, name) = (sink.mails.count(), format!("{rule:?}"));
        sink.script.add(rule);
        assert_eq!(mail(&sink, "b@example.org", "hello", "text").await, replies, "{name}");
        assert_eq!(sink.mails.count() - before, mails, "{name}");
        sink.script.clear();
    }
}

#[tokio::test]
async fn the_page_shows_a_mail_and_escapes_its_markup() {
    let mut sink = MailSink::start(LOOPBACK).await.unwrap();
    let page = TestClient::new(sink.show(LOOPBACK, None).await.unwrap(), None);
    mail(&sink, "b@example.org", "<script>alert(1)</script>", "<img src=x onerror=alert(2)>").await;
    for path in ["/", "/live", "/mail/1"] {
        let answer = page.send(hyper::Method::GET, path, bytes::Bytes::new()).await.unwrap();
        let html = String::from_utf8(answer.success().unwrap().to_vec()).unwrap();
        assert!(html.contains("&lt;script&gt;alert(1)"), "{path}: {html}");
        assert!(!html.contains("<script>alert") && !html.contains("<img"), "{path}: {html}");
    }
    let missing = page.send(hyper::Method::GET, "/mail/2", bytes::Bytes::new()).await.unwrap();
    assert_eq!(missing.status, 404);
}

#[tokio::test]
async fn a_subscriber_receives_topic_and_body_of_a_published_message() {
    let mut publisher = TestPublisher::bind(0).await.unwrap();
    let mut subscriber = SubSocket::new();
    subscriber.connect(publisher.endpoint()).await.unwrap();
    subscriber.subscribe("org.").await.unwrap();
    let message = SampleMessage::new("org.fedoraproject.dev.git.branch", json!({"name": "quillpad"}));
    // Nothing reports when the subscription has reached the publisher, so publish until a message arrives.
    let received = wait::until("a message", LIMIT, async || {
        publisher.send(&message).await?;
        Ok(tokio::time::timeout(Duration::from_millis(100), subscriber.recv()).await.ok().transpose()?)
    });
    let parts = received.await.unwrap().into_vec();
    assert_eq!(parts.len(), 2);
    assert_eq!(parts[0], message.topic.as_bytes());
    let body: Value = serde_json::from_slice(&parts[1]).unwrap();
    assert_eq!((&body["topic"], &body["msg"]["name"]), (&json!(message.topic), &json!("quillpad")));
}

#[tokio::test]
async fn a_comparison_finds_missing_and_surplus_mails() {
    let sink = MailSink::start(LOOPBACK).await.unwrap();
    let expected = |recipient: &str, text: &str, digest| Expected {
        recipient: recipient.to_owned(),
        text: text.to_owned(),
        digest,
        message: "m".to_owned(),
    };
    mail(&sink, "b@example.org", "one", "").await;
    mail(&sink, "c@example.org", "Digest", "two\nthree").await;
    mail(&sink, "b@example.org", "unexpected", "").await;
    let table = [
        expected("b@example.org", "one", false),
        expected("b@example.org", "one", false),
        expected("c@example.org", "two", true),
        expected("c@example.org", "three", true),
        expected("c@example.org", "three", false),
    ];
    let mails = sink.mails.all();
    let difference = expect::compare(&table, &mails);
    let missing: Vec<(&str, bool)> = difference.missing.iter().map(|one| (one.text.as_str(), one.digest)).collect();
    assert_eq!(missing, [("one", false), ("three", false)]);
    let surplus: Vec<&str> = difference.surplus.iter().map(|mail| mail.subject.as_str()).collect();
    assert_eq!(surplus, ["unexpected"]);
    assert!(expect::compare(&table[..1], &mails[..1]).is_none());
}
