//! What becomes of deliveries and commands whatever a server does, over real sockets.

#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test's helpers may fail it")]

mod support;

use std::time::{Duration, Instant};

use support::server::{Server, scene};
use support::{Channel, delivery, event, question, rest_ms, settings, single};
use tidings_plugin::testing::{letters, reason};
use tidings_plugin::{Content, Digest, Outcome, Reason};

const HOUR_MS: u64 = 3600 * 1000;

#[test]
fn a_delivery_counts_when_the_server_has_read_it() {
    let server = Server::start(vec![scene(|talk| {
        talk.welcome();
        talk.serve(|_| None);
    })]);
    let mut channel = Channel::new(settings(server.port, &[]));
    let outcomes = channel.deliver(&[single("ralph", "one"), single("#fedora", "two"), single("a b", "three")]);
    assert_eq!(letters(&outcomes), "ddx");
    assert_eq!(server.heard(), ["PRIVMSG ralph :one", "JOIN #fedora", "PRIVMSG #fedora :two", "PING :t1"]);
    assert_eq!(letters(&channel.deliver(&[single("#fedora", "four")])), "d");
    assert_eq!(server.heard()[4..], ["PRIVMSG #fedora :four", "PING :t2"], "one connection, joined once");
}

#[test]
fn a_text_never_becomes_a_second_command_nor_ctcp() {
    let server = Server::start(vec![scene(|talk| {
        talk.welcome();
        talk.serve(|_| None);
    })]);
    let mut channel = Channel::new(settings(server.port, &[]));
    let evil = "\u{1}DCC SEND x\u{1} a\r\nQUIT :gone\nJOIN #evil\0\u{3}04red";
    let mut wanted = single("ralph", evil);
    wanted.recipient.filter_name = Some("f\r\nQUIT".into());
    wanted.recipient.settings_link = None;
    wanted.recipient.triggered_by = true;
    let question = {
        let mut question = question("ralph");
        question.recipient.user = "x\r\nQUIT".into();
        question
    };
    assert_eq!(letters(&channel.deliver(&[wanted, question])), "dd");
    let heard = server.heard();
    assert_eq!(heard[0], "PRIVMSG ralph :DCC SEND x a QUIT :gone JOIN #evil 04red ( triggered by f QUIT )");
    assert!(heard.iter().all(|line| line.starts_with("PRIVMSG ralph :") || line.starts_with("PING ")), "{heard:?}");
}

