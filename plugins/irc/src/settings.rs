//! The channel's settings: their form for administrators, and their meaning for the rest of the plugin.

use thiserror::Error;
use tidings_plugin::manifest::{credential, field, net};
use tidings_plugin::text::HeaderSafe;
use tidings_plugin::{CredentialRequest, Field, FieldKind, GrantRequest};

use crate::address;
use crate::message::{Casing, Message};

/// The name of the granted client certificate.
pub const IDENTITY: &str = "identity";

/// How the plugin proves who it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Login {
    None,
    SaslPlain,
    /// By the client certificate of the TLS connection.
    SaslExternal,
    /// `IDENTIFY`, after registration.
    NickServ,
}

/// How to learn whether the person behind a nick is the one who registered it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Services {
    /// `ACC nick` to NickServ (Atheme).
    Acc,
    /// `STATUS nick` to NickServ (Anope).
    Status,
    /// Numerics 330 and 307 of WHOIS.
    Whois,
    /// Not at all: the network has no services.
    None,
}

/// How to get back the nick that somebody else has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reclaim {
    Ghost,
    Regain,
    /// Wait until it is free.
    Wait,
}

/// All settings, checked.
#[derive(Clone, Debug)]
pub struct Settings {
    pub host: String,
    pub port: u16,
    pub tls: bool,
    /// For PASS.
    pub password: Option<String>,
    pub nick: String,
    pub username: String,
    pub realname: HeaderSafe,
    pub login: Login,
    pub account: String,
    pub account_password: String,
    /// Who is asked about nicks: a nick, and the host that it must have where `@` and one follow.
    pub nickserv: String,
    pub reclaim: Reclaim,
    pub services: Services,
    pub burst: u64,
    pub interval_ms: u64,
    pub reconnect_ms: u64,
    /// Join a channel before writing to it.
    pub join: bool,
    pub links: bool,
    pub digest_lines: usize,
    /// A message that is older than this is dropped.
    pub perishable_ms: u64,
    /// `NOTICE` or `PRIVMSG`: how commands are answered.
    pub reply: &'static str,
}

/// Which setting makes no sense, and why.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum SettingsError {
    #[error("the setting `{0}` is missing")]
    Missing(&'static str),
    #[error("the setting `{0}` is no {1}")]
    Not(&'static str, &'static str),
}

/// The settings' form.
pub fn fields() -> Vec<Field> {
    use FieldKind::{Boolean, Choice, Host, Port, Text};
    vec![
        field("host", Host, "Server", "The network's server, e.g. `irc.libera.chat`.").required(),
        field("port", Port, "Port", "6697 with TLS, usually 6667 without.").default("6697"),
        field("tls", Boolean, "TLS", "Encrypt, with a certificate that is good for the server's name.").default("true"),
        field("password", Text, "Server password", "For PASS; most networks have none.").max(200).secret(),
        field("nick", Text, "Nick", "What the plugin is called on the network.").default("tidings").max(30),
        field("username", Text, "User name", "Shown before the host.").default("tidings").max(9),
        field("realname", Text, "Real name", "Shown in WHOIS.").default("Tidings notifications").max(100),
        field(
            "login",
            Choice,
            "Login",
            "sasl-plain: account and password, before registration; sasl-external: the granted client certificate; \
             nickserv: IDENTIFY, after it.",
        )
        .default("none")
        .choices(&["none", "sasl-plain", "sasl-external", "nickserv"]),
        field("account", Text, "Account", "The nick unless given.").max(100),
        field("account_password", Text, "Account's password", "For sasl-plain and nickserv.").max(200).secret(),
        field("nickserv", Text, "Nick service", "Who is asked about nicks; with a host, `NickServ@services.example.org`, nobody else is believed.")
            .default("NickServ")
            .max(100),
        field("reclaim", Choice, "Reclaim the nick", "By which command; wait: take it when it is free.")
            .default("ghost")
            .choices(&["ghost", "regain", "wait"]),
        field(
            "services",
            Choice,
            "Identified?",
            "How to learn whether a nick's owner has it: acc (Atheme, libera), status (Anope), whois; none: anybody who \
             has the nick is taken for its owner.",
        )
        .default("acc")
        .choices(&["acc", "status", "whois", "none"]),
        number("burst", "Burst", "Lines that may go out at once.", 5, (1, 1000)),
        number("interval_ms", "Interval", "After the burst one line each so many milliseconds.", 2000, (1, 10_000)),
        number("reconnect_ms", "Reconnect", "The first wait after a lost connection: milliseconds.", 5000, (100, 300_000)),
        field("join", Boolean, "Join channels", "Join a channel before writing to it.").default("true"),
        field("links", Choice, "Links", "full, or none. Links are not shortened.").default("full").choices(&["full", "none"]),
        number("digest_lines", "Lines of a digest", "The rest is counted.", 5, (1, 50)),
        number("perishable_minutes", "Perishable", "A message that is older is dropped, not sent; a digest is not.", 60, (1, 10_080)),
        field("reply", Choice, "Answer commands by", "notice is never answered by a well-behaved bot.")
            .default("notice")
            .choices(&["notice", "privmsg"]),
    ]
}

