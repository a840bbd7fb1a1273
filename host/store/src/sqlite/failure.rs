//! Errors inside the SQLite store, before they become `StoreError`: which are caused by one statement's data, and which
//! by the environment (disk, locks, the file itself).

use std::sync::Arc;

use sqlx::Error;

use crate::error::StoreError;

/// Why a transaction failed.
#[derive(Debug)]
pub(super) enum WriteFailure {
    Sql(Error),
    Store(StoreError),
}

impl From<Error> for WriteFailure {
    fn from(error: Error) -> WriteFailure {
        WriteFailure::Sql(error)
    }
}

impl From<StoreError> for WriteFailure {
    fn from(error: StoreError) -> WriteFailure {
        WriteFailure::Store(error)
    }
}

/// Primary result codes of SQLite: <https://www.sqlite.org/rescode.html>.
const CORRUPT: i32 = 11;
const TOO_BIG: i32 = 18;
const CONSTRAINT: i32 = 19;
const NOT_A_DATABASE: i32 = 26;

impl WriteFailure {
    /// Whether the data of one call is the cause: its group would succeed without it.
    pub(super) fn is_own(&self) -> bool {
        match self {
            WriteFailure::Sql(error) => matches!(code(error), Some(CONSTRAINT | TOO_BIG)),
            WriteFailure::Store(error) => !matches!(error, StoreError::Unavailable { .. }),
        }
    }

    /// The error for callers; `doing` completes "unavailable while it …". A file found damaged while it is in use
    /// counts as unavailable: callers keep their work and retry until an administrator acts.
    pub(super) fn into_error(self, doing: &'static str) -> StoreError {
        match self {
            WriteFailure::Store(error) => error,
            WriteFailure::Sql(error) => match code(&error) {
                Some(CONSTRAINT | TOO_BIG) => StoreError::Refused { what: "row", detail: error.to_string() },
                _ => StoreError::Unavailable { doing, source: Arc::new(error) },
            },
        }
    }
}

/// The error of opening the database `path`, which may be damaged or no database at all.
pub(super) fn opening(error: Error, path: &str, doing: &'static str) -> StoreError {
    match code(&error) {
        Some(CORRUPT | NOT_A_DATABASE) => StoreError::Corrupt { path: path.to_owned(), detail: error.to_string() },
        _ => StoreError::Unavailable { doing, source: Arc::new(error) },
    }
}

/// SQLite's primary result code, where the error came from SQLite.
fn code(error: &Error) -> Option<i32> {
    let extended: i32 = error.as_database_error()?.code()?.parse().ok()?;
    Some(extended & 0xff)
}

/// The error for a column that does not hold what this program writes.
pub(super) fn damaged(what: &'static str, detail: impl std::fmt::Display) -> WriteFailure {
    WriteFailure::Store(StoreError::Damaged { what, detail: detail.to_string() })
}

/// The error for an object that does not exist.
pub(super) fn missing(what: &'static str, name: &str) -> WriteFailure {
    WriteFailure::Store(StoreError::Missing { what, name: name.to_owned() })
}
