//! The dialogue alone, line by line, on a clock of the test's.

#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test's helpers may fail it")]

mod support;

use irc::judge::Rest;
use irc::message::Message;
use irc::pace::Bucket;
use irc::session::{Heard, Session};
use irc::settings::Settings;
use support::settings;

struct Play {
    session: Session,
    settings: Settings,
    now_ms: u64,
}

impl Play {
    fn new(more: &[(&str, &str)]) -> Self {
        let settings = settings(6667, more);
        let now_ms = 1_000_000;
        Play { session: Session::new(&settings, Bucket::new(100, 0), now_ms), settings, now_ms }
    }

    fn hear(&mut self, line: &str) -> Option<Heard> {
        self.session.hear(&self.settings, &Message::parse(line.as_bytes()).unwrap(), self.now_ms)
    }

    fn after(&mut self, seconds: u64) -> Option<Heard> {
        self.now_ms += seconds * 1000;
        self.session.tick(&self.settings, self.now_ms)
    }

    fn said(&mut self) -> Vec<String> {
        std::iter::from_fn(|| self.session.next_line(self.now_ms)).collect()
    }

    fn online(more: &[(&str, &str)]) -> Self {
        let mut play = Play::new(more);
        play.hear(":s 001 tidings :hi");
        assert_eq!(play.hear(":s 422 tidings :no motd"), Some(Heard::Online));
        play.said();
        play
    }
}

fn broken(heard: Option<Heard>) -> bool {
    matches!(heard, Some(Heard::Broken(_)))
}

#[test]
fn the_servers_password_comes_first() {
    let mut play = Play::new(&[("password", "pw")]);
    assert_eq!(play.said(), ["PASS :pw", "NICK tidings", "USER tidings 0 * :Tidings"]);
}

#[test]
fn a_nick_in_use_is_worked_around_and_taken_back() {
    for (reclaim, command) in [("ghost", "GHOST"), ("regain", "REGAIN")] {
        let login = [("login", "nickserv"), ("account_password", "pw"), ("reclaim", reclaim)];
        let mut play = Play::new(&login);
        play.said();
        for (numeric, next) in [("433", "tidings_"), ("436", "tidings__"), ("437", "tiding___")] {
            assert_eq!(play.hear(&format!(":s {numeric} * tidings :Nickname is already in use")), None);
            assert_eq!(play.said(), [format!("NICK {next}")]);
        }
        play.hear(":s 001 tiding___ :hi");
        play.hear(":s 376 tiding___ :end");
        assert_eq!(play.hear(":s 900 tiding___ x tidings :You are now logged in"), Some(Heard::Online));
        play.said();
        assert_eq!(play.after(0), None);
        assert_eq!(play.said(), [format!("PRIVMSG NickServ :{command} tidings pw"), "NICK tidings".into()]);
        assert_eq!(play.hear(":s 433 tiding___ tidings :in use"), None);
        assert_eq!(play.after(30), None);
        assert!(play.said().is_empty(), "not before a minute has passed");
        play.after(31);
        assert_eq!(play.said().len(), 2);
        play.hear(":tiding___!t@h NICK :tidings");
        assert_eq!(play.session.nick(), "tidings");
        play.after(80);
        assert!(play.said().iter().all(|line| line.starts_with("PING")), "it has what it wanted");
    }
    let mut play = Play::new(&[]);
    assert!((0..11).map(|_| play.hear(":s 433 * tidings :in use")).any(broken), "it does not try for ever");
    assert!(broken(Play::new(&[]).hear(":s 432 * tidings :Erroneous nickname")));
}

#[test]
fn a_login_with_nickserv_goes_on_by_any_of_its_signs_or_by_none() {
    let login = [("login", "nickserv"), ("account", "acc"), ("account_password", "pw")];
    let begun = || {
        let mut play = Play::new(&login);
        play.said();
        play.hear(":s 001 tidings :hi");
        assert_eq!(play.hear(":s 376 tidings :end"), None);
        assert_eq!(play.said(), ["PRIVMSG NickServ :IDENTIFY acc pw"]);
        play
    };
    for sign in [
        ":s 900 tidings tidings!t@h acc :You are now logged in as acc",
        ":NickServ!NickServ@services. NOTICE tidings :You are now identified for \u{2}acc\u{2}.",
        ":NickServ!n@s NOTICE tidings :Password accepted - you are now recognized.",
    ] {
        assert_eq!(begun().hear(sign), Some(Heard::Online), "{sign}");
    }
    let mut play = begun();
    assert_eq!(play.hear(":other!o@h NOTICE tidings :You are now identified for acc."), None, "anybody can say that");
    assert_eq!(play.after(9), None);
    assert_eq!(play.after(1), Some(Heard::Online), "numeric 900 does not come everywhere");
    assert!(broken(begun().hear(":NickServ!n@s NOTICE tidings :Invalid password for acc.")));
}

