//! The login of the plugin, and the identity of users, over sockets.

#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test may panic")]

mod support;

use support::server::{Server, script};
use support::{Channel, confirmation, pause_ms, settings, single};
use tidings_plugin::Outcome;
use tidings_plugin::testing::{letters, reason};

const HOUR_MS: u64 = 3600 * 1000;

#[test]
fn it_logs_in_with_sasl_and_pauses_after_a_refusal() {
    let login = |result: &'static str| {
        vec![script(move |client| {
            client.until("CAP LS 302");
            client.send(":s CAP * LS * :multi-prefix");
            client.send(":s CAP * LS :sasl=PLAIN,EXTERNAL away-notify");
            client.until("CAP REQ :sasl");
            client.send(":s CAP * ACK :sasl");
            client.until("AUTHENTICATE ");
            client.send("AUTHENTICATE +");
            client.until("AUTHENTICATE ");
            client.send(result);
            client.until("CAP END");
            client.send(":s 001 tidings :hi");
            client.send(":s 422 tidings :no motd");
            client.serve(|_| None);
        })]
    };
    let plain = [("login", "sasl-plain"), ("account", "acc"), ("account_password", "pw")];
    let server = Server::start(login(":s 903 * :SASL authentication successful"));
    let mut channel = Channel::new(settings(server.port, &plain));
    assert_eq!(letters(&channel.deliver(&[single("a", "1")])), "d");
    // The payload is the account, twice, and the password, separated by NUL.
    let expected = ["CAP LS 302", "CAP REQ :sasl", "AUTHENTICATE PLAIN", "AUTHENTICATE YWNjAGFjYwBwdw==", "CAP END"];
    assert_eq!(server.received()[..5], expected);

    let server = Server::start(login(":s 903 * :SASL authentication successful"));
    let mut channel = Channel::new(settings(server.port, &[("login", "sasl-external"), ("tls", "true")]));
    assert_eq!(letters(&channel.deliver(&[single("a", "1")])), "d");
    assert_eq!(server.received()[2..4], ["AUTHENTICATE EXTERNAL", "AUTHENTICATE +"]);
    let options = channel.host.tls()[0].clone().unwrap();
    assert_eq!(options.identity.as_deref(), Some("identity"));

    let server = Server::start(login(":s 904 * :SASL authentication failed"));
    let mut channel = Channel::new(settings(server.port, &plain));
    let outcomes = channel.deliver(&[single("a", "1")]);
    assert!(pause_ms(&outcomes[0]) >= HOUR_MS && reason(&outcomes[0]).contains("failed"), "{outcomes:?}");
}

#[test]
fn a_confirmation_is_sent_to_an_identified_nick_only() {
    for (services, identified) in [("acc", true), ("acc", false), ("status", true), ("whois", true), ("whois", false)] {
        let server = Server::start(vec![script(move |client| {
            client.welcome();
            let level = if identified { 3 } else { 1 };
            client.serve(move |line| match line {
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
        // The services were away at the first attempt.
        let mut again = confirmation("ralph");
        again.attempt = 2;
        let outcomes = letters(&channel.deliver(&[again.clone(), again]));
        let received = server.received().join("\n");
        assert_eq!(outcomes, if identified { "dd" } else { "rr" }, "{services}");
        assert_eq!(received.contains("K7QX-M2"), identified, "{services}: {received}");
        channel.wake_until("the request to identify", |_| {
            server.received().join("\n").contains("NOTICE ralph") != identified
        });
        let requests = server.received().iter().filter(|line| line.starts_with("NOTICE ralph :")).count();
        assert_eq!(requests, usize::from(!identified), "{services}: once");
    }
}

#[test]
fn missing_services_delay_confirmations_only() {
    let server = Server::start(vec![script(|client| {
        client.welcome();
        client.serve(|line| {
            line.starts_with("PRIVMSG NickServ").then(|| ":s 401 tidings NickServ :No such nick".to_owned())
        });
    })]);
    let mut channel = Channel::new(settings(server.port, &[("services", "acc")]));
    let outcomes = channel.deliver(&[confirmation("ralph"), confirmation("ann"), single("ralph", "1")]);
    assert_eq!(letters(&outcomes), "rrd");
    let asked = server.received().iter().filter(|line| line.starts_with("PRIVMSG NickServ")).count();
    assert_eq!(asked, 1, "one query shows that the services are away");
    assert!(matches!(&outcomes[0], Outcome::Retry(retry) if retry.after_ms >= Some(60_000)));
}
