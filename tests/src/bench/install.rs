//! Deliveries while a large component is installed.

use std::time::Instant;

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use hyper::Method;
use serde_json::Value;

use super::pace::{ENOUGH, Pace, alone, tell_times};
use super::{everything, quantile, stage, tell};
use crate::channel;
use crate::paths;

/// The size of the component: the most that is admitted.
const BYTES: usize = 64 * 1024 * 1024;

/// The time of single deliveries from the bus to the mail server, alone and while components of 64 MiB are installed one
/// after the other: the Python sample, which takes a compiler seconds, made larger by a section that it does not need.
pub(super) async fn install() -> Result<()> {
    let mut stage = stage().await?;
    channel::subscribe(&stage.client, &everything("git")).await?;
    alone(&mut stage, "alone-warm", ENOUGH / 5).await?;
    let mut before = alone(&mut stage, "alone", ENOUGH).await?;
    let small = std::fs::read(paths::plugin("python-sample")?).context("reading the Python sample")?;
    let (mut beside, mut took) = (Pace::new("beside"), Vec::new());
    for round in 0.. {
        if beside.sent() >= ENOUGH {
            break;
        }
        let (client, file) = (stage.client.clone(), padded(&small, round));
        let began = Instant::now();
        let installing =
            tokio::spawn(async move { client.send(Method::POST, "/api/v1/components", Bytes::from(file)).await });
        while !installing.is_finished() {
            beside.step(&mut stage).await?;
        }
        let answer: Value = serde_json::from_slice(&installing.await??.success()?)?;
        ensure!(answer["digest"].is_string(), "the component was not installed: {answer}");
        took.push(began.elapsed().as_secs_f64());
    }
    let mut during = beside.times(&stage).await?;
    tell("install_64mib_s", quantile(&mut took, 0.5), "s");
    let before = tell_times("delivery_alone", &mut before);
    let during = tell_times("delivery_while_installing", &mut during);
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
