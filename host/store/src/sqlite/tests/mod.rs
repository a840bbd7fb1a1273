//! Tests of what the roles do not show: shared transactions, a full disk, files that were damaged or left by a killed
//! process, migrations, query plans.

mod commit;
mod feed;
mod file;
mod migration;
mod plan;
mod seal;
mod secret;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use sqlx::{ConnectOptions as _, Connection as _};
use tempfile::TempDir;
use tidings_domain::delivery::{NewMessage, StoredEvent};
use tidings_domain::testing::{recipient, stored_event};
use tidings_domain::time::Timestamp;

use super::startup::open_store;
use super::store::SqliteStore;
use super::{Mode, database_file};
use crate::keys::KeyFile;
use crate::{ComponentInfo, LeaseRequest, Outbox as _};

struct Fixture {
    store: Arc<SqliteStore>,
    directory: TempDir,
}

impl Fixture {
    async fn new() -> Fixture {
        let directory = tempfile::tempdir().unwrap();
        let store = open_store(&directory.path().join("tidings.db"), Mode::Daemon, &KeyFile::Beside).await.unwrap();
        Fixture { store: Arc::new(store), directory }
    }

    fn path(&self) -> PathBuf {
        self.directory.path().join("tidings.db")
    }

    /// Runs SQL on the writing connection.
    async fn execute(&self, sql: &'static str) {
        let run = self.store.writer.write("is tested", move |connection| {
            Box::pin(async move { Ok(sqlx::query(sql).execute(connection).await.map(|_| ())?) })
        });
        run.await.unwrap();
    }

    async fn accept(&self, id: &str, user: &str) -> crate::Result<usize> {
        match self.store.accept(message(id, &[user], 0), at(1)).await? {
            tidings_domain::delivery::Acceptance::New { deliveries } => Ok(deliveries),
            _ => Ok(0),
        }
    }

    async fn lease(&self, now: u64) -> Vec<crate::Lease> {
        self.store.lease(request(now)).await.unwrap()
    }
}

fn request(now: u64) -> LeaseRequest {
    LeaseRequest {
        channel: "email".into(),
        now: at(now),
        lifetime: Duration::from_secs(180),
        max: 100,
        digest_events: 10,
    }
}

fn at(millis: u64) -> Timestamp {
    Timestamp::from_millis(millis)
}

fn message(id: &str, users: &[&str], body_bytes: usize) -> NewMessage {
    let event = StoredEvent { body: "x".repeat(body_bytes), ..stored_event(id) };
    NewMessage {
        id: event.id.clone(),
        topic: event.topic.clone(),
        digest: [1; 32],
        recipients: users.iter().map(|user| recipient(user, "email")).collect(),
        event: Some(Arc::new(event)),
    }
}

/// What a killed process leaves: a copy of the files as they are now, in another directory.
fn copy_database(path: &Path) -> (TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let copy = directory.path().join("tidings.db");
    for suffix in ["", "-wal", "-shm"] {
        let with_suffix = |path: &Path| PathBuf::from(format!("{}{suffix}", path.display()));
        if with_suffix(path).exists() {
            std::fs::copy(with_suffix(path), with_suffix(&copy)).unwrap();
        }
    }
    (directory, copy)
}

/// Runs SQL on a database that no process has open.
async fn execute(path: &Path, sql: &'static str) {
    let mut connection = database_file::reading(path).read_only(false).connect().await.unwrap();
    sqlx::query(sql).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
}

fn component(file: &[u8]) -> ComponentInfo {
    let manifest = serde_json::from_str(MANIFEST).unwrap();
    let digest = hex::encode(ring::digest::digest(&ring::digest::SHA256, file));
    ComponentInfo { digest, manifest, bytes: file.len() as u64, installed_at: at(1), signed: None }
}

const MANIFEST: &str = r#"{"name": "email", "version": "1", "summary": "", "address_label": "", "address_example": "",
    "config": [], "grants": []}"#;
