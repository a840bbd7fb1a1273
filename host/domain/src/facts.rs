//! The facts of a message, for matching, and its text, for users. Plain data: the catalogue extracts the facts and
//! renders the text.

use serde::{Deserialize, Serialize};

/// How much a message matters, as fedora-messaging numbers it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    Debug,
    Info,
    Warning,
    Error,
}

impl Severity {
    /// The severity for fedora-messaging's number: 10 debug, 20 info, 30 warning, 40 error.
    pub const fn from_number(number: u64) -> Option<Severity> {
        match number {
            10 => Some(Severity::Debug),
            20 => Some(Severity::Info),
            30 => Some(Severity::Warning),
            40 => Some(Severity::Error),
            _ => None,
        }
    }
}

/// What matching needs to know of a message. Lists are sorted, without duplicates, and bounded by `limits::FACT_ITEMS`.
/// A fact that the message lacks, or has in an unexpected shape, is empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// The name of the application in the catalogue; none if no application claims the topic.
    pub application: Option<String>,
    pub usernames: Vec<String>,
    pub packages: Vec<String>,
    pub containers: Vec<String>,
    pub modules: Vec<String>,
    pub flatpaks: Vec<String>,
    pub groups: Vec<String>,
    /// The account that caused the message.
    pub agent: Option<String>,
    pub severity: Option<Severity>,
    /// The entry of the catalogue that gave these facts.
    pub(crate) entry: Option<EntryId>,
}

/// Which entry of the catalogue a message belongs to. Only the catalogue that made it can read it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct EntryId {
    /// The position of the application.
    pub(crate) application: usize,
    /// The position of the entry in the application; none for the application's defaults.
    pub(crate) entry: Option<usize>,
}

/// The text of a message, for users.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Text {
    /// What kind of message it is; for most, the topic without prefix and environment.
    pub title: String,
    /// One line that describes the event; the title if there is none.
    pub subtitle: String,
    /// A longer description; the subtitle if there is none.
    pub long_form: Option<String>,
    pub link: Option<String>,
    pub icon: Option<String>,
    pub secondary_icon: Option<String>,
    /// Paths of the objects that the message is about, sorted.
    pub objects: Vec<String>,
    /// The object that the message belongs to (a package, an update, a ticket), so that mail clients can thread.
    pub thread: Option<String>,
    /// Templates that failed on this message, and how. Their fallback text is used.
    pub problems: Vec<String>,
}
