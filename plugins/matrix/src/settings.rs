//! The channel's settings: their form for administrators, and their meaning for the rest of the plugin.

use thiserror::Error;
use tidings_plugin::manifest::{credential, field, http};
use tidings_plugin::{CredentialRequest, Field, FieldKind, GrantRequest};

/// All settings, checked.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The base URL of the homeserver's client-server API, without `/` at its end.
    pub homeserver: String,
    /// The name of the access token among the granted secrets.
    pub credential: String,
}

/// Which setting makes no sense, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum SettingsError {
    #[error("the setting `homeserver` is no http or https URL")]
    Homeserver,
    #[error("the setting `credential` is missing")]
    Credential,
}

/// The settings' form.
pub fn fields() -> Vec<Field> {
    vec![
        field("homeserver", FieldKind::Url, "Homeserver", "Where the account's API is, e.g. https://matrix.example.org.")
            .required(),
        field(
            "credential",
            FieldKind::Text,
            "Access token",
            "The name of a granted secret with the header `authorization: Bearer …`, the token of the account that writes.",
        )
        .default("token")
        .max(64),
    ]
}

/// What the plugin asks to reach.
pub fn grants() -> Vec<GrantRequest> {
    vec![http("{homeserver}", "{homeserver}", "To write to people by the Matrix homeserver.")]
}

/// The secret that it asks for, by the name that the setting `credential` has unless told.
pub fn credentials() -> Vec<CredentialRequest> {
    vec![credential("token", "header", "{homeserver}", "To write as the account whose access token it is.")]
}

impl Settings {
    /// From `get`, which answers a setting's value or default.
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
    fn settings_are_read_and_nonsense_is_named() {
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
