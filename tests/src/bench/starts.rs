//! From the start of the daemon's process until it is ready.

use std::fs;
use std::time::Instant;

use anyhow::{Context, Result};

use serde_json::json;

use super::{stage, tell};
use crate::channel;
use crate::daemon::Daemon;
use crate::paths;
use crate::scene::Scene;

/// Starts of which the median is told.
const STARTS: usize = 7;

/// A daemon with three channels (e-mail, ntfy, webhook), from the start of its process until it is ready: with an empty
/// cache of compiled plugins, and with a full one.
pub(super) async fn starts() -> Result<()> {
    let stage = stage().await?;
    let nothing = json!({"reach": []});
    // 32 zero bytes.
    let webhook = json!({"secret": format!("whsec_{}=", "A".repeat(43))});
    let ntfy = json!({"server": "https://ntfy.example.org/"});
    channel::install(&stage.client, "ntfy", &paths::plugin("ntfy")?, &ntfy, &nothing).await?;
    channel::install(&stage.client, "webhook", &paths::plugin("webhook")?, &webhook, &nothing).await?;
    let cache = stage.dir.path().join("data/cache");
    let Scene { home, token, daemon, dir: _dir, sink: _sink, .. } = stage;
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
    tell("start_cold_ms", cold, "ms");
    tell("start_cached_ms", warm, "ms");
    tell("start_cached_vs_cold", warm / cold, "ratio");
    Ok(())
}
