//! The channel's settings: their form for administrators, and their meaning for the rest of the plugin.

use thiserror::Error;
use tidings_plugin::manifest::{credential, field, http};
use tidings_plugin::{CredentialRequest, Field, FieldKind, GrantRequest};

use crate::address::{Address, AddressError};

/// The name of the service account's key file among the granted secrets.
pub const SERVICE_ACCOUNT: &str = "service-account";
/// How long FCM keeps a message at most, in seconds: four weeks.
const TTL_MAX_S: u32 = 28 * 24 * 3600;
/// Unless set: a day.
const TTL_S: &str = "86400";

/// All settings, checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// None: the channel serves UnifiedPush only.
    pub fcm: Option<Fcm>,
    /// How long a message is kept for a phone that is not reached, in seconds.
    pub ttl_s: u32,
    /// It may wake the phone.
    pub urgent: bool,
    /// Endpoints may be http.
    pub plain_http: bool,
}

/// Firebase Cloud Messaging.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fcm {
    /// Where messages are sent: the API, the project and `messages:send`.
    pub url: String,
    pub form: Form,
}

/// Who shows a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Android; the app learns the rest when it is opened.
    Notification,
    /// The app, which gets data and nothing else.
    Data,
}

/// Which setting makes no sense, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum SettingsError {
    #[error("the setting `api` is no http or https URL without a path")]
    Api,
    #[error("the setting `project` is missing, or is not 6 to 30 lower-case letters, digits and `-`")]
    Project,
    #[error("the setting `form` is neither `notification` nor `data`")]
    Form,
    #[error("the setting `ttl` is no number of seconds up to four weeks")]
    Ttl,
    #[error("the setting `priority` is neither `high` nor `normal`")]
    Priority,
}

/// The settings' form.
pub fn fields() -> Vec<Field> {
    use FieldKind::{Boolean, Choice, Integer, Text, Url};
    vec![
        field(
            "api",
            Url,
            "FCM",
            "`https://fcm.googleapis.com` to reach phones by Firebase Cloud Messaging; empty for UnifiedPush only.",
        ),
        field("project", Text, "Firebase project", "The project's id, e.g. `tidings-4711`; with FCM only.").max(30),
        field(
            "token_url",
            Url,
            "Token server",
            "Where the service account's key is traded for a token: `token_uri` in the key file.",
        )
        .default("https://oauth2.googleapis.com/token"),
        field(
            "form",
            Choice,
            "Form",
            "`notification`: Android shows it, and FCM keeps four for a phone that is offline, no matter which. `data`: \
             the app shows it, and FCM keeps up to a hundred.",
        )
        .default("notification")
        .choices(&["notification", "data"]),
        field("ttl", Integer, "Kept for", "Seconds that a message waits for a phone that is offline.")
            .default(TTL_S)
            .min(0)
            .max(i64::from(TTL_MAX_S)),
        field("priority", Choice, "Priority", "`high` wakes the phone; confirmations always do.")
            .default("high")
            .choices(&["high", "normal"]),
        field("plain_http", Boolean, "Allow http", "Also endpoints without TLS, within a network of your own.")
            .default("false"),
    ]
}

/// What the plugin asks to reach. Users' own UnifiedPush servers cannot be asked for: an administrator grants their hosts.
pub fn grants() -> Vec<GrantRequest> {
    vec![
        http("{api}", "{api}", "To send messages to Firebase Cloud Messaging."),
        http("{token_url}", "{token_url}", "For the host, to get tokens for the service account."),
    ]
}

/// What the plugin asks the host to prove for it.
pub fn credentials() -> Vec<CredentialRequest> {
    let why = "To send messages as the Firebase project; the plugin sees neither the key nor the tokens made with it.";
    vec![credential(SERVICE_ACCOUNT, "google-service-account", "{api}", why).required()]
}

impl Settings {
    /// From `get`, which answers a setting's value or default. An empty text is as good as none.
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

    /// The address of a phone that this channel can reach.
    pub fn check_address(&self, text: &str) -> Result<Address, AddressError> {
        match Address::parse(text, self.plain_http)? {
            Address::Token(_) if self.fcm.is_none() => Err(AddressError::NoTokens),
            address => Ok(address),
        }
    }
}

/// The root of a server, without `/` at its end.
fn root(url: &str) -> Option<&str> {
    let bare = url.strip_suffix('/').unwrap_or(url);
    let rest = bare.strip_prefix("https://").or_else(|| bare.strip_prefix("http://"))?;
    if rest.is_empty() || rest.contains(['/', '?', '#', '@']) { None } else { Some(bare) }
}

/// Google's rule for a project's id.
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
    fn settings_are_read_with_their_defaults_and_nonsense_is_named() {
        let usual = read(&FCM).unwrap();
        let url = "https://fcm.googleapis.com/v1/projects/tidings-4711/messages:send".to_owned();
        assert_eq!(usual.fcm, Some(Fcm { url, form: Form::Notification }));
        assert_eq!((usual.ttl_s, usual.urgent, usual.plain_http), (86_400, true, false));
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
    fn without_fcm_a_token_is_no_address() {
        let (token, endpoint) = ("d1Xq_-7:APA91bxxxxxxxxxxxxxx", "https://push.example.org/Zk");
        let only = read(&[]).unwrap();
        assert_eq!(only.check_address(token), Err(AddressError::NoTokens));
        assert!(only.check_address(endpoint).is_ok());
        let both = read(&FCM).unwrap();
        assert!(both.check_address(token).is_ok() && both.check_address(endpoint).is_ok());
    }
}
