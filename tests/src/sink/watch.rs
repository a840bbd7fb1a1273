//! What the daemon says of its queue, asked again and again.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Result;
use serde::Serialize;
use tokio::time::{MissedTickBehavior, interval};

use crate::client::TestClient;
use tidings_api_types::{BooksInfo, StatusInfo};

/// How often the daemon is asked.
const PERIOD: Duration = Duration::from_secs(1);

/// The last answer; clones are the same.
#[derive(Clone, Default)]
pub(super) struct Watched(Arc<Mutex<SinkSnapshot>>);

/// What there is to show.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct SinkSnapshot {
    /// A daemon is asked at all.
    pub asked: bool,
    pub queue: BTreeMap<String, BooksInfo>,
    pub status: Option<StatusInfo>,
    /// Why the last question had no answer.
    pub problem: Option<String>,
}

impl Watched {
    pub fn seen(&self) -> SinkSnapshot {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn learn(&self, answer: Result<(BTreeMap<String, BooksInfo>, StatusInfo)>) {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        seen.asked = true;
        match answer {
            Ok((queue, status)) => *seen = SinkSnapshot { asked: true, queue, status: Some(status), problem: None },
            Err(error) => seen.problem = Some(format!("{error:#}")),
        }
    }
}

/// Asks until it is aborted.
pub(super) async fn poll(daemon: TestClient, watched: Watched) {
    let mut ticks = interval(PERIOD);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        watched.learn(ask(&daemon).await);
    }
}

async fn ask(daemon: &TestClient) -> Result<(BTreeMap<String, BooksInfo>, StatusInfo)> {
    Ok((daemon.books().await?, daemon.status().await?))
}
