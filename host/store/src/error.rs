//! Why the store could not do something, in words for the log and the administrator.

use std::sync::Arc;

/// Why the store could not do it. Nothing was written, unless it says otherwise.
#[derive(Clone, Debug, thiserror::Error)]
pub enum StoreError {
    #[error("another daemon uses the database {path}")]
    Locked { path: String },
    #[error("the database {path} is damaged: {detail}. Nothing was changed; see docs/runbook.md")]
    Corrupt { path: String, detail: String },
    #[error("the database {path} was written by a newer version (schema {found}, this program knows {known})")]
    Newer { path: String, found: i64, known: i64 },
    /// What was sealed cannot be read. Nothing was changed, and the right key makes all of it good again.
    #[error("the key file {path}: {detail}")]
    Key { path: String, detail: String },
    #[error("no {what} named {name}")]
    Missing { what: &'static str, name: String },
    #[error("{what} {name} exists already")]
    Exists { what: &'static str, name: String },
    /// Something else needs it.
    #[error("the {what} is in use by {by}")]
    InUse { what: &'static str, by: String },
    /// Full disk, I/O error, a closed pool: try again later.
    #[error("the store is unavailable while it {doing}")]
    Unavailable {
        doing: &'static str,
        #[source]
        source: Arc<dyn std::error::Error + Send + Sync>,
    },
    /// What is to be written breaks a rule of the schema. Trying again will not help.
    #[error("the store refuses this {what}: {detail}")]
    Refused { what: &'static str, detail: String },
    /// A row does not hold what this program writes.
    #[error("a stored {what} cannot be read: {detail}")]
    Damaged { what: &'static str, detail: String },
}

pub type Result<T, E = StoreError> = std::result::Result<T, E>;