fn number(name: &str, label: &str, help: &str, default: i64, (min, max): (i64, i64)) -> Field {
    field(name, FieldKind::Integer, label, help).default(&default.to_string()).min(min).max(max)
}

/// What the plugin asks to reach.
pub fn grants() -> Vec<GrantRequest> {
    vec![net("{host}", "{port}", "To keep a connection to the network.")]
}

/// What the plugin asks the host to hold for it.
pub fn credentials() -> Vec<CredentialRequest> {
    let why = "Proves who the channel is where `login` is sasl-external.";
    vec![credential(IDENTITY, "client-certificate", "{host}", why)]
}

impl Settings {
    /// Whether a line is from the service that is asked about nicks.
    pub fn is_from_nickserv(&self, message: &Message, casing: Casing) -> bool {
        let (name, host) = self.nickserv.split_once('@').unwrap_or((&self.nickserv, ""));
        let hosted = host.is_empty() || host.eq_ignore_ascii_case(message.host());
        hosted && message.nick().is_some_and(|nick| casing.same(nick, name))
    }

    /// From `get`, which answers a setting's value or default. An empty text is as good as none.
    pub fn read(get: impl Fn(&str) -> Option<String>) -> Result<Self, SettingsError> {
        let get = |name: &str| get(name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty());
        let number = |name: &'static str, default: u64| match get(name) {
            None => Ok(default),
            Some(value) => value.parse().map_err(|_| SettingsError::Not(name, "number")),
        };
        let word = |name: &'static str, default: &str| {
            let word = get(name).unwrap_or_else(|| default.to_owned());
            let good = word.bytes().all(|byte| byte.is_ascii_graphic()) && !word.starts_with(':');
            if good { Ok(word) } else { Err(SettingsError::Not(name, "single word")) }
        };
        let nick = word("nick", "tidings")?;
        if address::is_channel(&nick) || address::parse(&nick).is_err() {
            return Err(SettingsError::Not("nick", "nick"));
        }
        let login = login(get("login"))?;
        let account_password = secret("account_password", get("account_password"))?.unwrap_or_default();
        if account_password.is_empty() && matches!(login, Login::SaslPlain | Login::NickServ) {
            return Err(SettingsError::Missing("account_password"));
        }
        let tls = get("tls").is_none_or(|value| value == "true");
        if login == Login::SaslExternal && !tls {
            return Err(SettingsError::Not("login", "login without TLS: sasl-external is by its certificate"));
        }
        Ok(Settings {
            host: get("host").ok_or(SettingsError::Missing("host"))?,
            port: u16::try_from(number("port", 6697)?).map_err(|_| SettingsError::Not("port", "port"))?,
            tls,
            password: secret("password", get("password"))?,
            username: word("username", "tidings")?,
            realname: HeaderSafe::flatten(&get("realname").unwrap_or_else(|| "Tidings".to_owned())),
            login,
            account: word("account", &nick)?,
            account_password,
            nickserv: word("nickserv", "NickServ")?,
            reclaim: match get("reclaim").as_deref() {
                Some("regain") => Reclaim::Regain,
                Some("wait") => Reclaim::Wait,
                _ => Reclaim::Ghost,
            },
            services: match get("services").as_deref() {
                Some("status") => Services::Status,
                Some("whois") => Services::Whois,
                Some("none") => Services::None,
                _ => Services::Acc,
            },
            burst: number("burst", 5)?,
            interval_ms: number("interval_ms", 2000)?.max(1),
            reconnect_ms: number("reconnect_ms", 5000)?,
            join: get("join").is_none_or(|value| value == "true"),
            links: get("links").is_none_or(|value| value == "full"),
            digest_lines: usize::try_from(number("digest_lines", 5)?).unwrap_or(usize::MAX),
            perishable_ms: number("perishable_minutes", 60)? * 60 * 1000,
            reply: if get("reply").as_deref() == Some("privmsg") { "PRIVMSG" } else { "NOTICE" },
            nick,
        })
    }
}

