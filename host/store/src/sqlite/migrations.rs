//! The migrations, embedded from `migrations/sqlite`. A published one is never edited, renumbered or removed.
//! The macro of sqlx does the same, but links sqlx and SQLite into the compiler, so that both are compiled twice.

use std::sync::LazyLock;

use include_dir::{Dir, File, include_dir};
use sqlx::SqlSafeStr as _;
use sqlx::migrate::{MigrateError, Migration, MigrationType, Migrator};
use sqlx::sqlite::SqliteConnection;

use super::failure::opening;
use crate::error::{Result, StoreError};

static FILES: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/../../migrations/sqlite");

/// All migrations, in the order of their versions.
pub(super) static MIGRATIONS: LazyLock<Migrator> =
    LazyLock::new(|| Migrator::with_migrations(FILES.files().filter_map(migration).collect()));

/// The migration in a file named `VERSION_DESCRIPTION.sql`; `None` for other files.
fn migration(file: &'static File<'_>) -> Option<Migration> {
    let (version, description) = file.path().file_name()?.to_str()?.strip_suffix(".sql")?.split_once('_')?;
    let (version, description) = (version.parse().ok()?, description.replace('_', " "));
    let sql = file.contents_utf8()?.into_sql_str();
    Some(Migration::new(version, description.into(), MigrationType::Simple, sql, false))
}

/// The schema that this program works with; a database that was opened has it.
pub fn schema_version() -> i64 {
    MIGRATIONS.iter().map(|migration| migration.version).max().unwrap_or(0)
}

/// Applies the migrations that the database `name` lacks.
pub(super) async fn run(connection: &mut SqliteConnection, name: &str) -> Result<()> {
    MIGRATIONS.run(connection).await.map_err(|error| match error {
        MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => {
            opening(error, name, "migrates the database")
        }
        other => StoreError::Damaged { what: "schema", detail: other.to_string() },
    })
}
