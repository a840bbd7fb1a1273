//! Deliveries while a large component is installed.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use hyper::Method;
use serde_json::Value;
use tokio::time::sleep;

use super::{everything, quantile, stage, tell};
use crate::channel;
use crate::paths;
use crate::samples::Message;
use crate::scene::{Scene, about};

/// The size of the component: the most that is admitted.
const BYTES: usize = 64 * 1024 * 1024;
/// Deliveries of each part, and installations at least: enough for a 99th percentile.
const DELIVERIES: usize = 400;
/// Between two deliveries.
const PAUSE: Duration = Duration::from_millis(5);
const LIMIT: Duration = Duration::from_secs(30);

/// The time of single deliveries from the bus to the mail server, alone and while components of 64 MiB are installed one
/// after the other: the Python sample, which takes a compiler seconds, made larger by a section that it does not need.
pub(super) async fn install() -> Result<()> {
    let mut stage = stage().await?;
    channel::subscribe(&stage.client, &everything("git")).await?;
    for _ in 0..50 {
        delivery(&mut stage).await?;
    }
    let mut alone = Vec::new();
    while alone.len() < DELIVERIES {
        alone.push(delivery(&mut stage).await?);
        sleep(PAUSE).await;
    }
    let small = std::fs::read(paths::plugin("python-sample")?).context("reading the Python sample")?;
    let (mut beside, mut times) = (Vec::new(), Vec::new());
    for round in 0.. {
        if beside.len() >= DELIVERIES {
            break;
        }
        let (client, file) = (stage.client.clone(), padded(&small, round));
        let began = Instant::now();
        let installing =
            tokio::spawn(async move { client.send(Method::POST, "/api/v1/components", Bytes::from(file)).await });
        while !installing.is_finished() {
            beside.push(delivery(&mut stage).await?);
            sleep(PAUSE).await;
        }
        let answer: Value = serde_json::from_slice(&installing.await??.success()?)?;
        ensure!(answer["digest"].is_string(), "the component was not installed: {answer}");
        times.push(began.elapsed().as_secs_f64());
    }
    let [before, during] = [&mut alone, &mut beside].map(|times| quantile(times, 0.99));
    tell("install_64mib_s", quantile(&mut times, 0.5), "s");
    tell("delivery_p99_ms_alone", before, "ms");
    tell("delivery_p99_ms_while_installing", during, "ms");
    tell("install_64mib_p99_ratio", during / before, "ratio");
    stage.daemon.terminate().await.map(drop)
}

/// From the publication of a message until its mail arrives, in milliseconds.
async fn delivery(stage: &mut Scene) -> Result<f64> {
    let known = stage.sink.mails.count();
    let message: Message = about("installing");
    let began = Instant::now();
    stage.publisher.send(&message).await?;
    while stage.sink.mails.count() == known {
        ensure!(began.elapsed() < LIMIT, "a delivery did not arrive");
        sleep(Duration::from_micros(200)).await;
    }
    Ok(began.elapsed().as_secs_f64() * 1000.0)
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
