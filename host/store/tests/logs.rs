//! What the store must never log. A test binary of its own, since it captures the log of all threads.

#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "tests may panic")]

use std::io::Write;
use std::sync::{Arc, Mutex};

use sqlx::{ConnectOptions as _, Connection as _};
use tidings_domain::delivery::NewMessage;
use tidings_domain::grant::{Credential, CredentialKind, Grants};
use tidings_domain::limits::PluginLimits;
use tidings_domain::plugin_life::ChannelVersions;
use tidings_domain::secret::Secret;
use tidings_domain::time::Timestamp;
use tidings_store::{Channel, Mode};

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn channel() -> Channel {
    let credential = Credential {
        name: "key".into(),
        kind: CredentialKind::Header { header: "authorization".into() },
        value: Secret::new("canary-credential".into()),
        host: "push.example.org".into(),
    };
    Channel {
        name: "email".into(),
        component: "a".repeat(64),
        config: [("password".to_owned(), "canary-password".to_owned())].into(),
        former: std::collections::BTreeMap::new(),
        grants: Grants { reach: Vec::new(), credentials: vec![credential] },
        limits: PluginLimits::default(),
        enabled: true,
        life: ChannelVersions::default(),
    }
}

fn message() -> NewMessage {
    NewMessage {
        id: serde_json::from_value("canary-id".into()).unwrap(),
        topic: "canary-topic".into(),
        digest: [1; 32],
        event: None,
        recipients: Arc::default(),
    }
}

/// Row 48 of the list of failures.
#[tokio::test]
async fn no_secret_and_no_statement_is_logged_at_any_level() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_ansi(false)
        .with_writer(move || writer.clone())
        .finish();
    tracing::subscriber::set_global_default(subscriber).unwrap();

    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("tidings.db");
    let store = tidings_store::open(&path, Mode::Daemon).await.unwrap();
    let now = Timestamp::from_millis(1);
    store.put_channel(&channel(), now).await.unwrap();
    tracing::error!(channel = ?store.channel("email").await.unwrap(), "the caller logs a channel");
    store.accept(message(), now).await.unwrap();
    let other = sqlx::sqlite::SqliteConnectOptions::new().filename(&path).disable_statement_logging();
    let mut other = other.connect().await.unwrap();
    sqlx::query("UPDATE channels SET secrets = '\"canary-broken\"'").execute(&mut other).await.unwrap();
    other.close().await.unwrap();
    let error = store.channel("email").await.unwrap_err();
    tracing::error!(%error, ?error, "the caller logs an error");
    store.close().await;

    let text = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    assert!(text.contains("the caller logs an error"));
    assert!(!text.contains("canary"), "{text}");
    assert!(!text.contains("INSERT INTO"), "{text}");
}
