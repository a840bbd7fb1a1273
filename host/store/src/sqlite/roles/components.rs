//! The role `ComponentStore`. A file is written in parts, each in a transaction of its own, so that deliveries are
//! written in between; the row of the component is written last and makes it exist.

use async_trait::async_trait;
use ring::digest::{SHA256, digest as hash};
use sqlx::sqlite::SqliteConnection;

use crate::error::{Result, StoreError};
use crate::limits::COMPONENT_PART_BYTES;
use crate::roles::{ComponentInfo, ComponentStore, Signed};
use crate::sqlite::failure::{WriteFailure, damaged, missing};
use crate::sqlite::row::from_row;
use crate::sqlite::store::SqliteStore;
use crate::sqlite::value::{count, from_json, millis, size, timestamp, to_json};

#[async_trait]
impl ComponentStore for SqliteStore {
    async fn put_component(&self, info: &ComponentInfo, file: &[u8]) -> Result<()> {
        let doing = "stores a component";
        let signed = info.clone();
        let known =
            self.writer.write(doing, move |connection| Box::pin(async move { sign(connection, &signed).await }));
        if known.await? {
            return Ok(());
        }
        for (part, bytes) in parts(file) {
            let (digest, bytes) = (info.digest.clone(), bytes.to_vec());
            let work = self.writer.write(doing, move |connection| {
                Box::pin(async move { put_part(connection, &digest, part, &bytes).await })
            });
            work.await?;
        }
        let info = info.clone();
        let work = self.writer.write(doing, move |connection| Box::pin(async move { put(connection, &info).await }));
        work.await
    }

    async fn components(&self) -> Result<Vec<ComponentInfo>> {
        let doing = "reads components";
        let mut connection = self.reader(doing).await?;
        all(&mut connection).await.map_err(|failure| failure.into_error(doing))
    }

    async fn component(&self, digest: &str) -> Result<ComponentInfo> {
        let doing = "reads a component";
        let mut connection = self.reader(doing).await?;
        get(&mut connection, digest).await.map_err(|failure| failure.into_error(doing))
    }

    async fn component_file(&self, digest: &str) -> Result<Vec<u8>> {
        let doing = "reads a component";
        let mut connection = self.reader(doing).await?;
        read_file(&mut connection, digest).await.map_err(|failure| failure.into_error(doing))
    }

    async fn delete_component(&self, digest: &str) -> Result<()> {
        let digest = digest.to_owned();
        let work = self
            .writer
            .write("deletes a component", move |connection| Box::pin(async move { delete(connection, &digest).await }));
        work.await
    }
}

/// The columns of a component that are read.
const COLUMNS: &str = "SELECT digest, manifest, bytes, installed_at, signed_by, signing_key FROM components";

struct ComponentRow {
    digest: String,
    manifest: String,
    bytes: i64,
    installed_at: i64,
    signed_by: Option<String>,
    signing_key: Option<String>,
}

from_row!(ComponentRow { digest, manifest, bytes, installed_at, signed_by, signing_key });

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

/// Replaces the signature of a component where `info` has one; it may be by another key. Returns whether the component
/// exists.
async fn sign(connection: &mut SqliteConnection, info: &ComponentInfo) -> Result<bool, WriteFailure> {
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
fn parts(file: &[u8]) -> impl Iterator<Item = (i64, &[u8])> {
    file.chunks(COMPONENT_PART_BYTES).enumerate().map(|(n, part)| (size(n), part))
}

/// Stores one part of a component that does not exist yet. The same digest has the same parts, so one that is stored
/// already is this one. That is not so for a component that exists: an older version may have stored it in other parts.
async fn put_part(
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

/// Creates the component once its parts are stored, unless a concurrent installation of the same file created it.
async fn put(connection: &mut SqliteConnection, info: &ComponentInfo) -> Result<(), WriteFailure> {
    if sign(connection, info).await? {
        return Ok(());
    }
    let bytes = i64::try_from(info.bytes).unwrap_or(i64::MAX);
    let kept: Option<i64> = sqlx::query_scalar("SELECT sum(length(bytes)) FROM component_parts WHERE digest = ?")
        .bind(&info.digest)
        .fetch_one(&mut *connection)
        .await?;
    if kept.unwrap_or_default() != bytes {
        let detail = "it was deleted while it was stored".to_owned();
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

/// Deletes parts without a component: the daemon ended while it stored them.
pub(crate) async fn delete_unfinished(connection: &mut SqliteConnection) -> Result<(), WriteFailure> {
    sqlx::query("DELETE FROM component_parts WHERE digest NOT IN (SELECT digest FROM components)")
        .execute(connection)
        .await?;
    Ok(())
}

/// All components, oldest first.
async fn all(connection: &mut SqliteConnection) -> Result<Vec<ComponentInfo>, WriteFailure> {
    let sql = format!("{COLUMNS} ORDER BY installed_at, digest");
    let rows: Vec<ComponentRow> = sqlx::query_as(sqlx::AssertSqlSafe(sql)).fetch_all(connection).await?;
    rows.into_iter().map(ComponentRow::read).collect()
}

async fn get(connection: &mut SqliteConnection, digest: &str) -> Result<ComponentInfo, WriteFailure> {
    let sql = format!("{COLUMNS} WHERE digest = ?");
    let row: Option<ComponentRow> =
        sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(digest).fetch_optional(connection).await?;
    row.ok_or_else(|| missing("component", digest))?.read()
}

/// A component's file. Its digest is checked: what runs is what was verified at installation.
async fn read_file(connection: &mut SqliteConnection, digest: &str) -> Result<Vec<u8>, WriteFailure> {
    get(connection, digest).await?;
    let parts: Vec<Vec<u8>> = sqlx::query_scalar("SELECT bytes FROM component_parts WHERE digest = ? ORDER BY part")
        .bind(digest)
        .fetch_all(connection)
        .await?;
    // Hashing a large file blocks its thread.
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

/// Deletes a component and its file, unless a channel uses it.
async fn delete(connection: &mut SqliteConnection, digest: &str) -> Result<(), WriteFailure> {
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
