//! The channel's settings: their form for administrators, and their meaning for the rest of the plugin.

use thiserror::Error;
use tidings_plugin::manifest::{field, http};
use tidings_plugin::{Field, FieldKind, GrantRequest};

/// All settings, checked.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The server's URL with `/` at its end, to which JSON is published.
    pub server: String,
    /// The name of the access token among the granted secrets.
    pub credential: Option<String>,
    /// Of everything but confirmations: 1 to 5.
    pub priority: u8,
}

/// Which setting makes no sense, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum SettingsError {
    #[error("the setting `server` is no http or https URL without a path")]
    Server,
    #[error("the setting `priority` is not 1 to 5")]
    Priority,
}

/// The settings' form.
pub fn fields() -> Vec<Field> {
    vec![
        field("server", FieldKind::Url, "Server", "ntfy.sh, or a server of your own.").default("https://ntfy.sh"),
        field(
            "credential",
            FieldKind::Text,
            "Access token",
            "The name of a granted secret with the header `authorization: Bearer tk_…`; empty where anybody may publish.",
        )
        .max(64),
        field("priority", FieldKind::Choice, "Priority", "1 is silent, 3 usual, 5 insists.")
            .default("3")
            .choices(&["1", "2", "3", "4", "5"]),
    ]
}

/// What the plugin asks to reach.
pub fn grants() -> Vec<GrantRequest> {
    vec![http("{server}", "{server}", "To publish to the ntfy server.")]
}

impl Settings {
    /// From `get`, which answers a setting's value or default. An empty text is as good as none.
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

/// The root of a server; JSON is taken there only.
fn root(url: &str) -> Option<String> {
    let bare = url.strip_suffix('/').unwrap_or(url);
    let rest = bare.strip_prefix("https://").or_else(|| bare.strip_prefix("http://"))?;
    if rest.is_empty() || rest.contains(['/', '?', '#', '@']) { None } else { Some(format!("{bare}/")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_read_with_their_defaults_and_nonsense_is_named() {
        let read = |name: &str, value: &str| Settings::read(|key| (key == name).then(|| value.to_owned()));
        let usual = read("", "").unwrap();
        assert_eq!((usual.server.as_str(), usual.credential, usual.priority), ("https://ntfy.sh/", None, 3));
        assert_eq!(read("server", "http://ntfy.local:8080/").unwrap().server, "http://ntfy.local:8080/");
        for server in ["ntfy.sh", "https://", "https://a.example/ntfy", "https://a.example/?x", "https://u@a.example"] {
            assert_eq!(read("server", server).err(), Some(SettingsError::Server), "{server}");
        }
        assert_eq!(read("priority", "6").err(), Some(SettingsError::Priority));
    }
}
