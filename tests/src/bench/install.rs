//! Deliveries while a large component is installed.

use std::time::Instant;

use anyhow::{Context, Result};

use super::pace::{SteadyLoad, WINDOW, WINDOWS, alone, tell_times};
use super::{everything, quantile, stage, tell};
use crate::channel;
use crate::paths;

/// The size of the component: the most that is admitted.
const BYTES: usize = 64 * 1024 * 1024;

/// Mails with nothing beside them before each installation: about as many as there is time for during one.
const ALONE: usize = 500;

/// The time of single deliveries from the bus to the mail server, alone and while components of 64 MiB are installed one
/// after the other: the Python sample, which takes a compiler seconds, made larger by a section that it does not need.
pub(super) async fn install() -> Result<()> {
    let mut stage = stage().await?;
    channel::subscribe(&stage.client, &everything("git")).await?;
    alone(&mut stage, "alone-warm", WINDOW).await?;
    let small = std::fs::read(paths::plugin("python-sample")?).context("reading the Python sample")?;
    let (mut before, mut during, mut took) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..WINDOWS {
        before.push(alone(&mut stage, &format!("alone-{round}"), ALONE).await?);
        let (client, file) = (stage.client.clone(), padded(&small, round as u8));
        let began = Instant::now();
        let installing = tokio::spawn(async move { client.install(file).await });
        let mut beside = SteadyLoad::new(&format!("beside-{round}"));
        while !installing.is_finished() {
            beside.step(&mut stage).await?;
        }
        installing.await??;
        took.push(began.elapsed().as_secs_f64());
        during.push(beside.times(&stage).await?);
    }
    tell("install_64mib_s", quantile(&mut took, 0.5), "s");
    let before = tell_times("delivery_alone", before.iter().map(Vec::as_slice));
    let during = tell_times("delivery_while_installing", during.iter().map(Vec::as_slice));
    tell("install_64mib_p99_ratio", during / before, "ratio");
    stage.daemon.terminate().await.map(drop)
}

/// The component with a custom section behind it, so that it has `BYTES` and is another one in each round.
fn padded(component: &[u8], round: u8) -> Vec<u8> {
    let mut file = component.to_vec();
    // Id, length in five bytes of LEB128, the name's length and the name: what comes before the content.
    let content = BYTES.saturating_sub(file.len() + 1 + 5 + 4);
    let mut length = content + 4;
    file.push(0);
    for place in 0..5 {
        let more = if place < 4 { 0x80 } else { 0 };
        file.push((length & 0x7f) as u8 | more);
        length >>= 7;
    }
    file.extend(b"\x03pad");
    file.resize(file.len() + content, round);
    file
}
