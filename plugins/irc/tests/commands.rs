//! Commands from users, and their replies, over sockets.

#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test may panic")]

mod support;

use support::server::{Server, script};
use support::{Channel, settings, single};
use tidings_plugin::testing::letters;

#[test]
fn many_commands_leave_every_other_line_to_deliveries() {
    const NICKS: usize = 40;
    let server = Server::start(vec![script(|client| {
        client.welcome();
        for number in 0..NICKS * 6 {
            client.send(&format!(":n{}!r@h PRIVMSG tidings :list rules", number % NICKS));
        }
        client.serve(|_| None);
    })]);
    let mut channel = Channel::new(settings(server.port, &[("interval_ms", "20"), ("burst", "1")]));
    channel.wake_until("the first replies", |_| server.received().iter().any(|line| line.starts_with("NOTICE")));
    let batch: Vec<_> = (0..20).map(|number| single("ralph", &number.to_string())).collect();
    assert_eq!(letters(&channel.deliver_within(3000, &batch)), "d".repeat(20));
    channel.wake_until_idle();
    // The server has read all replies when this delivery is confirmed.
    assert_eq!(letters(&channel.deliver(&[single("ralph", "end")])), "d");
    let received = server.received();
    let first = received.iter().position(|line| line == "PRIVMSG ralph :0").unwrap();
    let between: Vec<_> = received[first..].iter().take_while(|line| *line != "PRIVMSG ralph :15").collect();
    assert!((29..=31).contains(&between.len()), "one reply for each line: {between:?}");
    for number in 0..NICKS {
        let replies = received.iter().filter(|line| line.starts_with(&format!("NOTICE n{number} :"))).count();
        assert!(replies <= 30, "n{number} got {replies}");
    }
}

#[test]
fn users_are_answered_and_programs_are_not() {
    let server = Server::start(vec![script(|client| {
        client.welcome();
        for line in [
            ":ralph!r@h NOTICE tidings :help",
            ":tidings!t@h PRIVMSG tidings :help",
            ":irc.example.org PRIVMSG tidings :help",
            ":ChanServ!s@services. PRIVMSG tidings :help",
            ":ralph!r@h PRIVMSG #fedora :help",
            ":ralph!r@h PRIVMSG tidings :\u{1}VERSION\u{1}",
            ":ralph!r@h PRIVMSG tidings :",
            ":ralph!r@h PRIVMSG",
            ":Ralph!r@h PRIVMSG tidings :help",
        ] {
            client.send(line);
        }
        client.serve(|_| None);
    })]);
    let mut channel = Channel::new(settings(server.port, &[]));
    channel.wake_until("a reply", |_| server.received().iter().any(|line| line.starts_with("NOTICE")));
    assert_eq!(channel.host.submitted(), [("ralph".to_owned(), "help".to_owned())]);
    assert_eq!(server.received(), ["NOTICE Ralph :you said: help QUIT :injected"]);
}

#[test]
fn a_command_that_changes_something_needs_an_identified_nick_and_replies_are_limited() {
    let server = Server::start(vec![script(|client| {
        client.welcome();
        client.send(":ralph!r@h PRIVMSG tidings :STOP");
        client.send(":thief!r@h PRIVMSG tidings :stop");
        for _ in 0..50 {
            client.send(":loop!r@h PRIVMSG tidings :list filters");
        }
        client.serve(|line| {
            let nick = line.strip_prefix("PRIVMSG NickServ :ACC ")?;
            let level = if nick == "ralph" { 3 } else { 0 };
            Some(format!(":NickServ!NickServ@services. NOTICE tidings :{nick} ACC {level}"))
        });
    })]);
    let mut channel = Channel::new(settings(server.port, &[("services", "acc")]));
    let replies =
        |nick: &str| server.received().iter().filter(|line| line.starts_with(&format!("NOTICE {nick} :"))).count();
    channel.wake_until("all replies", |_| replies("ralph") == 1 && replies("thief") == 1 && replies("loop") == 6);
    let submitted = channel.host.submitted();
    assert!(submitted.contains(&("ralph".into(), "STOP".into())), "{submitted:?}");
    assert!(submitted.iter().all(|(nick, _)| nick != "thief"), "{submitted:?}");
    assert_eq!(submitted.iter().filter(|(nick, _)| nick == "loop").count(), 6);
}
