//! Deliveries while a large component is installed.

use std::time::Instant;

use anyhow::{Context, Result};

use super::steady_load::{SteadyLoad, WINDOW, WINDOWS, alone, report_times};
use super::{everything, quantile, report, start_harness};
use crate::channel;
use crate::paths;

/// The size of the component, the largest that is admitted.
const BYTES: usize = 64 * 1024 * 1024;

/// The mails before each installation, about as many as during one.
const ALONE: usize = 500;

/// Measures the time of single mails from the bus to the mail server, alone and while components of 64 MiB are installed one
/// after the other. The component is the Python sample, which compiles for seconds, enlarged by a custom section.
pub(super) async fn install() -> Result<()> {
    let mut harness = start_harness().await?;
    channel::subscribe(&harness.client, &everything("git")).await?;
    alone(&mut harness, "alone-warm", WINDOW).await?;
    let small = std::fs::read(paths::plugin("python-sample")?).context("reading the Python sample")?;
    let (mut before, mut during, mut took) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..WINDOWS {
        before.push(alone(&mut harness, &format!("alone-{round}"), ALONE).await?);
        let (client, file) = (harness.client.clone(), padded(&small, round as u8));
        let began = Instant::now();
        let installing = tokio::spawn(async move { client.install(file).await });
        let mut beside = SteadyLoad::new(&format!("beside-{round}"));
        while !installing.is_finished() {
            beside.step(&mut harness).await?;
        }
        installing.await??;
        took.push(began.elapsed().as_secs_f64());
        during.push(beside.times(&harness).await?);
    }
    report("install_64mib_s", quantile(&mut took, 0.5), "s");
    let before = report_times("delivery_alone", before.iter().map(Vec::as_slice));
    let during = report_times("delivery_while_installing", during.iter().map(Vec::as_slice));
    report("install_64mib_p99_ratio", during / before, "ratio");
    harness.daemon.terminate().await.map(drop)
}

/// Appends a custom section to a component, so that it has `BYTES` bytes and differs in each round.
fn padded(component: &[u8], round: u8) -> Vec<u8> {
    let mut file = component.to_vec();
    // Before the content are the id, the length in five bytes of LEB128, the length of the name, and the name.
    let content = BYTES.saturating_sub(file.len() + 1 + 5 + 4);
    let mut length = content + 4;
    file.push(0);
    for index in 0..5 {
        let more = if index < 4 { 0x80 } else { 0 };
        file.push((length & 0x7f) as u8 | more);
        length >>= 7;
    }
    file.extend(b"\x03pad");
    file.resize(file.len() + content, round);
    file
}
