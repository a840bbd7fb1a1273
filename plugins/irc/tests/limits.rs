//! The rate limit, the time of a call, and pauses after errors, over sockets.

#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test may panic")]

mod support;

use std::time::Instant;

use support::server::{Server, accepting, script};
use support::{Channel, delivery, event, pause_ms, settings, single};
use tidings_plugin::testing::{letters, reason};
use tidings_plugin::{Content, Digest};

const HOUR_MS: u64 = 3600 * 1000;

#[test]
fn a_slow_rate_sends_nothing_twice() {
    let flood = || {
        script(|client| {
            client.welcome();
            client.until("PRIVMSG ");
            client.send("ERROR :Closing Link: 127.0.0.1 (Excess Flood)");
        })
    };
    let server = Server::start(vec![
        flood(),
        flood(),
        script(|client| {
            client.welcome();
            client.serve(|_| None);
        }),
    ]);
    let more = [("interval_ms", "50"), ("burst", "2"), ("digest_lines", "50")];
    let mut channel = Channel::new(settings(server.port, &more));
    for _ in 0..2 {
        assert_eq!(letters(&channel.deliver(&[single("ralph", "flood")])), "p");
        channel.wake_until_online();
    }
    // At a quarter of the rate, a call sends about six lines, and the digest must fit into one call.
    let events = (0..40).map(|number| event(&format!("event {number}"))).collect();
    let digest = delivery("ralph", Content::Digest(Digest { events, summary: Vec::new(), omitted: 0 }));
    let mut waiting: Vec<_> = (0..12).map(|number| single("ralph", &format!("text {number}"))).collect();
    waiting.insert(7, digest);
    let mut calls = 0;
    while !waiting.is_empty() {
        calls += 1;
        assert!(calls < 12, "{waiting:?}");
        let outcomes = channel.deliver_within(3000, &waiting);
        let done = letters(&outcomes).matches('d').count();
        assert_eq!(
            letters(&outcomes),
            "d".repeat(done) + &"p".repeat(waiting.len() - done),
            "{}",
            reason(&outcomes[done.min(waiting.len() - 1)])
        );
        assert!(done > 0, "each call delivers something");
        waiting.drain(..done);
    }
    let received = server.received();
    for number in 0..12 {
        let sent = received.iter().filter(|line| line.ends_with(&format!(":text {number}"))).count();
        assert_eq!(sent, 1, "text {number}: {received:?}");
    }
    assert_eq!(received.iter().filter(|line| line.contains("40 updates")).count(), 1);
}

#[test]
fn it_wakes_often_enough_for_work_that_a_delivery_left() {
    let server = accepting();
    let mut channel = Channel::new(settings(server.port, &[]));
    channel.wake_until_online();
    assert!(channel.wake() <= 5000, "an idle connection alone needs no wake for 90 s");
}

#[test]
fn the_text_of_an_error_sets_the_pause() {
    for (error, least_ms, most_ms) in [
        ("Closing Link: 127.0.0.1 (K-Lined: spam)", HOUR_MS, 2 * HOUR_MS),
        ("Closing Link: 127.0.0.1 (Throttled: Reconnecting too fast)", HOUR_MS / 12, HOUR_MS / 6),
        ("Closing Link: 127.0.0.1 (Killed (oper (no bots)))", HOUR_MS / 12, HOUR_MS / 6),
        ("Closing Link: 127.0.0.1 (Server shutdown)", 1, 1000),
    ] {
        let server = Server::start(vec![script(move |client| {
            client.until("USER ");
            client.send(&format!("ERROR :{error}"));
        })]);
        let mut channel = Channel::new(settings(server.port, &[]));
        let outcomes = channel.deliver(&[single("a", "1"), single("b", "2")]);
        assert_eq!(letters(&outcomes), "pp", "{error}");
        assert!((least_ms..=most_ms).contains(&pause_ms(&outcomes[0])), "{error}: {}", pause_ms(&outcomes[0]));
        assert!(reason(&outcomes[0]).contains(error));
        // It does not connect again during the pause.
        assert_eq!(letters(&channel.deliver(&[single("a", "1")])), "p");
    }
}

#[test]
fn unconfirmed_lines_are_sent_again_after_a_flood_at_half_the_rate() {
    let server = Server::start(vec![
        script(|client| {
            client.welcome();
            client.until("PRIVMSG ralph :2");
            client.send("ERROR :Closing Link: 127.0.0.1 (Excess Flood)");
        }),
        script(|client| {
            client.welcome();
            client.serve(|_| None);
        }),
    ]);
    let mut channel = Channel::new(settings(server.port, &[("interval_ms", "20"), ("burst", "3")]));
    let batch: Vec<_> = (1..=9).map(|number| single("ralph", &number.to_string())).collect();
    let outcomes = channel.deliver(&batch);
    assert_eq!(letters(&outcomes), "ppppppppp", "all keep their order");
    assert!(reason(&outcomes[0]).starts_with("not confirmed"), "{}", reason(&outcomes[0]));
    channel.wake_until_online();
    let before = Instant::now();
    assert_eq!(letters(&channel.deliver(&batch)), "ddddddddd");
    assert!(before.elapsed().as_millis() >= 6 * 40, "a burst of three, then one each 40 ms: half the rate");
    let second: Vec<_> = server.received().into_iter().rev().filter(|line| line.starts_with("PRIV")).take(9).collect();
    assert!(second.iter().rev().zip(1..).all(|(line, number)| line.ends_with(&number.to_string())), "{second:?}");
}

#[test]
fn a_batch_that_does_not_fit_into_the_call_continues_in_the_next() {
    let server = accepting();
    let mut channel = Channel::new(settings(server.port, &[("interval_ms", "200"), ("burst", "2")]));
    let batch: Vec<_> = (0..20).map(|number| single("ralph", &number.to_string())).collect();
    let outcomes = channel.deliver_within(2000, &batch);
    let outcomes_by_letter = letters(&outcomes);
    let done = outcomes_by_letter.matches('d').count();
    assert!((2..20).contains(&done), "{}", reason(&outcomes[0]));
    assert_eq!(outcomes_by_letter, "d".repeat(done) + &"p".repeat(20 - done), "in order, and the rest is postponed");
    let sent = server.received().iter().filter(|line| line.starts_with("PRIVMSG")).count();
    assert_eq!(sent, done, "every line that was sent is confirmed");
}
