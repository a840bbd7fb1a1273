//! Benchmarks of the whole daemon, from outside. Each prints JSON objects, one a line. A figure that depends on the machine
//! has a baseline from the same run, so that their ratio can be compared.

mod backlog;
mod cold;
mod deliveries;
mod edits;
mod hostile;
mod install;
mod intake;
mod population;
mod starts;
mod steady_load;
mod upgrade;

use std::time::Duration;
use tidings_api_types::SubscriptionRequest;

use anyhow::{Result, bail};
use serde_json::json;
use tokio::time::sleep;

use crate::harness::{Harness, rule, subscription};
use crate::settings::DaemonSettings;

/// The largest number of messages that are published and not yet received. The publisher drops messages beyond its queue.
const OUTSTANDING: u64 = 800;
/// The time limit of waits.
const LIMIT: Duration = Duration::from_secs(300);

/// The benchmarks, in the order of a full run.
pub const NAMES: [&str; 9] =
    ["starts", "intake", "deliveries", "backlog", "edits", "cold", "install", "hostile", "upgrade"];

/// Runs the named benchmarks, or all if `names` is empty.
pub async fn run(names: &[String]) -> Result<()> {
    if let Some(unknown) = names.iter().find(|name| !NAMES.contains(&name.as_str())) {
        bail!("unknown benchmark {unknown}; the benchmarks are {}", NAMES.join(", "));
    }
    for name in NAMES.into_iter().filter(|name| names.is_empty() || names.iter().any(|wanted| wanted == name)) {
        match name {
            "starts" => starts::starts().await?,
            "intake" => intake::intake().await?,
            "deliveries" => deliveries::deliveries().await?,
            "backlog" => backlog::backlog().await?,
            "edits" => edits::edits().await?,
            "install" => install::install().await?,
            "upgrade" => upgrade::upgrade().await?,
            "hostile" => hostile::hostile().await?,
            _ => cold::cold().await?,
        }
    }
    Ok(())
}

/// Prints a figure.
fn report(name: &str, value: f64, unit: &str) {
    println!("{}", json!({"name": name, "value": (value * 1000.0).round() / 1000.0, "unit": unit}));
}

/// The quantile of the values for this share, from 0 to 1.
fn quantile(values: &mut [f64], share: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get((values.len() as f64 * share) as usize).or(values.last()).copied().unwrap_or(f64::NAN)
}

/// A subscription to every message of an application.
fn everything(application: &str) -> SubscriptionRequest {
    subscription("bench", "email", &["bench@tidings.example"], rule(&format!("{application}_catchall"), None))
}

/// Starts the harness, and waits until the publisher has processed the subscription of the daemon.
async fn start_harness() -> Result<Harness> {
    start_harness_with(|_| {}).await
}

/// Like [`start_harness`], with other settings of the daemon.
async fn start_harness_with(change: impl FnOnce(&mut DaemonSettings)) -> Result<Harness> {
    let harness = Harness::start_with(change).await?;
    // The subscription reaches the publisher after a round trip. Nothing reports that.
    sleep(Duration::from_millis(300)).await;
    Ok(harness)
}
