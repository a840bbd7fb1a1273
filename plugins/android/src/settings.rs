//! The settings of the channel: their declaration for administrators, and their parsed form. It must do no I/O.

use thiserror::Error;
use tidings_plugin::manifest::{credential, field, http};
use tidings_plugin::{CredentialRequest, Field, FieldKind, GrantRequest};

use crate::address::{Address, AddressError};

/// The name of the granted secret with the key file of the service account.
pub const SERVICE_ACCOUNT: &str = "service-account";
/// The longest time that FCM keeps a message, in seconds: four weeks.
const TTL_MAX_S: u32 = 28 * 24 * 3600;
/// The default of the setting `ttl`, in seconds: a day.
const TTL_S: &str = "86400";

/// The validated settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// `None`: the channel supports only UnifiedPush.
    pub fcm: Option<Fcm>,
    /// How long the push service keeps a message for a phone that is offline, in seconds.
    pub ttl_s: u32,
    /// Messages may wake the phone.
    pub urgent: bool,
    /// Endpoints may use http.
    pub plain_http: bool,
}

/// The settings of Firebase Cloud Messaging.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fcm {
    /// The URL for messages: the API, the project and `messages:send`.
    pub url: String,
    pub form: Form,
}

/// Which part of the phone shows a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Android shows it; the app gets the other fields when the user opens it.
    Notification,
    /// The app shows it; the message has data and no notification.
    Data,
}

/// Which setting is invalid, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum SettingsError {
    #[error("the setting `api` must be an http or https URL without a path")]
    Api,
    #[error("the setting `project` is required, with 6 to 30 lower-case letters, digits and `-`")]
    Project,
    #[error("the setting `form` must be `notification` or `data`")]
    Form,
    #[error("the setting `ttl` must be a number of seconds up to four weeks")]
    Ttl,
    #[error("the setting `priority` must be `high` or `normal`")]
    Priority,
}

/// The declaration of the settings.
pub fn fields() -> Vec<Field> {
    use FieldKind::{Boolean, Choice, Integer, Text, Url};
    vec![
        field(
            "api",
            Url,
            "FCM",
            "`https://fcm.googleapis.com` to reach phones through Firebase Cloud Messaging; empty for UnifiedPush only.",
        ),
        field("project", Text, "Firebase project", "The id of the project, e.g. `tidings-4711`; only with FCM.").max(30),
        field(
            "token_url",
            Url,
            "Token server",
            "The server that issues access tokens for the service account: `token_uri` in the key file.",
        )
        .default("https://oauth2.googleapis.com/token"),
        field(
            "form",
            Choice,
            "Form",
            "`notification`: Android shows the message, and FCM keeps any four for a phone that is offline. `data`: the \
             app shows the message, and FCM keeps up to a hundred.",
        )
        .default("notification")
        .choices(&["notification", "data"]),
        field("ttl", Integer, "Kept for", "How long a message is kept for a phone that is offline, in seconds.")
            .default(TTL_S)
            .min(0)
            .max(i64::from(TTL_MAX_S)),
        field("priority", Choice, "Priority", "`high` wakes the phone; confirmations always do.")
            .default("high")
            .choices(&["high", "normal"]),
        field("plain_http", Boolean, "Allow http", "Allows endpoints without TLS, for your own network.").default("false"),
    ]
}

/// The hosts that the plugin requests. It cannot know the UnifiedPush servers of users: an administrator grants their hosts.
pub fn grants() -> Vec<GrantRequest> {
    vec![
        http("{api}", "{api}", "To send messages to Firebase Cloud Messaging."),
        http("{token_url}", "{token_url}", "For the host, to get access tokens for the service account."),
    ]
}

/// The credentials that the plugin requests.
pub fn credentials() -> Vec<CredentialRequest> {
    let why = "To send messages as the Firebase project; the plugin sees neither the key nor the access tokens.";
    vec![credential(SERVICE_ACCOUNT, "google-service-account", "{api}", why).required()]
}

