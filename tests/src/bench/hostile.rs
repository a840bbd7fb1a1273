//! Deliveries of one channel while the plugin of another channel misbehaves within the default limits.

use anyhow::Result;
use serde_json::json;
use tidings_api_types::SubscriptionRequest;

use super::steady_load::{SteadyLoad, WINDOW, WINDOWS, alone, report_times};
use super::{LIMIT, everything, report, start_harness_with};
use crate::harness::{Harness, rule, subscription};
use crate::{channel, paths, wait};

/// The behaviours of the plugin: it computes, allocates memory, writes to the store, reads from it, and does two of these.
const BEHAVIOURS: [&str; 5] = ["loop", "memory", "state-write-flood", "inbox-flood", "memory+state-write"];
/// Successful deliveries that open the window of the plugin's channel. Each allows one more concurrent call.
const OPENING: u64 = 6;
/// Mails between two requests for a behaviour: ten requests a second.
const EACH: usize = 10;

/// Measures the time of single mails from the bus to the mail server, alone and beside each behaviour; reports the worst
/// ratio.
pub(super) async fn hostile() -> Result<()> {
    // Without this, the channel of the plugin would be quarantined.
    let mut harness = start_harness_with(|settings| settings.dispatch.quarantine_crashes = Some(0)).await?;
    channel::subscribe(&harness.client, &everything("git")).await?;
    alone(&mut harness, "alone-warm", WINDOW).await?;
    let (mut quiet, mut worst) = (Vec::new(), Vec::new());
    for (round, behaviour) in BEHAVIOURS.iter().enumerate() {
        quiet.extend(alone(&mut harness, &format!("alone-{round}"), WINDOWS * WINDOW).await?);
        let times = beside(&mut harness, round, behaviour).await?;
        let name = behaviour.replace(['-', '+'], "_");
        worst.push(report_times(&format!("beside_{name}"), times.chunks(WINDOW)));
    }
    let alone = report_times("beside_nothing", quiet.chunks(WINDOW));
    let worst = worst.into_iter().fold(0.0, f64::max);
    report("hostile_others_p99_ratio", worst / alone, "ratio");
    harness.daemon.terminate().await.map(drop)
}

/// The times of mails beside a channel whose plugin has this behaviour.
async fn beside(harness: &mut Harness, round: usize, behaviour: &str) -> Result<Vec<f64>> {
    let name = format!("hostile-{round}");
    let plugin = paths::plugin("hostile")?;
    channel::install(&harness.client, &name, &plugin, &json!({}), &json!({"reach": []})).await?;
    for package in ["ok", behaviour] {
        channel::subscribe(&harness.client, &wants(package, &name)).await?;
    }
    for opened in 1..=OPENING {
        harness.publish(["ok".to_owned()]).await?;
        wait::until("the successful delivery", LIMIT, async || {
            Ok((harness.books(&name).await?.delivered >= opened).then_some(()))
        })
        .await?;
    }
    let mut load = SteadyLoad::new(&format!("beside-{round}"));
    while load.sent() < WINDOWS * WINDOW {
        if load.sent().is_multiple_of(EACH) {
            harness.publish([behaviour.to_owned()]).await?;
        }
        load.step(harness).await?;
    }
    let times = load.times(harness).await?;
    channel::switch(&harness.client, &name, false).await?;
    Ok(times)
}

/// A subscription to messages about a package with the name of the behaviour, with the address that requests it.
fn wants(behaviour: &str, channel: &str) -> SubscriptionRequest {
    let only = rule("package_filter", Some(("package", behaviour)));
    let user = behaviour.replace('+', "-");
    subscription(&user, channel, &[&format!("{behaviour}@example.org")], only)
}
