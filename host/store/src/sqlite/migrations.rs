//! The migrations, embedded from `migrations/sqlite`. A published one is never edited, renumbered or removed.

use sqlx::migrate::{MigrateError, Migrator};
use sqlx::sqlite::SqliteConnection;

use super::failure::opening;
use crate::error::{Result, StoreError};

pub(super) static MIGRATIONS: Migrator = sqlx::migrate!("../../migrations/sqlite");

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
