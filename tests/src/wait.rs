//! Bounded waits: until something holds, not for a time.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use tokio::time::{Instant, sleep};

/// How often a probe is asked.
const PAUSE: Duration = Duration::from_millis(50);

/// Asks `probe` until it has an answer; its error ends the wait. After `limit` it fails and names `what` it waited for.
pub async fn until<T>(what: &str, limit: Duration, probe: impl AsyncFnMut() -> Result<Option<T>>) -> Result<T> {
    every(PAUSE, what, limit, probe).await
}

/// The same, asking that often: for what is measured.
pub async fn every<T>(
    pause: Duration,
    what: &str,
    limit: Duration,
    mut probe: impl AsyncFnMut() -> Result<Option<T>>,
) -> Result<T> {
    let end = Instant::now() + limit;
    loop {
        if let Some(answer) = probe().await.with_context(|| format!("while waiting for {what}"))? {
            return Ok(answer);
        }
        if Instant::now() >= end {
            bail!("{what}: not within {limit:?}");
        }
        sleep(pause).await;
    }
}
