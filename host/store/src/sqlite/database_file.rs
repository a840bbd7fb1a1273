//! Opening a database file: the lock that excludes a second daemon, the check for damage, the refusal of a newer
//! schema, and then the migrations. Nothing is changed before all checks have passed.

use std::fs::{DirBuilder, File, OpenOptions as FileOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqliteSynchronous};
use sqlx::{ConnectOptions as _, Connection as _};

use super::failure::opening;
use super::migrations::{self, schema_version};
use crate::error::{Result, StoreError};
use crate::limits::STORE_BUSY;

/// Who opens the database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// The daemon, of which there is one: it holds the lock while it runs.
    Daemon,
    /// A command, possibly beside a daemon. It takes the lock only where the database is new or of an older version.
    Tool,
}

/// A database that passed all checks.
pub(super) struct OpenDatabase {
    pub(super) options: SqliteConnectOptions,
    pub(super) connection: SqliteConnection,
    pub(super) lock: Option<File>,
}

/// Opens, checks and migrates.
pub(super) async fn open(path: &Path, mode: Mode) -> Result<OpenDatabase> {
    let name = path.display().to_string();
    create_directory(path)?;
    let known = schema_version();
    let mut lock = None;
    // A tool that finds the current schema leaves the lock to the daemon.
    let current = mode == Mode::Tool && !is_new(path) && schema(path, &name, known).await? == known;
    if !current {
        lock = Some(take_lock(path, &name)?);
        if is_new(path) {
            create_file(path)?;
        } else {
            check(path, &name).await?;
            schema(path, &name, known).await?;
        }
    }
    let options_for_writing = writing(path);
    let unavailable = |error: sqlx::Error| opening(error, &name, "opens the database");
    let mut connection = options_for_writing.connect().await.map_err(unavailable)?;
    if !current {
        migrations::run(&mut connection, &name).await?;
    }
    if mode == Mode::Tool {
        lock = None;
    }
    Ok(OpenDatabase { options: options_for_writing, connection, lock })
}

/// The options of all connections. Statements are never logged, since a log of them contains users' values.
fn basic(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new().filename(path).busy_timeout(STORE_BUSY).foreign_keys(true).disable_statement_logging()
}

/// The options of a connection that only reads.
pub(super) fn reading(path: &Path) -> SqliteConnectOptions {
    basic(path).read_only(true)
}

fn writing(path: &Path) -> SqliteConnectOptions {
    basic(path)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        // 128 MiB, in KiB: random inserts into the indexes of ids and of users stay in memory under a backlog.
        .pragma("cache_size", "-131072")
        // The journal of a statement is small.
        .pragma("temp_store", "memory")
        // 128 MiB, in pages of 4 KiB: a page that many commits change is copied to the database once.
        .pragma("wal_autocheckpoint", "32768")
        // 128 MiB, in bytes: the log is truncated to that size.
        .pragma("journal_size_limit", "134217728")
}

fn is_new(path: &Path) -> bool {
    path.metadata().map_or(true, |metadata| metadata.len() == 0)
}

fn create_directory(path: &Path) -> Result<()> {
    let Some(directory) = path.parent().filter(|directory| !directory.as_os_str().is_empty()) else { return Ok(()) };
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(directory).map_err(|error| file_error("creates the directory of the database", directory, &error))
}

/// Readable by its owner only; SQLite gives its other files the same permissions.
fn private() -> FileOptions {
    let mut options = FileOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

fn create_file(path: &Path) -> Result<()> {
    private().open(path).map_err(|error| file_error("creates the database", path, &error))?;
    Ok(())
}

/// Locks a file beside the database; the system releases the lock when the process ends.
fn take_lock(path: &Path, name: &str) -> Result<File> {
    let mut lock = path.as_os_str().to_owned();
    lock.push(".lock");
    let lock = PathBuf::from(lock);
    let file = private().open(&lock).map_err(|error| file_error("creates the lock file", &lock, &error))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(StoreError::Locked { path: name.to_owned() }),
        Err(TryLockError::Error(error)) => Err(file_error("takes the lock", &lock, &error)),
    }
}

fn file_error(doing: &'static str, path: &Path, error: &io::Error) -> StoreError {
    let source = io::Error::new(error.kind(), format!("{}: {error}", path.display()));
    StoreError::Unavailable { doing, source: Arc::new(source) }
}

/// Looks for damage, reading the whole file; the report has five lines at most.
async fn check(path: &Path, name: &str) -> Result<()> {
    let failed = |error: sqlx::Error| opening(error, name, "checks the database");
    let mut connection = reading(path).connect().await.map_err(failed)?;
    let found: Vec<String> =
        sqlx::query_scalar("PRAGMA quick_check(5)").fetch_all(&mut connection).await.map_err(failed)?;
    connection.close().await.map_err(failed)?;
    match found.as_slice() {
        [line] if line == "ok" => Ok(()),
        lines => Err(StoreError::Corrupt { path: name.to_owned(), detail: lines.join("; ") }),
    }
}

/// The schema's version, 0 where there is none yet. A newer one than `known` is refused.
async fn schema(path: &Path, name: &str, known: i64) -> Result<i64> {
    let failed = |error: sqlx::Error| opening(error, name, "reads the schema's version");
    let mut connection = reading(path).connect().await.map_err(failed)?;
    let table: Option<i64> = sqlx::query_scalar("SELECT 1 FROM sqlite_master WHERE name = '_sqlx_migrations'")
        .fetch_optional(&mut connection)
        .await
        .map_err(failed)?;
    let found = match table {
        None => 0,
        Some(_) => sqlx::query_scalar("SELECT coalesce(max(version), 0) FROM _sqlx_migrations WHERE success")
            .fetch_one(&mut connection)
            .await
            .map_err(failed)?,
    };
    connection.close().await.map_err(failed)?;
    if found > known {
        return Err(StoreError::Newer { path: name.to_owned(), found, known });
    }
    Ok(found)
}