#[test]
fn a_server_is_answered_and_asked_and_given_up() {
    let mut play = Play::online(&[]);
    play.hear("PING :123 4");
    assert_eq!(play.said(), ["PONG :123 4"]);
    assert_eq!(play.session.due_ms(&play.settings, play.now_ms), play.now_ms + 90_000);
    assert_eq!(play.after(90), None);
    assert_eq!(play.said(), ["PING :alive"]);
    play.hear(":s PONG s :alive");
    assert_eq!(play.after(90), None);
    assert_eq!(play.said(), ["PING :alive"]);
    assert_eq!(play.after(89), None);
    assert!(broken(play.after(1)));
    let mut mute = Play::new(&[]);
    assert_eq!(mute.after(59), None);
    assert!(broken(mute.after(1)), "no registration");
}

#[test]
fn a_server_without_the_login_that_is_wanted_is_not_used() {
    let login = [("login", "sasl-plain"), ("account_password", "pw")];
    for line in [
        ":s CAP * LS :multi-prefix",
        ":s CAP * LS :sasl=EXTERNAL",
        ":s CAP * NAK :sasl",
        ":s 421 * CAP :Unknown command",
    ] {
        assert!(broken(Play::new(&login).hear(line)), "{line}");
    }
    assert_eq!(Play::new(&login).hear(":s CAP * LS :sasl"), None);
}

#[test]
fn a_login_that_is_not_to_be_had_now_rests_shorter_than_one_that_is_wrong() {
    let login = [("login", "sasl-plain"), ("account_password", "pw")];
    for (line, minutes) in [
        (":s 904 * :SASL authentication failed", 60),
        (":s 905 * :SASL message too long", 60),
        (":s 902 * :You must use a nick assigned to you", 5),
        (":s 906 * :SASL authentication aborted", 5),
        (":s CAP * LS :multi-prefix", 5),
        (":s 001 tidings :Welcome, without a login", 5),
    ] {
        let Some(Heard::Broken(fault)) = Play::new(&login).hear(line) else { panic!("{line}") };
        assert_eq!(fault.rest, Rest::AtLeast(minutes * 60 * 1000), "{line}");
    }
    let mut play = Play::new(&login);
    play.hear(":s 903 * :SASL authentication successful");
    assert_eq!(play.hear(":s 001 tidings :Welcome"), None);
    assert_eq!(play.hear(":s 376 tidings :end"), Some(Heard::Online));
}

#[test]
fn only_the_nick_service_of_its_host_is_believed() {
    let says = |source: &str| format!(":{source} NOTICE tidings :ralph ACC 3");
    let vouched = Some(Heard::Identified { nick: "ralph".into(), yes: true });
    for (nickserv, source, believed) in [
        ("NickServ", "NickServ!s@services.example.org", true),
        ("NickServ", "nickserv!s@anywhere", true),
        ("NickServ", "Mallory!s@services.example.org", false),
        ("NickServ@services.example.org", "NickServ!s@Services.example.org", true),
        ("NickServ@services.example.org", "NickServ!s@home.example.net", false),
        ("NickServ@services.example.org", "NickServ", false),
    ] {
        let mut play = Play::online(&[("nickserv", nickserv), ("services", "acc")]);
        let heard = play.hear(&says(source));
        assert_eq!(heard, vouched.clone().filter(|_| believed), "{nickserv}: {source}");
        let question = Session::question(&play.settings, "ralph").unwrap();
        assert_eq!(question, format!("PRIVMSG {nickserv} :ACC ralph"), "sent to no other");
    }
}

#[test]
fn names_are_one_as_the_server_says() {
    for (casing, ours) in [("rfc1459", true), ("ascii", false)] {
        let mut play = Play::online(&[]);
        play.hear(&format!(":s 005 tidings CASEMAPPING={casing} :are supported"));
        play.session.join("#a[");
        play.session.join("#A{");
        assert_eq!(play.said().len(), if ours { 1 } else { 2 }, "{casing}");
    }
}

#[test]
fn the_space_for_text_follows_what_others_see_of_us() {
    let mut play = Play::online(&[]);
    let unknown = play.session.source_octets();
    play.session.join("#a");
    play.hear(":tidings!~t@host.example.org JOIN #a");
    assert_eq!(play.session.source_octets(), "tidings!~t@host.example.org".len());
    play.hear(":tidings!~t@host.example.org NICK tidings2");
    assert_eq!(play.session.source_octets(), "tidings2!~t@host.example.org".len());
    play.hear(":s 396 tidings2 hidden :is now your displayed host");
    assert_eq!(play.session.source_octets(), unknown + 1);
}

#[test]
fn a_channel_is_joined_again_after_being_thrown_out() {
    let mut play = Play::online(&[]);
    play.session.join("#A");
    play.session.join("#a");
    assert_eq!(play.said(), ["JOIN #A"]);
    play.hear(":op!o@h KICK #a tidings :out");
    play.session.join("#a");
    assert_eq!(play.said(), ["JOIN #a"]);
}
