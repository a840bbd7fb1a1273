//! Deliveries of one channel while another one's plugin misbehaves as much as the limits that everybody has let it.

use anyhow::Result;
use serde_json::json;
use tidings_api_types::SubscriptionRequest;

use super::pace::{SteadyLoad, WINDOW, WINDOWS, alone, tell_times};
use super::{LIMIT, everything, stage_with, tell};
use crate::scene::{Scene, rule, subscription};
use crate::{channel, paths, wait};

/// What the plugin does in its calls: computes, takes memory, writes into the store, asks it, and two of these at once.
const MISDEEDS: [&str; 5] = ["loop", "memory", "state-write-flood", "inbox-flood", "memory+state-write"];
/// Good deliveries that open the window of the plugin's channel: one more call at a time for each.
const OPENING: u64 = 6;
/// Mails for each misdeed that is asked for: ten a second.
const EACH: usize = 10;

/// The time of single mails from the bus to the mail server, alone and beside each misdeed; the worst ratio of them.
pub(super) async fn hostile() -> Result<()> {
    // A plugin that misbehaves as much would be quarantined at once.
    let mut scene = stage_with(|settings| settings.dispatch.quarantine_crashes = Some(0)).await?;
    channel::subscribe(&scene.client, &everything("git")).await?;
    alone(&mut scene, "alone-warm", WINDOW).await?;
    let (mut quiet, mut worst) = (Vec::new(), Vec::new());
    for (round, misdeed) in MISDEEDS.iter().enumerate() {
        quiet.extend(alone(&mut scene, &format!("alone-{round}"), WINDOWS * WINDOW).await?);
        let times = beside(&mut scene, round, misdeed).await?;
        let name = misdeed.replace(['-', '+'], "_");
        worst.push(tell_times(&format!("beside_{name}"), times.chunks(WINDOW)));
    }
    let alone = tell_times("beside_nothing", quiet.chunks(WINDOW));
    let worst = worst.into_iter().fold(0.0, f64::max);
    tell("hostile_others_p99_ratio", worst / alone, "ratio");
    scene.daemon.terminate().await.map(drop)
}

/// Mails beside a channel that does this all the time.
async fn beside(scene: &mut Scene, round: usize, misdeed: &str) -> Result<Vec<f64>> {
    let name = format!("hostile-{round}");
    let plugin = paths::plugin("hostile")?;
    channel::install(&scene.client, &name, &plugin, &json!({}), &json!({"reach": []})).await?;
    for behaviour in ["ok", misdeed] {
        channel::subscribe(&scene.client, &wants(behaviour, &name)).await?;
    }
    for opened in 1..=OPENING {
        scene.publish(["ok".to_owned()]).await?;
        wait::until("the good delivery", LIMIT, async || {
            Ok((scene.books(&name).await?.delivered >= opened).then_some(()))
        })
        .await?;
    }
    let mut pace = SteadyLoad::new(&format!("beside-{round}"));
    while pace.sent() < WINDOWS * WINDOW {
        if pace.sent().is_multiple_of(EACH) {
            scene.publish([misdeed.to_owned()]).await?;
        }
        pace.step(scene).await?;
    }
    let times = pace.times(scene).await?;
    channel::switch(&scene.client, &name, false).await?;
    Ok(times)
}

/// Anyone who wants messages about a package that is called like the behaviour, at an address that asks for it.
fn wants(behaviour: &str, channel: &str) -> SubscriptionRequest {
    let only = rule("package_filter", Some(("package", behaviour)));
    let user = behaviour.replace('+', "-");
    subscription(&user, channel, &[&format!("{behaviour}@example.org")], only)
}
