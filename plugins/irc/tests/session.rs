//! The session without I/O: messages of the server, the lines that it sends, and its timers.

#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test may panic")]

mod support;

use irc::message::Message;
use irc::rate_limit::TokenBucket;
use irc::server_errors::ReconnectDelay;
use irc::session::{Session, SessionEvent};
use irc::settings::Settings;
use support::settings;

struct Fixture {
    session: Session,
    settings: Settings,
    now_ms: u64,
}

impl Fixture {
    fn new(more: &[(&str, &str)]) -> Self {
        let settings = settings(6667, more);
        let now_ms = 1_000_000;
        Fixture { session: Session::new(&settings, TokenBucket::new(100, 0), now_ms), settings, now_ms }
    }

    fn receive(&mut self, line: &str) -> Option<SessionEvent> {
        self.session.on_message(&self.settings, &Message::parse(line.as_bytes()).unwrap(), self.now_ms)
    }

    fn after(&mut self, seconds: u64) -> Option<SessionEvent> {
        self.now_ms += seconds * 1000;
        self.session.on_timer(&self.settings, self.now_ms)
    }

    fn sent(&mut self) -> Vec<String> {
        std::iter::from_fn(|| self.session.next_line(self.now_ms)).collect()
    }

    fn online(more: &[(&str, &str)]) -> Self {
        let mut fixture = Fixture::new(more);
        fixture.receive(":s 001 tidings :hi");
        assert_eq!(fixture.receive(":s 422 tidings :no motd"), Some(SessionEvent::Online));
        fixture.sent();
        fixture
    }
}

fn failed(event: Option<SessionEvent>) -> bool {
    matches!(event, Some(SessionEvent::Failed(_)))
}

#[test]
fn the_servers_password_comes_first() {
    let mut fixture = Fixture::new(&[("password", "pw")]);
    assert_eq!(fixture.sent(), ["PASS :pw", "NICK tidings", "USER tidings 0 * :Tidings"]);
}

#[test]
fn a_nick_in_use_is_replaced_and_reclaimed() {
    for (reclaim, command) in [("ghost", "GHOST"), ("regain", "REGAIN")] {
        let login = [("login", "nickserv"), ("account_password", "pw"), ("reclaim", reclaim)];
        let mut fixture = Fixture::new(&login);
        fixture.sent();
        for (numeric, next) in [("433", "tidings_"), ("436", "tidings__"), ("437", "tiding___")] {
            assert_eq!(fixture.receive(&format!(":s {numeric} * tidings :Nickname is already in use")), None);
            assert_eq!(fixture.sent(), [format!("NICK {next}")]);
        }
        fixture.receive(":s 001 tiding___ :hi");
        fixture.receive(":s 376 tiding___ :end");
        assert_eq!(fixture.receive(":s 900 tiding___ x tidings :You are now logged in"), Some(SessionEvent::Online));
        fixture.sent();
        assert_eq!(fixture.after(0), None);
        assert_eq!(fixture.sent(), [format!("PRIVMSG NickServ :{command} tidings pw"), "NICK tidings".into()]);
        assert_eq!(fixture.receive(":s 433 tiding___ tidings :in use"), None);
        assert_eq!(fixture.after(30), None);
        assert!(fixture.sent().is_empty(), "not before a minute has passed");
        fixture.after(31);
        assert_eq!(fixture.sent().len(), 2);
        fixture.receive(":tiding___!t@h NICK :tidings");
        assert_eq!(fixture.session.nick(), "tidings");
        fixture.after(80);
        assert!(fixture.sent().iter().all(|line| line.starts_with("PING")), "it has its nick");
    }
    let mut fixture = Fixture::new(&[]);
    assert!((0..11).map(|_| fixture.receive(":s 433 * tidings :in use")).any(failed), "the attempts are limited");
    assert!(failed(Fixture::new(&[]).receive(":s 432 * tidings :Erroneous nickname")));
}

#[test]
fn a_login_with_nickserv_ends_with_any_confirmation_or_after_a_time() {
    let login = [("login", "nickserv"), ("account", "acc"), ("account_password", "pw")];
    let begun = || {
        let mut fixture = Fixture::new(&login);
        fixture.sent();
        fixture.receive(":s 001 tidings :hi");
        assert_eq!(fixture.receive(":s 376 tidings :end"), None);
        assert_eq!(fixture.sent(), ["PRIVMSG NickServ :IDENTIFY acc pw"]);
        fixture
    };
    for sign in [
        ":s 900 tidings tidings!t@h acc :You are now logged in as acc",
        ":NickServ!NickServ@services. NOTICE tidings :You are now identified for \u{2}acc\u{2}.",
        ":NickServ!n@s NOTICE tidings :Password accepted - you are now recognized.",
    ] {
        assert_eq!(begun().receive(sign), Some(SessionEvent::Online), "{sign}");
    }
    let mut fixture = begun();
    assert_eq!(
        fixture.receive(":other!o@h NOTICE tidings :You are now identified for acc."),
        None,
        "only NickServ counts"
    );
    assert_eq!(fixture.after(9), None);
    assert_eq!(fixture.after(1), Some(SessionEvent::Online), "some networks do not send numeric 900");
    assert!(failed(begun().receive(":NickServ!n@s NOTICE tidings :Invalid password for acc.")));
}

