//! Components and their files. A file is written in parts, each in a transaction of its own, so that what waits to be
//! delivered gets its turns in between; the row that names the component comes last and makes it exist.

use crate::limits::COMPONENT_PART_BYTES;
use ring::digest::{SHA256, digest as hash};
use sqlx::FromRow;
use sqlx::sqlite::SqliteConnection;

use super::failure::{WriteFailure, damaged};
use super::registry::missing;
use super::value::{count, from_json, millis, size, timestamp, to_json};
use crate::{ComponentInfo, Signed, StoreError};

/// What is read of a row.
const COLUMNS: &str = "SELECT digest, manifest, bytes, installed_at, signed_by, signing_key FROM components";

#[derive(FromRow)]
struct ComponentRow {
    digest: String,
    manifest: String,
    bytes: i64,
    installed_at: i64,
    signed_by: Option<String>,
    signing_key: Option<String>,
}

impl ComponentRow {
    fn read(self) -> Result<ComponentInfo, WriteFailure> {
        let signed = self.signed_by.zip(self.signing_key);
        Ok(ComponentInfo {
            digest: self.digest,
            manifest: from_json("component", &self.manifest)?,
            bytes: count(self.bytes),
            installed_at: timestamp(self.installed_at),
            signed: signed.map(|(publisher, key)| Signed { publisher, key }),
        })
    }
}

/// Whether the component is there. A signature that comes with it takes the place of the one that it had: it may be by
/// another key.
pub(super) async fn sign(connection: &mut SqliteConnection, info: &ComponentInfo) -> Result<bool, WriteFailure> {
    let signed = info.signed.as_ref();
    let known = sqlx::query(
        "UPDATE components SET signed_by = coalesce(?, signed_by), signing_key = coalesce(?, signing_key) \
         WHERE digest = ?",
    )
    .bind(signed.map(|signed| &signed.publisher))
    .bind(signed.map(|signed| &signed.key))
    .bind(&info.digest)
    .execute(connection)
    .await?;
    Ok(known.rows_affected() > 0)
}

/// The file's parts, numbered from 0.
pub(super) fn parts(file: &[u8]) -> impl Iterator<Item = (i64, &[u8])> {
    file.chunks(COMPONENT_PART_BYTES).enumerate().map(|(n, part)| (size(n), part))
}

/// Keeps one part of a component that does not exist yet. The same digest has the same parts, so one that is there already
/// is this one. That does not hold for a component that exists: an older version may have kept it in other parts.
pub(super) async fn put_part(
    connection: &mut SqliteConnection,
    digest: &str,
    part: i64,
    bytes: &[u8],
) -> Result<(), WriteFailure> {
    sqlx::query(
        "INSERT INTO component_parts (digest, part, bytes) SELECT ?1, ?2, ?3 \
         WHERE NOT EXISTS (SELECT 1 FROM components WHERE digest = ?1) ON CONFLICT DO NOTHING",
    )
    .bind(digest)
    .bind(part)
    .bind(bytes)
    .execute(connection)
    .await?;
    Ok(())
}

/// Makes a component exist whose parts are there; whoever installed the same file meanwhile made it exist already.
pub(super) async fn put(connection: &mut SqliteConnection, info: &ComponentInfo) -> Result<(), WriteFailure> {
    if sign(connection, info).await? {
        return Ok(());
    }
    let bytes = i64::try_from(info.bytes).unwrap_or(i64::MAX);
    let kept: Option<i64> = sqlx::query_scalar("SELECT sum(length(bytes)) FROM component_parts WHERE digest = ?")
        .bind(&info.digest)
        .fetch_one(&mut *connection)
        .await?;
    if kept.unwrap_or_default() != bytes {
        let detail = "it was deleted while it was being kept".to_owned();
        return Err(StoreError::Refused { what: "component", detail }.into());
    }
    let signed = info.signed.as_ref();
    sqlx::query(
        "INSERT INTO components (digest, manifest, bytes, installed_at, signed_by, signing_key) VALUES (?, ?, ?, ?, ?, ?)",
    )
    .bind(&info.digest)
    .bind(to_json("component", &info.manifest)?)
    .bind(bytes)
    .bind(millis(info.installed_at))
    .bind(signed.map(|signed| &signed.publisher))
    .bind(signed.map(|signed| &signed.key))
    .execute(connection)
    .await?;
    Ok(())
}

/// Forgets parts of which no component came: the daemon ended while it kept them.
pub(super) async fn forget_unfinished(connection: &mut SqliteConnection) -> Result<(), WriteFailure> {
    sqlx::query("DELETE FROM component_parts WHERE digest NOT IN (SELECT digest FROM components)")
        .execute(connection)
        .await?;
    Ok(())
}

/// All components, oldest first.
pub(super) async fn all(connection: &mut SqliteConnection) -> Result<Vec<ComponentInfo>, WriteFailure> {
    let sql = format!("{COLUMNS} ORDER BY installed_at, digest");
    let rows: Vec<ComponentRow> = sqlx::query_as(sqlx::AssertSqlSafe(sql)).fetch_all(connection).await?;
    rows.into_iter().map(ComponentRow::read).collect()
}

pub(super) async fn get(connection: &mut SqliteConnection, digest: &str) -> Result<ComponentInfo, WriteFailure> {
    let sql = format!("{COLUMNS} WHERE digest = ?");
    let row: Option<ComponentRow> =
        sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(digest).fetch_optional(connection).await?;
    row.ok_or_else(|| missing("component", digest))?.read()
}

/// A component's file, which still has its digest: what runs is what was judged when it was installed.
pub(super) async fn file(connection: &mut SqliteConnection, digest: &str) -> Result<Vec<u8>, WriteFailure> {
    get(connection, digest).await?;
    let parts: Vec<Vec<u8>> = sqlx::query_scalar("SELECT bytes FROM component_parts WHERE digest = ? ORDER BY part")
        .bind(digest)
        .fetch_all(connection)
        .await?;
    // A large file takes a while: not on a thread that others wait for.
    let hashed = tokio::task::spawn_blocking(move || {
        let file = parts.concat();
        (hex::encode(hash(&SHA256, &file)), file)
    });
    match hashed.await {
        Ok((found, file)) if found == digest => Ok(file),
        Ok((found, _)) => Err(damaged("component", format!("the file kept as {digest} has the digest {found}"))),
        Err(error) => Err(damaged("component", error)),
    }
}

/// Forgets a component and its file, unless a channel needs it.
pub(super) async fn delete(connection: &mut SqliteConnection, digest: &str) -> Result<(), WriteFailure> {
    let user: Option<String> = sqlx::query_scalar(
        "SELECT name FROM channels WHERE component = ?1 OR json_extract(life, '$.candidate.component') = ?1 \
         OR json_extract(life, '$.previous') = ?1 ORDER BY name LIMIT 1",
    )
    .bind(digest)
    .fetch_optional(&mut *connection)
    .await?;
    if let Some(channel) = user {
        return Err(StoreError::InUse { what: "component", by: format!("the channel {channel}") }.into());
    }
    let deleted = sqlx::query("DELETE FROM components WHERE digest = ?").bind(digest).execute(&mut *connection).await?;
    if deleted.rows_affected() == 0 {
        return Err(missing("component", digest));
    }
    sqlx::query("DELETE FROM component_parts WHERE digest = ?").bind(digest).execute(connection).await?;
    Ok(())
}
