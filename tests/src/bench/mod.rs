//! Benchmarks of the whole daemon, from outside. Each prints one JSON object a line; what depends on the machine comes with
//! a baseline from the same run, so that the ratio can be compared.

mod backlog;
mod cold;
mod deliveries;
mod edits;
mod hostile;
mod install;
mod intake;
mod pace;
mod population;
mod starts;
mod upgrade;

use std::time::Duration;
use tidings_api_types::SubscriptionRequest;

use anyhow::{Result, bail};
use serde_json::json;
use tokio::time::sleep;

use crate::scene::{Scene, rule, subscription};
use crate::settings::DaemonSettings;

/// Published and not yet taken: the publisher drops what its own queue does not hold.
const OUTSTANDING: u64 = 800;
const LIMIT: Duration = Duration::from_secs(300);

/// The benchmarks, in the order of a full run.
pub const NAMES: [&str; 9] =
    ["starts", "intake", "deliveries", "backlog", "edits", "cold", "install", "hostile", "upgrade"];

/// Runs these, or all where none is named.
pub async fn run(names: &[String]) -> Result<()> {
    if let Some(unknown) = names.iter().find(|name| !NAMES.contains(&name.as_str())) {
        bail!("there is no benchmark {unknown}; there are {}", NAMES.join(", "));
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

fn tell(name: &str, value: f64, unit: &str) {
    println!("{}", json!({"name": name, "value": (value * 1000.0).round() / 1000.0, "unit": unit}));
}

/// The value below which that share of them lies.
fn quantile(values: &mut [f64], share: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get((values.len() as f64 * share) as usize).or(values.last()).copied().unwrap_or(f64::NAN)
}

/// A user who is told of everything that an application publishes.
fn everything(application: &str) -> SubscriptionRequest {
    subscription("bench", "email", &["bench@tidings.example"], rule(&format!("{application}_catchall"), None))
}

/// The usual scene, with the publisher ready to be heard.
async fn stage() -> Result<Scene> {
    stage_with(|_| {}).await
}

async fn stage_with(change: impl FnOnce(&mut DaemonSettings)) -> Result<Scene> {
    let scene = Scene::set_with(change).await?;
    // The publisher acts on a subscription a round trip after it was asked for.
    sleep(Duration::from_millis(300)).await;
    Ok(scene)
}
