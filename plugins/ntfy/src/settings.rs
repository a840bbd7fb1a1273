//! The settings of the channel: their declaration for administrators, and their parsed form. It must do no I/O.

use thiserror::Error;
use tidings_plugin::manifest::{field, http};
use tidings_plugin::{Field, FieldKind, GrantRequest};

/// The validated settings.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The URL of the server, with a trailing `/`.
    pub server: String,
    /// The name of the granted secret with the access token.
    pub credential: Option<String>,
    /// The priority of all messages except confirmations, 1 to 5.
    pub priority: u8,
}

/// Which setting is invalid, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum SettingsError {
    #[error("the setting `server` must be an http or https URL without a path")]
    Server,
    #[error("the setting `priority` must be 1 to 5")]
    Priority,
}

/// The declaration of the settings.
pub fn fields() -> Vec<Field> {
    vec![
        field("server", FieldKind::Url, "Server", "The URL of ntfy.sh or of your own server.")
            .default("https://ntfy.sh"),
        field(
            "credential",
            FieldKind::Text,
            "Access token",
            "The name of a granted secret with the header `authorization: Bearer tk_…`; empty for a public server.",
        )
        .max(64),
        field("priority", FieldKind::Choice, "Priority", "1 is silent, 3 is the default, 5 is the most urgent.")
            .default("3")
            .choices(&["1", "2", "3", "4", "5"]),
    ]
}

/// The hosts that the plugin requests.
pub fn grants() -> Vec<GrantRequest> {
    vec![http("{server}", "{server}", "To publish to the ntfy server.")]
}

impl Settings {
    /// Reads the settings with `get`, which returns the value or the default of a setting. An empty text counts as unset.
    pub fn read(get: impl Fn(&str) -> Option<String>) -> Result<Self, SettingsError> {
        let get = |name: &str| get(name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty());
        let server = get("server").unwrap_or_else(|| "https://ntfy.sh".to_owned());
        let priority = get("priority").unwrap_or_else(|| "3".to_owned());
        Ok(Settings {
            server: root(&server).ok_or(SettingsError::Server)?,
            credential: get("credential"),
            priority: priority.parse().ok().filter(|p| (1..=5).contains(p)).ok_or(SettingsError::Priority)?,
        })
    }
}

/// The root URL of a server. Only it accepts JSON.
fn root(url: &str) -> Option<String> {
    let bare = url.strip_suffix('/').unwrap_or(url);
    let rest = bare.strip_prefix("https://").or_else(|| bare.strip_prefix("http://"))?;
    if rest.is_empty() || rest.contains(['/', '?', '#', '@']) { None } else { Some(format!("{bare}/")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_have_defaults_and_an_error_names_the_invalid_setting() {
        let read = |name: &str, value: &str| Settings::read(|key| (key == name).then(|| value.to_owned()));
        let defaults = read("", "").unwrap();
        assert_eq!((defaults.server.as_str(), defaults.credential, defaults.priority), ("https://ntfy.sh/", None, 3));
        assert_eq!(read("server", "http://ntfy.local:8080/").unwrap().server, "http://ntfy.local:8080/");
        for server in ["ntfy.sh", "https://", "https://a.example/ntfy", "https://a.example/?x", "https://u@a.example"] {
            assert_eq!(read("server", server).err(), Some(SettingsError::Server), "{server}");
        }
        assert_eq!(read("priority", "6").err(), Some(SettingsError::Priority));
    }
}
