//! The errors of the store. Their texts are for logs and administrators.

use std::sync::Arc;

/// Why a call failed. Nothing was written, unless the variant says otherwise.
#[derive(Clone, Debug, thiserror::Error)]
pub enum StoreError {
    #[error("another daemon uses the database {path}")]
    Locked { path: String },
    #[error("the database {path} is damaged: {detail}. Nothing was changed; see docs/runbook.md")]
    Corrupt { path: String, detail: String },
    #[error("the database {path} was written by a newer version (schema {found}, this program knows {known})")]
    Newer { path: String, found: i64, known: i64 },
    /// Sealed secrets cannot be read. Nothing was changed; with the right key they can be read again.
    #[error("the key file {path}: {detail}")]
    Key { path: String, detail: String },
    #[error("no {what} named {name}")]
    Missing { what: &'static str, name: String },
    #[error("{what} {name} exists already")]
    Exists { what: &'static str, name: String },
    /// Another object depends on it.
    #[error("the {what} is in use by {by}")]
    InUse { what: &'static str, by: String },
    /// A full disk, an I/O error, a lock, a closed store: the caller may try again later.
    #[error("the store is unavailable while it {doing}")]
    Unavailable {
        doing: &'static str,
        #[source]
        source: Arc<dyn std::error::Error + Send + Sync>,
    },
    /// The data breaks a constraint of the schema. Trying again does not help.
    #[error("the store refuses this {what}: {detail}")]
    Refused { what: &'static str, detail: String },
    /// A row does not contain what this program writes.
    #[error("a stored {what} cannot be read: {detail}")]
    Damaged { what: &'static str, detail: String },
}

pub type Result<T, E = StoreError> = std::result::Result<T, E>;