fn login(value: Option<String>) -> Result<Login, SettingsError> {
    match value.as_deref() {
        None | Some("none") => Ok(Login::None),
        Some("sasl-plain") => Ok(Login::SaslPlain),
        Some("sasl-external") => Ok(Login::SaslExternal),
        Some("nickserv") => Ok(Login::NickServ),
        Some(_) => Err(SettingsError::Not("login", "way to log in")),
    }
}

/// A text that goes into a line as it is.
fn secret(name: &'static str, value: Option<String>) -> Result<Option<String>, SettingsError> {
    match value {
        Some(text) if HeaderSafe::refuse(&text).is_err() => Err(SettingsError::Not(name, "single line")),
        value => Ok(value),
    }
}

#[cfg(test)]
mod tests {
    use tidings_plugin::testing;

    use super::*;

    fn read(values: &[(&str, &str)]) -> Result<Settings, String> {
        Settings::read(testing::config(values)).map_err(|error| error.to_string())
    }

    #[test]
    fn a_host_is_enough_and_the_form_says_the_same_defaults() {
        let bare = read(&[("host", "irc.example.org")]).unwrap();
        let fields = fields();
        let default = |name: &str| fields.iter().find(|field| field.name == name)?.default.clone();
        let formed =
            Settings::read(|name| default(name).or((name == "host").then(|| "irc.example.org".into()))).unwrap();
        assert_eq!(format!("{:?}", Settings { realname: bare.realname.clone(), ..formed }), format!("{bare:?}"));
        assert_eq!((bare.burst, bare.interval_ms, bare.port, bare.tls), (5, 2000, 6697, true));
    }

    #[test]
    fn a_setting_that_makes_no_sense_is_named() {
        for (name, value) in [
            ("nick", "#channel"),
            ("nick", "two words"),
            ("nick", "NickServ"),
            ("username", "a b"),
            ("password", "a\r\nOPER x"),
            ("login", "perhaps"),
            ("account", ":x"),
            ("burst", "many"),
            ("port", "70000"),
        ] {
            let error = read(&[("host", "h"), (name, value)]).err().unwrap();
            assert!(error.contains(name), "{name}: {error}");
        }
        assert!(read(&[]).err().unwrap().contains("host"));
        assert!(read(&[("host", "h"), ("login", "nickserv")]).err().unwrap().contains("account_password"));
        assert!(read(&[("host", "h"), ("login", "sasl-external"), ("tls", "false")]).err().unwrap().contains("login"));
    }
}
