//! The channel's settings: their fields for administrators, and their parsed values. The daemon has checked kinds and
//! choices; this module checks what is specific to mail.

use thiserror::Error;
use tidings_plugin::manifest::{field, net};
use tidings_plugin::text::{HeaderSafe, Unsafe};
use tidings_plugin::{Field, FieldKind, GrantRequest};

use crate::address::{Address, AddressError};

/// How the connection is protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tls {
    /// Never encrypts, even where the server offers it.
    None,
    /// Encrypts where the server offers it. Verifies no certificate, since the alternative is plain text.
    Opportunistic,
    /// Encrypts by STARTTLS with a valid certificate, or fails.
    Required,
    /// Encrypts from the first byte with a valid certificate (port 465).
    Implicit,
}

/// An address with its display name, which may be empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mailbox {
    pub name: HeaderSafe,
    pub address: Address,
}

#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    pub username: String,
    pub password: String,
}

/// The parsed settings.
#[derive(Clone)]
pub struct Settings {
    pub host: String,
    pub port: u16,
    pub tls: Tls,
    pub credentials: Option<Credentials>,
    /// The header From.
    pub from: Mailbox,
    /// The address for bounces.
    pub envelope_from: Address,
    /// The name of this client in EHLO.
    pub helo: String,
    pub subject_prefix: HeaderSafe,
    pub list_id: HeaderSafe,
    pub footer: String,
}

