//! What only shows below the trait: transactions that are shared, a disk that fills, files that were damaged or left by a
//! killed process, plans of the queue's statements.

mod commit;
mod feed;
mod file;
mod plan;
mod secret;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tempfile::TempDir;
use tidings_domain::delivery::{NewMessage, StoredEvent};
use tidings_domain::testing::{recipient, stored_event};
use tidings_domain::time::Timestamp;

use super::{Mode, SqliteStore};
use crate::keys::KeyFile;
use crate::{LeaseRequest, Store as _};

struct Fixture {
    store: Arc<SqliteStore>,
    directory: TempDir,
}

impl Fixture {
    async fn new() -> Fixture {
        let directory = tempfile::tempdir().unwrap();
        let store =
            SqliteStore::open(&directory.path().join("tidings.db"), Mode::Daemon, &KeyFile::Beside).await.unwrap();
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

/// What a killed process leaves: the files as they are at this moment, in another directory.
fn files_as_they_are(path: &Path) -> (TempDir, PathBuf) {
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
