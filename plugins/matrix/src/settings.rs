//! The settings of the channel: their declaration for administrators, and their parsed form. It must do no I/O.

use thiserror::Error;
use tidings_plugin::manifest::{credential, field, http};
use tidings_plugin::{CredentialRequest, Field, FieldKind, GrantRequest};

/// The validated settings.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The base URL of the client-server API of the homeserver, without a trailing `/`.
    pub homeserver: String,
    /// The name of the granted secret with the access token.
    pub credential: String,
}

/// Which setting is invalid, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum SettingsError {
    #[error("the setting `homeserver` must be an http or https URL without query, fragment or user name")]
    Homeserver,
    #[error("the setting `credential` is missing")]
    Credential,
}

/// The declaration of the settings.
pub fn fields() -> Vec<Field> {
    vec![
        field(
            "homeserver",
            FieldKind::Url,
            "Homeserver",
            "The URL of the API of the account, e.g. https://matrix.example.org.",
        )
        .required(),
        field(
            "credential",
            FieldKind::Text,
            "Access token",
            "The name of a granted secret with the header `authorization: Bearer …`, the token of the sending account.",
        )
        .default("token")
        .max(64),
    ]
}

/// The hosts that the plugin requests.
pub fn grants() -> Vec<GrantRequest> {
    vec![http("{homeserver}", "{homeserver}", "To send messages through the Matrix homeserver.")]
}

/// The credentials that the plugin requests. The name is the default of the setting `credential`.
pub fn credentials() -> Vec<CredentialRequest> {
    vec![credential("token", "header", "{homeserver}", "To send messages with the account of this access token.")]
}

impl Settings {
    /// Reads the settings with `get`, which returns the value or the default of a setting.
    pub fn read(get: impl Fn(&str) -> Option<String>) -> Result<Self, SettingsError> {
        let get = |name: &str| get(name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty());
        let url = get("homeserver").unwrap_or_default();
        let base = url.trim_end_matches('/');
        let rest = base.strip_prefix("https://").or_else(|| base.strip_prefix("http://"));
        if rest.is_none_or(|rest| rest.is_empty() || rest.contains(['?', '#', '@'])) {
            return Err(SettingsError::Homeserver);
        }
        let credential = get("credential").ok_or(SettingsError::Credential)?;
        Ok(Settings { homeserver: base.to_owned(), credential })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_read_and_an_error_names_the_invalid_setting() {
        let read = |url: &str, token: &str| {
            Settings::read(|name| Some(if name == "homeserver" { url.to_owned() } else { token.to_owned() }))
        };
        let settings = read("https://matrix.example.org/base/", "token").unwrap();
        assert_eq!(settings.homeserver, "https://matrix.example.org/base");
        for url in ["", "matrix.example.org", "https://", "https://a.example/?x", "https://u@a.example"] {
            assert_eq!(read(url, "token").err(), Some(SettingsError::Homeserver), "{url}");
        }
        assert_eq!(read("https://a.example", " ").err(), Some(SettingsError::Credential));
    }
}
