//! The channel's settings, parsed. `fields` describes them for administrators.

mod fields;

pub use fields::{credentials, fields, grants};

use thiserror::Error;
use tidings_plugin::text::HeaderSafe;

use crate::address;
use crate::message::{Casing, Message};

/// The name of the client certificate among the granted credentials.
pub const IDENTITY: &str = "identity";

/// How the plugin logs in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Login {
    None,
    SaslPlain,
    /// By the client certificate of the TLS connection.
    SaslExternal,
    /// By `IDENTIFY`, after registration.
    NickServ,
}

/// How to check that the user of a nick is identified as its owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Services {
    /// `ACC nick` to NickServ (Atheme).
    Acc,
    /// `STATUS nick` to NickServ (Anope).
    Status,
    /// By numerics 330 and 307 of WHOIS.
    Whois,
    /// No check: the network has no services.
    None,
}

/// How to get back a nick that another client uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reclaim {
    Ghost,
    Regain,
    /// Waits until it is free.
    Wait,
}

/// The parsed settings.
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
    /// The nick of the service that knows identities; with `@` and a host, the service must have that host.
    pub nickserv: String,
    pub reclaim: Reclaim,
    pub services: Services,
    pub burst: u64,
    pub interval_ms: u64,
    pub reconnect_ms: u64,
    /// Whether to join a channel before writing to it.
    pub join: bool,
    pub links: bool,
    pub digest_lines: usize,
    /// The age from which a message is dropped, in milliseconds.
    pub perishable_ms: u64,
    /// The command for replies: `NOTICE` or `PRIVMSG`.
    pub reply: &'static str,
}

/// Which setting is invalid, and why.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum SettingsError {
    #[error("the setting `{0}` is missing")]
    Missing(&'static str),
    #[error("the setting `{0}` is invalid: expected {1}")]
    Invalid(&'static str, &'static str),
}

impl Settings {
    /// Whether a message is from the service that knows nicks.
    pub fn is_from_nickserv(&self, message: &Message, casing: Casing) -> bool {
        let (name, host) = self.nickserv.split_once('@').unwrap_or((&self.nickserv, ""));
        let hosted = host.is_empty() || host.eq_ignore_ascii_case(message.host());
        hosted && message.nick().is_some_and(|nick| casing.same(nick, name))
    }

    /// Parses the settings. `get` returns the value or the default of a setting; an empty text counts as unset.
    pub fn read(get: impl Fn(&str) -> Option<String>) -> Result<Self, SettingsError> {
        let get = |name: &str| get(name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty());
        let number = |name: &'static str, default: u64| match get(name) {
            None => Ok(default),
            Some(value) => value.parse().map_err(|_| SettingsError::Invalid(name, "a number")),
        };
        let word = |name: &'static str, default: &str| {
            let word = get(name).unwrap_or_else(|| default.to_owned());
            let valid = word.bytes().all(|byte| byte.is_ascii_graphic()) && !word.starts_with(':');
            if valid { Ok(word) } else { Err(SettingsError::Invalid(name, "a single word")) }
        };
        let nick = word("nick", "tidings")?;
        if address::is_channel(&nick) || address::parse(&nick).is_err() {
            return Err(SettingsError::Invalid("nick", "a nick of IRC"));
        }
        let login = login(get("login"))?;
        let account_password = secret("account_password", get("account_password"))?.unwrap_or_default();
        if account_password.is_empty() && matches!(login, Login::SaslPlain | Login::NickServ) {
            return Err(SettingsError::Missing("account_password"));
        }
        let tls = get("tls").is_none_or(|value| value == "true");
        if login == Login::SaslExternal && !tls {
            return Err(SettingsError::Invalid(
                "login",
                "another login without TLS: sasl-external uses its certificate",
            ));
        }
        Ok(Settings {
            host: get("host").ok_or(SettingsError::Missing("host"))?,
            port: u16::try_from(number("port", 6697)?).map_err(|_| SettingsError::Invalid("port", "a port number"))?,
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
        Some(_) => Err(SettingsError::Invalid("login", "one of its choices")),
    }
}

/// A text that is sent unchanged as part of a line.
fn secret(name: &'static str, value: Option<String>) -> Result<Option<String>, SettingsError> {
    match value {
        Some(text) if HeaderSafe::refuse(&text).is_err() => Err(SettingsError::Invalid(name, "a single line")),
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
    fn a_host_is_enough_and_the_fields_have_the_same_defaults() {
        let bare = read(&[("host", "irc.example.org")]).unwrap();
        let fields = fields();
        let default = |name: &str| fields.iter().find(|field| field.name == name)?.default.clone();
        let formed =
            Settings::read(|name| default(name).or((name == "host").then(|| "irc.example.org".into()))).unwrap();
        assert_eq!(format!("{:?}", Settings { realname: bare.realname.clone(), ..formed }), format!("{bare:?}"));
        assert_eq!((bare.burst, bare.interval_ms, bare.port, bare.tls), (5, 2000, 6697, true));
    }

    #[test]
    fn an_error_names_the_invalid_setting() {
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
