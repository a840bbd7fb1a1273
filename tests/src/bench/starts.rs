//! The start of the daemon.

use std::fs;
use std::time::Instant;

use anyhow::{Context, Result};

use serde_json::json;

use super::{report, start_harness};
use crate::channel;
use crate::daemon::Daemon;
use crate::harness::Harness;
use crate::paths;

/// The starts of which the median is reported.
const STARTS: usize = 7;

/// Measures the time from the start of the process until a daemon with three channels (email, ntfy, webhook) is ready, with
/// an empty and with a full cache of compiled plugins.
pub(super) async fn starts() -> Result<()> {
    let harness = start_harness().await?;
    let nothing = json!({"reach": []});
    // 32 zero bytes.
    let webhook = json!({"secret": format!("whsec_{}=", "A".repeat(43))});
    let ntfy = json!({"server": "https://ntfy.example.org/"});
    channel::install(&harness.client, "ntfy", &paths::plugin("ntfy")?, &ntfy, &nothing).await?;
    channel::install(&harness.client, "webhook", &paths::plugin("webhook")?, &webhook, &nothing).await?;
    let cache = harness.dir.path().join("data/cache");
    let Harness { home, token, daemon, dir: _dir, sink: _sink, .. } = harness;
    daemon.terminate().await?;
    fs::remove_dir_all(&cache).with_context(|| format!("removing {}", cache.display()))?;
    let mut times = Vec::new();
    for _ in 0..=STARTS {
        let began = Instant::now();
        let daemon = Daemon::start(&home, Some(&token)).await?;
        times.push(began.elapsed().as_secs_f64() * 1000.0);
        daemon.terminate().await?;
    }
    let cold = times.remove(0);
    times.sort_by(f64::total_cmp);
    let warm = times[times.len() / 2];
    report("start_cold_ms", cold, "ms");
    report("start_cached_ms", warm, "ms");
    report("start_cached_vs_cold", warm / cold, "ratio");
    Ok(())
}