#[test]
fn a_ping_is_answered_and_a_silent_server_is_pinged_and_given_up() {
    let mut fixture = Fixture::online(&[]);
    fixture.receive("PING :123 4");
    assert_eq!(fixture.sent(), ["PONG :123 4"]);
    assert_eq!(fixture.session.next_timer_ms(&fixture.settings, fixture.now_ms), fixture.now_ms + 90_000);
    assert_eq!(fixture.after(90), None);
    assert_eq!(fixture.sent(), ["PING :alive"]);
    fixture.receive(":s PONG s :alive");
    assert_eq!(fixture.after(90), None);
    assert_eq!(fixture.sent(), ["PING :alive"]);
    assert_eq!(fixture.after(89), None);
    assert!(failed(fixture.after(1)));
    let mut silent = Fixture::new(&[]);
    assert_eq!(silent.after(59), None);
    assert!(failed(silent.after(1)), "no registration");
}

#[test]
fn a_server_without_the_configured_login_is_not_used() {
    let login = [("login", "sasl-plain"), ("account_password", "pw")];
    for line in [
        ":s CAP * LS :multi-prefix",
        ":s CAP * LS :sasl=EXTERNAL",
        ":s CAP * NAK :sasl",
        ":s 421 * CAP :Unknown command",
    ] {
        assert!(failed(Fixture::new(&login).receive(line)), "{line}");
    }
    assert_eq!(Fixture::new(&login).receive(":s CAP * LS :sasl"), None);
}

#[test]
fn an_unavailable_login_has_a_shorter_delay_than_a_refused_one() {
    let login = [("login", "sasl-plain"), ("account_password", "pw")];
    for (line, minutes) in [
        (":s 904 * :SASL authentication failed", 60),
        (":s 905 * :SASL message too long", 60),
        (":s 902 * :You must use a nick assigned to you", 5),
        (":s 906 * :SASL authentication aborted", 5),
        (":s CAP * LS :multi-prefix", 5),
        (":s 001 tidings :Welcome, without a login", 5),
    ] {
        let Some(SessionEvent::Failed(error)) = Fixture::new(&login).receive(line) else { panic!("{line}") };
        assert_eq!(error.delay, ReconnectDelay::AtLeast(minutes * 60 * 1000), "{line}");
    }
    let mut fixture = Fixture::new(&login);
    fixture.receive(":s 903 * :SASL authentication successful");
    assert_eq!(fixture.receive(":s 001 tidings :Welcome"), None);
    assert_eq!(fixture.receive(":s 376 tidings :end"), Some(SessionEvent::Online));
}

#[test]
fn only_the_nick_service_of_the_configured_host_counts() {
    let says = |source: &str| format!(":{source} NOTICE tidings :ralph ACC 3");
    let identified = Some(SessionEvent::Identified { nick: "ralph".into(), identified: true });
    for (nickserv, source, believed) in [
        ("NickServ", "NickServ!s@services.example.org", true),
        ("NickServ", "nickserv!s@anywhere", true),
        ("NickServ", "Mallory!s@services.example.org", false),
        ("NickServ@services.example.org", "NickServ!s@Services.example.org", true),
        ("NickServ@services.example.org", "NickServ!s@home.example.net", false),
        ("NickServ@services.example.org", "NickServ", false),
    ] {
        let mut fixture = Fixture::online(&[("nickserv", nickserv), ("services", "acc")]);
        let event = fixture.receive(&says(source));
        assert_eq!(event, identified.clone().filter(|_| believed), "{nickserv}: {source}");
        let query = Session::identity_query(&fixture.settings, "ralph").unwrap();
        assert_eq!(query, format!("PRIVMSG {nickserv} :ACC ralph"), "it is sent to that service");
    }
}

#[test]
fn channels_are_compared_as_the_server_declares() {
    for (casing, ours) in [("rfc1459", true), ("ascii", false)] {
        let mut fixture = Fixture::online(&[]);
        fixture.receive(&format!(":s 005 tidings CASEMAPPING={casing} :are supported"));
        fixture.session.join("#a[");
        fixture.session.join("#A{");
        assert_eq!(fixture.sent().len(), if ours { 1 } else { 2 }, "{casing}");
    }
}

#[test]
fn the_source_follows_nick_and_host() {
    let mut fixture = Fixture::online(&[]);
    let unknown = fixture.session.source_octets();
    fixture.session.join("#a");
    fixture.receive(":tidings!~t@host.example.org JOIN #a");
    assert_eq!(fixture.session.source_octets(), "tidings!~t@host.example.org".len());
    fixture.receive(":tidings!~t@host.example.org NICK tidings2");
    assert_eq!(fixture.session.source_octets(), "tidings2!~t@host.example.org".len());
    fixture.receive(":s 396 tidings2 hidden :is now your displayed host");
    assert_eq!(fixture.session.source_octets(), unknown + 1);
}

#[test]
fn a_channel_is_joined_again_after_a_kick() {
    let mut fixture = Fixture::online(&[]);
    fixture.session.join("#A");
    fixture.session.join("#a");
    assert_eq!(fixture.sent(), ["JOIN #A"]);
    fixture.receive(":op!o@h KICK #a tidings :out");
    fixture.session.join("#a");
    assert_eq!(fixture.sent(), ["JOIN #a"]);
}
