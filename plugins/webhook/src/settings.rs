//! The settings of the channel: their declaration for administrators, and their parsed form. It must do no I/O.

use thiserror::Error;
use tidings_plugin::manifest::{field, http};
use tidings_plugin::{Field, FieldKind, GrantRequest};
use url::Url;

use crate::address::{self, AddressError};
use crate::signature::{SecretError, Signer};
use crate::template::{self, Body, TemplateError};

/// Where deliveries are sent.
#[derive(Clone, Debug)]
pub enum Target {
    /// To the URL of each user; an address is a URL.
    PerUser { plain_http: bool },
    /// To one URL for all users, a template; an address is a name for it.
    Shared {
        url: String,
        /// The URL differs between users.
        personal: bool,
    },
}

/// The validated settings.
#[derive(Clone)]
pub struct Settings {
    pub target: Target,
    pub signer: Signer,
    /// The template of the body; `None`: the body is the whole delivery.
    pub body: Option<Body>,
    /// The name of a granted secret that the host adds to requests, only with a shared URL.
    pub credential: Option<String>,
}

/// Which setting is invalid, and why.
#[derive(Debug, Error)]
pub enum SettingsError {
    #[error("the setting `secret` is missing")]
    MissingSecret,
    #[error("the setting `secret`: {0}")]
    Secret(SecretError),
    #[error("the setting `{0}`: {1}")]
    Template(&'static str, TemplateError),
    #[error("the setting `url` must be an http or https URL")]
    Url,
    #[error("the setting `url`: http needs the setting `plain_http`")]
    PlainHttp,
    #[error("the setting `credential` needs the setting `url`: secrets are not sent to the addresses of users")]
    Credential,
}

/// The declaration of the settings.
pub fn fields() -> Vec<Field> {
    use FieldKind::{Boolean, Text};
    vec![
        field(
            "secret",
            Text,
            "Signing secret",
            "`whsec_` and the base64 of 24 to 64 random bytes. To replace a secret: the new one, a space, the old one.",
        )
        .required()
        .max(200)
        .secret(),
        field(
            "url",
            FieldKind::Url,
            "One URL for all",
            "Empty: each user gives a URL. Otherwise all deliveries are sent to this URL; `{address}` and `{user}` in its \
             path or query are replaced by the address and the account of the user.",
        ),
        field(
            "body",
            Text,
            "Body",
            "A JSON document with fields in its texts, e.g. `{\"text\": \"{title} {link}\"}`. Empty: the whole delivery. \
             Fields: id, kind, user, address, filter, title, text, link, topic, application, agent, time, code.",
        )
        .max(4000),
        field("plain_http", Boolean, "Allow http", "Allows URLs without TLS, for your own network.").default("false"),
        field(
            "credential",
            Text,
            "Credential",
            "The name of a granted secret that is added to each request as a header; only with one URL for all users.",
        )
        .max(64),
    ]
}

/// The hosts that the plugin requests. It cannot know the URLs of users: an administrator grants their hosts.
pub fn grants() -> Vec<GrantRequest> {
    vec![http("{url}", "{url}", "To send notifications to the URL for all users.")]
}

impl Settings {
    /// Reads the settings with `get`, which returns the value or the default of a setting. An empty text counts as unset.
    pub fn read(get: impl Fn(&str) -> Option<String>) -> Result<Self, SettingsError> {
        let target = Target::read(&get)?;
        let credential = non_empty(&get, "credential");
        if credential.is_some() && matches!(target, Target::PerUser { .. }) {
            return Err(SettingsError::Credential);
        }
        let secret = non_empty(&get, "secret").ok_or(SettingsError::MissingSecret)?;
        let body = non_empty(&get, "body").map(|text| Body::parse(&text)).transpose();
        Ok(Settings {
            target,
            signer: Signer::parse(&secret).map_err(SettingsError::Secret)?,
            body: body.map_err(|error| SettingsError::Template("body", error))?,
            credential,
        })
    }
}

impl Target {
    /// Reads only the settings that addresses depend on.
    pub fn read(get: impl Fn(&str) -> Option<String>) -> Result<Self, SettingsError> {
        let plain_http = non_empty(&get, "plain_http").as_deref() == Some("true");
        match non_empty(&get, "url") {
            None => Ok(Target::PerUser { plain_http }),
            Some(url) => shared(url, plain_http),
        }
    }

    /// Parses the address of a user and returns its normal form.
    pub fn check_address(&self, text: &str) -> Result<String, AddressError> {
        match self {
            Target::PerUser { plain_http } => address::web(text, *plain_http),
            Target::Shared { .. } => address::name(text),
        }
    }
}

fn non_empty(get: impl Fn(&str) -> Option<String>, name: &str) -> Option<String> {
    get(name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty())
}

fn shared(url: String, plain_http: bool) -> Result<Target, SettingsError> {
    template::check(&url).map_err(|error| SettingsError::Template("url", error))?;
    match Url::parse(&url) {
        Ok(parsed) if parsed.scheme() == "https" || (parsed.scheme() == "http" && plain_http) => {
            let personal = url.contains("{address}") || url.contains("{user}");
            Ok(Target::Shared { url, personal })
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
    fn an_address_is_a_url_or_with_a_shared_url_a_name() {
        let per_user = read(&[SECRET]).unwrap().target;
        assert_eq!(per_user.check_address("https://A.example"), Ok("https://a.example/".into()));
        assert!(per_user.check_address("http://a.example").is_err());
        assert!(read(&[SECRET, ("plain_http", "true")]).unwrap().target.check_address("http://a.example").is_ok());
        let shared = read(&[SECRET, ("url", "https://h.example/in?u={address}")]).unwrap().target;
        assert_eq!(shared.check_address(" ralph "), Ok("ralph".into()));
    }

    #[test]
    fn an_address_is_checked_without_the_secret() {
        let get = |_: &str| None;
        assert_eq!(Target::read(get).unwrap().check_address("https://A.example"), Ok("https://a.example/".into()));
    }

    #[test]
    fn an_error_names_the_invalid_setting_and_does_not_quote_the_secret() {
        for (name, value) in [
            ("secret", "whsec_short"),
            ("url", "ftp://h.example/"),
            ("url", "http://h.example/"),
            ("url", "https://h.example/{unknown}"),
            ("body", "not json"),
            ("body", r#"["{unknown}"]"#),
            ("credential", "token"),
        ] {
            let error = read(&[SECRET, (name, value)]).err().unwrap();
            assert!(error.contains(name) && !error.contains("short"), "{name}: {error}");
        }
        assert!(read(&[]).err().unwrap().contains("secret"));
    }
}
