//! Waits for conditions, with a time limit. Tests must not sleep for a fixed time instead.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use tokio::time::{Instant, sleep};

/// The default interval between two probes.
const PAUSE: Duration = Duration::from_millis(50);

/// Calls `probe` until it returns a value. Fails on an error of `probe`, and after `limit` with an error that names `what`.
pub async fn until<T>(what: &str, limit: Duration, probe: impl AsyncFnMut() -> Result<Option<T>>) -> Result<T> {
    every(PAUSE, what, limit, probe).await
}

/// Like [`until`], with another interval; benchmarks need a short one.
pub async fn every<T>(
    pause: Duration,
    what: &str,
    limit: Duration,
    mut probe: impl AsyncFnMut() -> Result<Option<T>>,
) -> Result<T> {
    let end = Instant::now() + limit;
    loop {
        if let Some(value) = probe().await.with_context(|| format!("while waiting for: {what}"))? {
            return Ok(value);
        }
        if Instant::now() >= end {
            bail!("timeout after {limit:?} while waiting for: {what}");
        }
        sleep(pause).await;
    }
}
