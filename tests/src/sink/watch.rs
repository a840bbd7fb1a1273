//! Polls the status and the queue of a daemon for the page. A daemon that does not respond must not stop the page.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Result;
use serde::Serialize;
use tokio::time::{MissedTickBehavior, interval};

use crate::client::TestClient;
use tidings_api_types::{BooksInfo, StatusInfo};

/// The interval of requests to the daemon.
const PERIOD: Duration = Duration::from_secs(1);

/// The last known state of the daemon. Clones share it.
#[derive(Clone, Default)]
pub(super) struct Watched(Arc<Mutex<SinkSnapshot>>);

/// The state of the daemon, as the page shows it.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct SinkSnapshot {
    /// Whether a daemon is polled.
    pub polled: bool,
    pub queue: BTreeMap<String, BooksInfo>,
    pub status: Option<StatusInfo>,
    /// Why the last request failed.
    pub problem: Option<String>,
}

impl Watched {
    pub fn snapshot(&self) -> SinkSnapshot {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn update(&self, result: Result<(BTreeMap<String, BooksInfo>, StatusInfo)>) {
        let mut snapshot = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        snapshot.polled = true;
        match result {
            Ok((queue, status)) => {
                *snapshot = SinkSnapshot { polled: true, queue, status: Some(status), problem: None }
            }
            Err(error) => snapshot.problem = Some(format!("{error:#}")),
        }
    }
}

/// Polls the daemon until the task is aborted.
pub(super) async fn poll(daemon: TestClient, watched: Watched) {
    let mut ticks = interval(PERIOD);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        watched.update(fetch(&daemon).await);
    }
}

async fn fetch(daemon: &TestClient) -> Result<(BTreeMap<String, BooksInfo>, StatusInfo)> {
    Ok((daemon.books().await?, daemon.status().await?))
}