impl Settings {
    /// Reads the settings with `get`, which returns the value or the default of a setting. An empty text counts as unset.
    pub fn read(get: impl Fn(&str) -> Option<String>) -> Result<Self, SettingsError> {
        let get = |name: &str| get(name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty());
        let form = match get("form").as_deref() {
            None | Some("notification") => Form::Notification,
            Some("data") => Form::Data,
            Some(_) => return Err(SettingsError::Form),
        };
        let fcm = match get("api") {
            None => None,
            Some(api) => {
                let root = root(&api).ok_or(SettingsError::Api)?;
                let project = get("project").filter(|id| is_project(id)).ok_or(SettingsError::Project)?;
                Some(Fcm { url: format!("{root}/v1/projects/{project}/messages:send"), form })
            }
        };
        let ttl = get("ttl").unwrap_or_else(|| TTL_S.to_owned());
        Ok(Settings {
            fcm,
            ttl_s: ttl.parse().ok().filter(|ttl| *ttl <= TTL_MAX_S).ok_or(SettingsError::Ttl)?,
            urgent: match get("priority").as_deref() {
                None | Some("high") => true,
                Some("normal") => false,
                Some(_) => return Err(SettingsError::Priority),
            },
            plain_http: get("plain_http").as_deref() == Some("true"),
        })
    }

    /// Parses an address. Fails if it is invalid, or if it is a token and the channel has no Firebase project.
    pub fn check_address(&self, text: &str) -> Result<Address, AddressError> {
        match Address::parse(text, self.plain_http)? {
            Address::Token(_) if self.fcm.is_none() => Err(AddressError::TokenUnsupported),
            address => Ok(address),
        }
    }
}

/// The URL of a server without a path and without a trailing `/`.
fn root(url: &str) -> Option<&str> {
    let bare = url.strip_suffix('/').unwrap_or(url);
    let rest = bare.strip_prefix("https://").or_else(|| bare.strip_prefix("http://"))?;
    if rest.is_empty() || rest.contains(['/', '?', '#', '@']) { None } else { Some(bare) }
}

/// Whether the text follows the rules of Google for the id of a project.
fn is_project(id: &str) -> bool {
    (6..=30).contains(&id.len())
        && id.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        && id.starts_with(|c: char| c.is_ascii_lowercase())
        && !id.ends_with('-')
}

#[cfg(test)]
mod tests {
    use super::*;

    const FCM: [(&str, &str); 2] = [("api", "https://fcm.googleapis.com"), ("project", "tidings-4711")];

    fn read(values: &[(&str, &str)]) -> Result<Settings, SettingsError> {
        Settings::read(|name| values.iter().rev().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned()))
    }

    #[test]
    fn settings_have_defaults_and_an_error_names_the_invalid_setting() {
        let defaults = read(&FCM).unwrap();
        let url = "https://fcm.googleapis.com/v1/projects/tidings-4711/messages:send".to_owned();
        assert_eq!(defaults.fcm, Some(Fcm { url, form: Form::Notification }));
        assert_eq!((defaults.ttl_s, defaults.urgent, defaults.plain_http), (86_400, true, false));
        for (name, value, expected) in [
            ("api", "fcm.googleapis.com", SettingsError::Api),
            ("api", "https://fcm.googleapis.com/v1", SettingsError::Api),
            ("api", "https://", SettingsError::Api),
            ("project", "", SettingsError::Project),
            ("project", "../other", SettingsError::Project),
            ("project", "Tidings-4711", SettingsError::Project),
            ("form", "both", SettingsError::Form),
            ("ttl", "2419201", SettingsError::Ttl),
            ("ttl", "-1", SettingsError::Ttl),
            ("priority", "highest", SettingsError::Priority),
        ] {
            assert_eq!(read(&[FCM[0], FCM[1], (name, value)]), Err(expected), "{name} {value}");
        }
    }

    #[test]
    fn without_fcm_a_token_is_an_invalid_address() {
        let (token, endpoint) = ("d1Xq_-7:APA91bxxxxxxxxxxxxxx", "https://push.example.org/Zk");
        let push_only = read(&[]).unwrap();
        assert_eq!(push_only.check_address(token), Err(AddressError::TokenUnsupported));
        assert!(push_only.check_address(endpoint).is_ok());
        let both = read(&FCM).unwrap();
        assert!(both.check_address(token).is_ok() && both.check_address(endpoint).is_ok());
    }
}