#[test]
fn who_is_split_off_is_tried_later_and_dropped_when_it_is_too_late() {
    let server = Server::start(vec![scene(|talk| {
        talk.welcome();
        talk.serve(|line| match line {
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
fn a_refusal_concerns_the_lines_that_it_was_about() {
    let server = Server::start(vec![scene(|talk| {
        talk.welcome();
        let mut gone = false;
        talk.serve(move |line| {
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
fn what_has_perished_is_not_written_and_a_digest_perishes_by_no_age() {
    let server = Server::start(vec![scene(|talk| {
        talk.welcome();
        talk.serve(|_| None);
    })]);
    let mut channel = Channel::new(settings(server.port, &[("perishable_minutes", "60")]));
    let digest = Digest { events: Vec::new(), summary: vec!["a day's builds".into()], omitted: 3 };
    let digest = delivery("ralph", Content::Digest(digest));
    let mut batch = [single("ralph", "old"), single("ralph", "new"), digest, question("ralph"), question("ralph")];
    batch[0].accepted_ms -= 61 * 60 * 1000;
    batch[2].accepted_ms -= 25 * HOUR_MS;
    batch[3].accepted_ms -= 2 * HOUR_MS;
    let Content::Confirmation(confirmation) = &mut batch[4].content else { unreachable!() };
    confirmation.expires_ms -= 25 * HOUR_MS;
    let outcomes = channel.deliver(&batch);
    assert_eq!(letters(&outcomes), "xdddx");
    assert_eq!(reason(&outcomes[0]), "expired: older than 60 minutes");
    assert_eq!(reason(&outcomes[4]), "expired: the code is good no more");
    assert!(server.heard().iter().all(|line| !line.ends_with("old")), "{:?}", server.heard());
}

#[test]
fn whatever_strangers_ask_deliveries_have_every_other_line() {
    const NICKS: usize = 40;
    let server = Server::start(vec![scene(|talk| {
        talk.welcome();
        for number in 0..NICKS * 6 {
            talk.say(&format!(":n{}!r@h PRIVMSG tidings :list rules", number % NICKS));
        }
        talk.serve(|_| None);
    })]);
    let mut channel = Channel::new(settings(server.port, &[("interval_ms", "20"), ("burst", "1")]));
    channel.live("the first answers", |_| server.heard().iter().any(|line| line.starts_with("NOTICE")));
    let batch: Vec<_> = (0..20).map(|number| single("ralph", &number.to_string())).collect();
    assert_eq!(letters(&channel.deliver_within(3000, &batch)), "d".repeat(20));
    let end = Instant::now() + Duration::from_secs(3);
    channel.live("time for all answers that may wait", |_| Instant::now() > end);
    let heard = server.heard();
    let first = heard.iter().position(|line| line == "PRIVMSG ralph :0").unwrap();
    let between: Vec<_> = heard[first..].iter().take_while(|line| *line != "PRIVMSG ralph :15").collect();
    assert!((29..=31).contains(&between.len()), "one answer for each line: {between:?}");
    for number in 0..NICKS {
        let answers = heard.iter().filter(|line| line.starts_with(&format!("NOTICE n{number} :"))).count();
        assert!(answers <= 30, "n{number} has {answers}");
    }
}

#[test]
fn a_slow_pace_sends_nothing_twice() {
    let flood = || {
        scene(|talk| {
            talk.welcome();
            talk.until("PRIVMSG ");
            talk.say("ERROR :Closing Link: 127.0.0.1 (Excess Flood)");
        })
    };
    let server = Server::start(vec![
        flood(),
        flood(),
        scene(|talk| {
            talk.welcome();
            talk.serve(|_| None);
        }),
    ]);
    let more = [("interval_ms", "50"), ("burst", "2"), ("digest_lines", "50")];
    let mut channel = Channel::new(settings(server.port, &more));
    for _ in 0..2 {
        assert_eq!(letters(&channel.deliver(&[single("ralph", "flood")])), "p");
        channel.live("the next connection", |channel| channel.engine.nick().is_some());
    }
    // Four times as slow: a call carries six lines or so, and the digest must fit into one.
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
        assert!(done > 0, "each call carries something");
        waiting.drain(..done);
    }
    let heard = server.heard();
    for number in 0..12 {
        let sent = heard.iter().filter(|line| line.ends_with(&format!(":text {number}"))).count();
        assert_eq!(sent, 1, "text {number}: {heard:?}");
    }
    assert_eq!(heard.iter().filter(|line| line.contains("40 updates")).count(), 1);
}

#[test]
fn it_looks_around_often_enough_to_do_what_a_delivery_left() {
    let server = Server::start(vec![scene(|talk| {
        talk.welcome();
        talk.serve(|_| None);
    })]);
    let mut channel = Channel::new(settings(server.port, &[]));
    channel.live("registration", |channel| channel.engine.nick().is_some());
    channel.host.start_call(10_000);
    assert!(
        channel.engine.wake(Reason::Timer).is_some_and(|ms| ms <= 5000),
        "not after the 90 s of an idle connection"
    );
}

#[test]
fn a_refusal_lets_the_channel_rest_as_long_as_it_means() {
    for (error, least_ms, most_ms) in [
        ("Closing Link: 127.0.0.1 (K-Lined: spam)", HOUR_MS, 2 * HOUR_MS),
        ("Closing Link: 127.0.0.1 (Throttled: Reconnecting too fast)", HOUR_MS / 12, HOUR_MS / 6),
        ("Closing Link: 127.0.0.1 (Killed (oper (no bots)))", HOUR_MS / 12, HOUR_MS / 6),
        ("Closing Link: 127.0.0.1 (Server shutdown)", 1, 1000),
    ] {
        let server = Server::start(vec![scene(move |talk| {
            talk.until("USER ");
            talk.say(&format!("ERROR :{error}"));
        })]);
        let mut channel = Channel::new(settings(server.port, &[]));
        let outcomes = channel.deliver(&[single("a", "1"), single("b", "2")]);
        assert_eq!(letters(&outcomes), "pp", "{error}");
        assert!((least_ms..=most_ms).contains(&rest_ms(&outcomes[0])), "{error}: {}", rest_ms(&outcomes[0]));
        assert!(reason(&outcomes[0]).contains(error));
        // It does not knock again before that.
        assert_eq!(letters(&channel.deliver(&[single("a", "1")])), "p");
    }
}

#[test]
fn what_was_written_but_not_read_is_sent_again_after_a_flood_and_more_slowly() {
    let server = Server::start(vec![
        scene(|talk| {
            talk.welcome();
            talk.until("PRIVMSG ralph :2");
            talk.say("ERROR :Closing Link: 127.0.0.1 (Excess Flood)");
        }),
        scene(|talk| {
            talk.welcome();
            talk.serve(|_| None);
        }),
    ]);
    let mut channel = Channel::new(settings(server.port, &[("interval_ms", "20"), ("burst", "3")]));
    let batch: Vec<_> = (1..=9).map(|number| single("ralph", &number.to_string())).collect();
    let outcomes = channel.deliver(&batch);
    assert_eq!(letters(&outcomes), "ppppppppp", "all keep their places");
    assert!(reason(&outcomes[0]).starts_with("not confirmed"), "{}", reason(&outcomes[0]));
    channel.live("the next connection", |channel| channel.engine.nick().is_some());
    let before = Instant::now();
    assert_eq!(letters(&channel.deliver(&batch)), "ddddddddd");
    assert!(before.elapsed().as_millis() >= 6 * 40, "a burst of three, then one each 40 ms: half the pace");
    let second: Vec<_> = server.heard().into_iter().rev().filter(|line| line.starts_with("PRIV")).take(9).collect();
    assert!(second.iter().rev().zip(1..).all(|(line, number)| line.ends_with(&number.to_string())), "{second:?}");
}

#[test]
fn a_mute_server_costs_the_call_and_no_delivery() {
    let server = Server::start(vec![scene(|talk| {
        talk.welcome();
        while talk.line().is_some() {}
    })]);
    let mut channel = Channel::new(settings(server.port, &[]));
    let outcomes = channel.deliver_within(1500, &[single("a", "1"), single("b", "2")]);
    assert_eq!(letters(&outcomes), "pp");
    assert!(reason(&outcomes[0]).contains("confirm"), "{}", reason(&outcomes[0]));

    let server = Server::start(vec![scene(|talk| while talk.line().is_some() {})]);
    let mut channel = Channel::new(settings(server.port, &[]));
    let outcomes = channel.deliver_within(1000, &[single("a", "1")]);
    assert_eq!(letters(&outcomes), "p");
    assert!(reason(&outcomes[0]).contains("registered"), "{}", reason(&outcomes[0]));
}

#[test]
fn a_batch_that_does_not_fit_into_the_call_goes_on_in_the_next() {
    let server = Server::start(vec![scene(|talk| {
        talk.welcome();
        talk.serve(|_| None);
    })]);
    let mut channel = Channel::new(settings(server.port, &[("interval_ms", "200"), ("burst", "2")]));
    let batch: Vec<_> = (0..20).map(|number| single("ralph", &number.to_string())).collect();
    let outcomes = channel.deliver_within(2000, &batch);
    let told = letters(&outcomes);
    let done = told.matches('d').count();
    assert!((2..20).contains(&done), "{}", reason(&outcomes[0]));
    assert_eq!(told, "d".repeat(done) + &"p".repeat(20 - done), "in order, and the rest keeps its place");
    let sent = server.heard().iter().filter(|line| line.starts_with("PRIVMSG")).count();
    assert_eq!(sent, done, "nothing was written that was not confirmed");
}

#[test]
fn lines_may_come_in_pieces_and_with_bare_ends() {
    let server = Server::start(vec![scene(|talk| {
        talk.until("USER ");
        for byte in b":s 001 tidings :hi\r\n\n:s 376 tidings :end\n" {
            talk.raw(&[*byte]);
        }
        talk.serve(|line| line.strip_prefix("PING ").map(|token| format!(":s PONG s {token}\r\n:s NOTICE * :half")));
    })]);
    let mut channel = Channel::new(settings(server.port, &[]));
    assert_eq!(letters(&channel.deliver(&[single("a", "1")])), "d");
}

#[test]
fn a_login_goes_by_sasl_and_one_that_is_refused_rests() {
    let scenes = |verdict: &'static str| {
        vec![scene(move |talk| {
            talk.until("CAP LS 302");
            talk.say(":s CAP * LS * :multi-prefix");
            talk.say(":s CAP * LS :sasl=PLAIN,EXTERNAL away-notify");
            talk.until("CAP REQ :sasl");
            talk.say(":s CAP * ACK :sasl");
            talk.until("AUTHENTICATE ");
            talk.say("AUTHENTICATE +");
            talk.until("AUTHENTICATE ");
            talk.say(verdict);
            talk.until("CAP END");
            talk.say(":s 001 tidings :hi");
            talk.say(":s 422 tidings :no motd");
            talk.serve(|_| None);
        })]
    };
    let plain = [("login", "sasl-plain"), ("account", "acc"), ("account_password", "pw")];
    let server = Server::start(scenes(":s 903 * :SASL authentication successful"));
    let mut channel = Channel::new(settings(server.port, &plain));
    assert_eq!(letters(&channel.deliver(&[single("a", "1")])), "d");
    // The account, twice, and the password, between NULs.
    let expected = ["CAP LS 302", "CAP REQ :sasl", "AUTHENTICATE PLAIN", "AUTHENTICATE YWNjAGFjYwBwdw==", "CAP END"];
    assert_eq!(server.heard()[..5], expected);

    let server = Server::start(scenes(":s 903 * :SASL authentication successful"));
    let mut channel = Channel::new(settings(server.port, &[("login", "sasl-external"), ("tls", "true")]));
    assert_eq!(letters(&channel.deliver(&[single("a", "1")])), "d");
    assert_eq!(server.heard()[2..4], ["AUTHENTICATE EXTERNAL", "AUTHENTICATE +"]);
    let options = channel.host.tls()[0].clone().unwrap();
    assert_eq!(options.identity.as_deref(), Some("identity"));

    let server = Server::start(scenes(":s 904 * :SASL authentication failed"));
    let mut channel = Channel::new(settings(server.port, &plain));
    let outcomes = channel.deliver(&[single("a", "1")]);
    assert!(rest_ms(&outcomes[0]) >= HOUR_MS && reason(&outcomes[0]).contains("failed"), "{outcomes:?}");
}

#[test]
fn a_question_goes_only_to_an_identified_nick() {
    for (services, identified) in [("acc", true), ("acc", false), ("status", true), ("whois", true), ("whois", false)] {
        let server = Server::start(vec![scene(move |talk| {
            talk.welcome();
            let level = if identified { 3 } else { 1 };
            talk.serve(move |line| match line {
                "PRIVMSG NickServ :ACC ralph" => {
                    Some(format!(":NickServ!NickServ@services. NOTICE tidings :ralph ACC {level}"))
                }
                "PRIVMSG NickServ :STATUS ralph" => {
                    Some(format!(":NickServ!NickServ@services. NOTICE tidings :STATUS ralph {level} ralph"))
                }
                "WHOIS ralph" => {
                    let account = if identified { ":s 330 tidings ralph Ralph :is logged in as\r\n" } else { "" };
                    Some(format!("{account}:s 318 tidings ralph :End of /WHOIS list"))
                }
                _ => None,
            });
        })]);
        let mut channel = Channel::new(settings(server.port, &[("services", services)]));
        // The services were not there at the first attempt.
        let mut again = question("ralph");
        again.attempt = 2;
        let told = letters(&channel.deliver(&[again.clone(), again]));
        let heard = server.heard().join("\n");
        assert_eq!(told, if identified { "dd" } else { "rr" }, "{services}");
        assert_eq!(heard.contains("K7QX-M2"), identified, "{services}: {heard}");
        channel.live("the queue is empty", |_| server.heard().join("\n").contains("NOTICE ralph") != identified);
        let reminded = server.heard().iter().filter(|line| line.starts_with("NOTICE ralph :")).count();
        assert_eq!(reminded, usize::from(!identified), "{services}: once");
    }
}

#[test]
fn services_that_are_split_off_delay_questions_and_nothing_else() {
    let server = Server::start(vec![scene(|talk| {
        talk.welcome();
        talk.serve(|line| {
            line.starts_with("PRIVMSG NickServ").then(|| ":s 401 tidings NickServ :No such nick".to_owned())
        });
    })]);
    let mut channel = Channel::new(settings(server.port, &[("services", "acc")]));
    let outcomes = channel.deliver(&[question("ralph"), question("ann"), single("ralph", "1")]);
    assert_eq!(letters(&outcomes), "rrd");
    let asked = server.heard().iter().filter(|line| line.starts_with("PRIVMSG NickServ")).count();
    assert_eq!(asked, 1, "one question shows that nobody answers");
    assert!(matches!(&outcomes[0], Outcome::Retry(retry) if retry.after_ms >= Some(60_000)));
}

#[test]
fn people_are_answered_and_programs_are_not() {
    let server = Server::start(vec![scene(|talk| {
        talk.welcome();
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
            talk.say(line);
        }
        talk.serve(|_| None);
    })]);
    let mut channel = Channel::new(settings(server.port, &[]));
    channel.live("an answer", |_| server.heard().iter().any(|line| line.starts_with("NOTICE")));
    assert_eq!(channel.host.submitted(), [("ralph".to_owned(), "help".to_owned())]);
    assert_eq!(server.heard(), ["NOTICE Ralph :you said: help QUIT :injected"]);
}

#[test]
fn a_command_that_changes_something_needs_an_identified_nick_and_nobody_gets_more_than_a_share() {
    let server = Server::start(vec![scene(|talk| {
        talk.welcome();
        talk.say(":ralph!r@h PRIVMSG tidings :STOP");
        talk.say(":thief!r@h PRIVMSG tidings :stop");
        for _ in 0..50 {
            talk.say(":loop!r@h PRIVMSG tidings :list filters");
        }
        talk.serve(|line| {
            let nick = line.strip_prefix("PRIVMSG NickServ :ACC ")?;
            let level = if nick == "ralph" { 3 } else { 0 };
            Some(format!(":NickServ!NickServ@services. NOTICE tidings :{nick} ACC {level}"))
        });
    })]);
    let mut channel = Channel::new(settings(server.port, &[("services", "acc")]));
    let told = |nick: &str| server.heard().iter().filter(|line| line.starts_with(&format!("NOTICE {nick} :"))).count();
    channel.live("all answers", |_| told("ralph") == 1 && told("thief") == 1 && told("loop") == 6);
    let submitted = channel.host.submitted();
    assert!(submitted.contains(&("ralph".into(), "STOP".into())), "{submitted:?}");
    assert!(submitted.iter().all(|(nick, _)| nick != "thief"), "{submitted:?}");
    assert_eq!(submitted.iter().filter(|(nick, _)| nick == "loop").count(), 6);
}
