//! The channel's settings: their form for administrators, and their meaning for the rest of the plugin.

use thiserror::Error;
use tidings_plugin::manifest::{field, http};
use tidings_plugin::{Field, FieldKind, GrantRequest};
use url::Url;

use crate::address::{self, AddressError};
use crate::signature::{SecretError, Signer};
use crate::template::{self, Body, TemplateError};

/// Where deliveries go.
#[derive(Clone, Debug)]
pub enum Target {
    /// To the web address that each user gave.
    Users { plain_http: bool },
    /// To one URL for all, a template; a user's address is a name in it.
    One {
        url: String,
        /// It is another one for each user.
        personal: bool,
    },
}

/// All settings, checked.
#[derive(Clone)]
pub struct Settings {
    pub target: Target,
    pub signer: Signer,
    /// What is sent instead of the whole delivery.
    pub body: Option<Body>,
    /// A secret of the host's that is added to requests, at the channel's only URL.
    pub credential: Option<String>,
}

/// Which setting makes no sense, and why.
#[derive(Debug, Error)]
pub enum SettingsError {
    #[error("the setting `secret` is missing")]
    NoSecret,
    #[error("the setting `secret`: {0}")]
    Secret(SecretError),
    #[error("the setting `{0}`: {1}")]
    Template(&'static str, TemplateError),
    #[error("the setting `url` is no http or https URL")]
    Url,
    #[error("the setting `url`: http needs the setting `plain_http`")]
    PlainHttp,
    #[error("the setting `credential` needs the setting `url`: no secret is sent to users' addresses")]
    Credential,
}

/// The settings' form.
pub fn fields() -> Vec<Field> {
    use FieldKind::{Boolean, Text};
    vec![
        field(
            "secret",
            Text,
            "Signing secret",
            "`whsec_` and the base64 of 24 to 64 random bytes. While it is replaced: the new one, a space, the old one.",
        )
        .required()
        .max(200)
        .secret(),
        field(
            "url",
            FieldKind::Url,
            "One URL for all",
            "Empty: each user gives a web address. Else all deliveries go here; `{address}` and `{user}` in its path or \
             query stand for what the user gave and for the account.",
        ),
        field(
            "body",
            Text,
            "Body",
            "A JSON document with fields in its texts, e.g. `{\"text\": \"{title} {link}\"}`; the whole delivery unless given. \
             Fields: id, kind, user, address, filter, title, text, link, topic, application, agent, time, code.",
        )
        .max(4000),
        field("plain_http", Boolean, "Allow http", "Also URLs without TLS, within a network of your own.").default("false"),
        field(
            "credential",
            Text,
            "Credential",
            "The name of a granted secret that is added to each request as a header; only with one URL for all.",
        )
        .max(64),
    ]
}

/// What the plugin asks to reach. Users' own addresses cannot be asked for: an administrator grants their hosts.
pub fn grants() -> Vec<GrantRequest> {
    vec![http("{url}", "{url}", "To send notifications to the one URL for all.")]
}

impl Settings {
    /// From `get`, which answers a setting's value or default. An empty text is as good as none.
    pub fn read(get: impl Fn(&str) -> Option<String>) -> Result<Self, SettingsError> {
        let target = Target::read(&get)?;
        let credential = filled(&get, "credential");
        if credential.is_some() && matches!(target, Target::Users { .. }) {
            return Err(SettingsError::Credential);
        }
        let secret = filled(&get, "secret").ok_or(SettingsError::NoSecret)?;
        let body = filled(&get, "body").map(|text| Body::parse(&text)).transpose();
        Ok(Settings {
            target,
            signer: Signer::parse(&secret).map_err(SettingsError::Secret)?,
            body: body.map_err(|error| SettingsError::Template("body", error))?,
            credential,
        })
    }
}

impl Target {
    /// The same, of what an address depends on.
    pub fn read(get: impl Fn(&str) -> Option<String>) -> Result<Self, SettingsError> {
        let plain_http = filled(&get, "plain_http").as_deref() == Some("true");
        match filled(&get, "url") {
            None => Ok(Target::Users { plain_http }),
            Some(url) => one(url, plain_http),
        }
    }

    /// The address of a user in its normal form.
    pub fn check_address(&self, text: &str) -> Result<String, AddressError> {
        match self {
            Target::Users { plain_http } => address::web(text, *plain_http),
            Target::One { .. } => address::name(text),
        }
    }
}

fn filled(get: impl Fn(&str) -> Option<String>, name: &str) -> Option<String> {
    get(name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty())
}

fn one(url: String, plain_http: bool) -> Result<Target, SettingsError> {
    template::check(&url).map_err(|error| SettingsError::Template("url", error))?;
    match Url::parse(&url) {
        Ok(parsed) if parsed.scheme() == "https" || (parsed.scheme() == "http" && plain_http) => {
            let personal = url.contains("{address}") || url.contains("{user}");
            Ok(Target::One { url, personal })
        }
        Ok(parsed) if parsed.scheme() == "http" => Err(SettingsError::PlainHttp),
        _ => Err(SettingsError::Url),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: (&str, &str) = ("secret", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");

    fn read(values: &[(&str, &str)]) -> Result<Settings, String> {
        let get = |name: &str| values.iter().rev().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned());
        Settings::read(get).map_err(|error| error.to_string())
    }

    #[test]
    fn an_address_is_what_the_settings_make_of_it() {
        let users = read(&[SECRET]).unwrap().target;
        assert_eq!(users.check_address("https://A.example"), Ok("https://a.example/".into()));
        assert!(users.check_address("http://a.example").is_err());
        assert!(read(&[SECRET, ("plain_http", "true")]).unwrap().target.check_address("http://a.example").is_ok());
        let one = read(&[SECRET, ("url", "https://h.example/in?u={address}")]).unwrap().target;
        assert_eq!(one.check_address(" ralph "), Ok("ralph".into()));
    }

    #[test]
    fn an_address_is_judged_also_without_the_secret() {
        let get = |_: &str| None;
        assert_eq!(Target::read(get).unwrap().check_address("https://A.example"), Ok("https://a.example/".into()));
    }

    #[test]
    fn a_setting_that_makes_no_sense_is_named_and_the_secret_is_not_quoted() {
        for (name, value) in [
            ("secret", "whsec_short"),
            ("url", "ftp://h.example/"),
            ("url", "http://h.example/"),
            ("url", "https://h.example/{nobody}"),
            ("body", "no json"),
            ("body", r#"["{nothing}"]"#),
            ("credential", "token"),
        ] {
            let error = read(&[SECRET, (name, value)]).err().unwrap();
            assert!(error.contains(name) && !error.contains("short"), "{name}: {error}");
        }
        assert!(read(&[]).err().unwrap().contains("secret"));
    }
}