/// Which setting is invalid, and why.
#[derive(Debug, Error)]
pub enum SettingsError {
    #[error("the setting `{0}` is missing")]
    Missing(&'static str),
    #[error("the setting `{0}` is invalid: expected {1}")]
    Invalid(&'static str, &'static str),
    #[error("the setting `{0}` is invalid: {1}")]
    Address(&'static str, AddressError),
    #[error("the setting `{0}` is invalid: {1}")]
    Unsafe(&'static str, Unsafe),
    #[error("only one of the settings `username` and `password` is set; set both or neither")]
    HalfCredentials,
}

/// The fields of the settings, for administrators.
pub fn fields() -> Vec<Field> {
    use FieldKind::{Choice, Host, Port, Text};
    vec![
        field("host", Host, "Mail server", "The relay that accepts mail for all addresses.").required(),
        field("port", Port, "Port", "25 for a relay, 587 for submission, 465 with `implicit`.").default("25"),
        field(
            "tls",
            Choice,
            "Encryption",
            "none; opportunistic: STARTTLS where offered, any certificate (with a password it is treated as required); \
             required: STARTTLS with a valid certificate; implicit: TLS from the first byte.",
        )
        .default("opportunistic")
        .choices(&["none", "opportunistic", "required", "implicit"]),
        field("username", Text, "User name", "For AUTH PLAIN or LOGIN; empty where the relay needs none.").max(255),
        field("password", Text, "Password", "For AUTH.").max(255).secret(),
        field("from", Text, "From", "The sender, e.g. `Tidings <notifications@example.org>`.").required().max(320),
        field("envelope_from", Text, "Bounce address", "Where bounces go; by default the address in From.").max(254),
        field("helo", Text, "Name in EHLO", "This host's public name; by default the domain of From.").max(255),
        field("subject_prefix", Text, "Subject prefix", "Added before each subject.").max(78),
        field("list_id", Text, "List-Id", "For mail filters; by default `tidings.` and the domain of From.").max(255),
        field("footer", Text, "Footer", "A line at the end of each mail.").max(500),
    ]
}

/// The network access that the plugin requests.
pub fn grants() -> Vec<GrantRequest> {
    vec![net("{host}", "{port}", "To send mail to the mail server.")]
}

impl Settings {
    /// Parses the settings. `get` returns the value or the default of a setting; an empty text counts as unset.
    pub fn read(get: impl Fn(&str) -> Option<String>) -> Result<Self, SettingsError> {
        let get = |name: &str| get(name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty());
        let need = |name| get(name).ok_or(SettingsError::Missing(name));
        let line = |name| match HeaderSafe::refuse(&get(name).unwrap_or_default()) {
            Ok(line) => Ok(line),
            Err(error) => Err(SettingsError::Unsafe(name, error)),
        };

        let from = mailbox(&need("from")?)?;
        let domain = from.address.domain().to_owned();
        let envelope_from = match get("envelope_from") {
            Some(text) => Address::parse(&text).map_err(|error| SettingsError::Address("envelope_from", error))?,
            None => from.address.clone(),
        };
        let credentials = match (get("username"), get("password")) {
            (None, None) => None,
            (Some(username), Some(password)) if !username.contains('\0') && !password.contains('\0') => {
                Some(Credentials { username, password })
            }
            _ => return Err(SettingsError::HalfCredentials),
        };
        Ok(Settings {
            host: need("host")?,
            port: port(get("port"))?,
            tls: tls(get("tls"))?,
            credentials,
            envelope_from,
            helo: helo(get("helo"), &domain)?,
            subject_prefix: line("subject_prefix")?,
            list_id: list_id(line("list_id")?, &domain)?,
            footer: get("footer").unwrap_or_default(),
            from,
        })
    }
}

fn port(value: Option<String>) -> Result<u16, SettingsError> {
    match value.as_deref().unwrap_or("25").parse() {
        Ok(port) if port != 0 => Ok(port),
        _ => Err(SettingsError::Invalid("port", "a port number")),
    }
}

fn tls(value: Option<String>) -> Result<Tls, SettingsError> {
    match value.as_deref() {
        Some("none") => Ok(Tls::None),
        None | Some("opportunistic") => Ok(Tls::Opportunistic),
        Some("required") => Ok(Tls::Required),
        Some("implicit") => Ok(Tls::Implicit),
        Some(_) => Err(SettingsError::Invalid("tls", "one of its choices")),
    }
}

fn helo(value: Option<String>, domain: &str) -> Result<String, SettingsError> {
    match value {
        None if domain.is_ascii() => Ok(domain.to_owned()),
        None => Ok("localhost".to_owned()),
        Some(name) if name.bytes().all(|byte| byte.is_ascii_graphic()) => Ok(name),
        Some(_) => Err(SettingsError::Invalid("helo", "a host name")),
    }
}

fn list_id(value: HeaderSafe, domain: &str) -> Result<HeaderSafe, SettingsError> {
    let bare = value.as_str().trim_start_matches('<').trim_end_matches('>');
    let bare = if bare.is_empty() { format!("tidings.{domain}") } else { bare.to_owned() };
    if bare.contains(['<', '>', ' ']) {
        return Err(SettingsError::Invalid("list_id", "letters, digits, dots and hyphens"));
    }
    HeaderSafe::refuse(&bare).map_err(|error| SettingsError::Unsafe("list_id", error))
}

/// Parses `Name <address>`, `"Name" <address>` or an address alone.
fn mailbox(text: &str) -> Result<Mailbox, SettingsError> {
    let (name, address) = match text.strip_suffix('>').and_then(|text| text.rsplit_once('<')) {
        Some((name, address)) => (name.trim().trim_matches('"'), address),
        None => ("", text),
    };
    Ok(Mailbox {
        name: HeaderSafe::refuse(name).map_err(|error| SettingsError::Unsafe("from", error))?,
        address: Address::parse(address).map_err(|error| SettingsError::Address("from", error))?,
    })
}

#[cfg(test)]
mod tests {
    use tidings_plugin::testing;

    use super::*;

    fn read(values: &[(&str, &str)]) -> Result<Settings, String> {
        Settings::read(testing::config(values)).map_err(|error| error.to_string())
    }

    const LEAST: [(&str, &str); 2] = [("host", "mx.example.org"), ("from", "Tidings <tidings@Example.org>")];

    #[test]
    fn host_and_from_are_enough() {
        let settings = read(&LEAST).unwrap();
        assert_eq!((settings.port, settings.tls), (25, Tls::Opportunistic));
        assert_eq!(settings.from.name.as_str(), "Tidings");
        assert_eq!(settings.envelope_from.as_str(), "tidings@example.org");
        assert_eq!(settings.helo, "example.org");
        assert_eq!(settings.list_id.as_str(), "tidings.example.org");
        assert!(settings.credentials.is_none());
    }

    #[test]
    fn an_error_names_the_invalid_setting() {
        for (name, value) in [
            ("from", "nobody"),
            ("from", "Evil\r\nBcc: x <tidings@example.org>"),
            ("envelope_from", "no address"),
            ("port", "0"),
            ("tls", "perhaps"),
            ("helo", "two words"),
            ("subject_prefix", "a\r\nBcc: x@example.org"),
            ("list_id", "a <b> c"),
            ("username", "half"),
        ] {
            let error = read(&[&LEAST[..], &[(name, value)]].concat()).err().unwrap();
            assert!(error.contains(name), "{name}: {error}");
        }
        assert!(read(&LEAST[..1]).err().unwrap().contains("from"));
    }
}
