//! Components and their files. A file is written in parts, each in a transaction of its own, so that what waits to be
//! delivered gets its turns in between; the row that names the component comes last and makes it exist.

use sqlx::FromRow;
use sqlx::sqlite::SqliteConnection;
use tidings_domain::limits::COMPONENT_PART_BYTES;

use super::failure::Failure;
use super::registry::missing;
use super::value::{count, from_json, millis, size, timestamp, to_json};
use crate::ComponentInfo;

#[derive(FromRow)]
struct ComponentRow {
    digest: String,
    manifest: String,
    bytes: i64,
    installed_at: i64,
    signed_by: Option<String>,
}

impl ComponentRow {
    fn read(self) -> Result<ComponentInfo, Failure> {
        Ok(ComponentInfo {
            digest: self.digest,
            manifest: from_json("component", &self.manifest)?,
            bytes: count(self.bytes),
            installed_at: timestamp(self.installed_at),
            signed_by: self.signed_by,
        })
    }
}

/// The file's parts, numbered from 0.
pub(super) fn parts(file: &[u8]) -> impl Iterator<Item = (i64, &[u8])> {
    file.chunks(COMPONENT_PART_BYTES).enumerate().map(|(n, part)| (size(n), part))
}

/// Keeps one part. The same digest has the same parts, so one that is there already is this one.
pub(super) async fn put_part(
    connection: &mut SqliteConnection,
    digest: &str,
    part: i64,
    bytes: &[u8],
) -> Result<(), Failure> {
    sqlx::query("INSERT INTO component_parts (digest, part, bytes) VALUES (?, ?, ?) ON CONFLICT DO NOTHING")
        .bind(digest)
        .bind(part)
        .bind(bytes)
        .execute(connection)
        .await?;
    Ok(())
}

/// Makes a component exist whose parts are there. One with the same digest is the same file and stays as it is, but for a
/// signature that it lacked.
pub(super) async fn put(connection: &mut SqliteConnection, info: &ComponentInfo) -> Result<(), Failure> {
    sqlx::query(
        "INSERT INTO components (digest, manifest, bytes, installed_at, signed_by) VALUES (?, ?, ?, ?, ?) \
         ON CONFLICT (digest) DO UPDATE SET signed_by = coalesce(excluded.signed_by, signed_by)",
    )
    .bind(&info.digest)
    .bind(to_json("component", &info.manifest)?)
    .bind(i64::try_from(info.bytes).unwrap_or(i64::MAX))
    .bind(millis(info.installed_at))
    .bind(&info.signed_by)
    .execute(connection)
    .await?;
    Ok(())
}

/// Forgets parts of which no component came: the daemon ended while it kept them.
pub(super) async fn forget_unfinished(connection: &mut SqliteConnection) -> Result<(), Failure> {
    sqlx::query("DELETE FROM component_parts WHERE digest NOT IN (SELECT digest FROM components)")
        .execute(connection)
        .await?;
    Ok(())
}

/// All components, oldest first.
pub(super) async fn all(connection: &mut SqliteConnection) -> Result<Vec<ComponentInfo>, Failure> {
    let rows: Vec<ComponentRow> = sqlx::query_as(
        "SELECT digest, manifest, bytes, installed_at, signed_by FROM components ORDER BY installed_at, digest",
    )
    .fetch_all(connection)
    .await?;
    rows.into_iter().map(ComponentRow::read).collect()
}

/// A component and its file.
pub(super) async fn get(connection: &mut SqliteConnection, digest: &str) -> Result<(ComponentInfo, Vec<u8>), Failure> {
    let row: Option<ComponentRow> =
        sqlx::query_as("SELECT digest, manifest, bytes, installed_at, signed_by FROM components WHERE digest = ?")
            .bind(digest)
            .fetch_optional(&mut *connection)
            .await?;
    let info = row.ok_or_else(|| missing("component", digest))?.read()?;
    let parts: Vec<Vec<u8>> = sqlx::query_scalar("SELECT bytes FROM component_parts WHERE digest = ? ORDER BY part")
        .bind(digest)
        .fetch_all(connection)
        .await?;
    Ok((info, parts.concat()))
}
