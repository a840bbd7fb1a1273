//! `plugin bench`: measures a delivery in a fresh instance, with a server that accepts everything.

use std::time::{Duration, Instant};

use anyhow::{anyhow, bail};
use serde_json::json;
use tidings_conformance::dry_run;
use tidings_conformance::sample::deliveries;
use tidings_domain::outcome::Outcome;

use super::super::output::Output;
use super::trial::describe;
use super::{AdmittedComponent, TrialArgs, admit};

/// The numbers of deliveries in one call.
const BATCHES: [usize; 3] = [1, 10, 100];
/// The time for each measurement.
const TIME: Duration = Duration::from_secs(1);

pub(super) async fn run(args: &TrialArgs, out: &mut Output) -> anyhow::Result<()> {
    let AdmittedComponent { sandbox, admitted, .. } = &admit(&args.file.file).await?;
    let sample = args.sample()?;
    let mut rows = Vec::new();
    for batch in BATCHES {
        let (began, mut calls, mut spent, mut memory) = (Instant::now(), 0_u32, Duration::ZERO, 0);
        while calls == 0 || began.elapsed() < TIME {
            let make = |address: &str| {
                (0..batch).map(|n| deliveries::single(address, deliveries::ordinary(&format!("bench-{n}")))).collect()
            };
            let run = dry_run(sandbox, admitted, &sample, make).await.map_err(|why| anyhow!(why))?;
            let missed = run.report.outcomes.iter().find(|outcome| !matches!(outcome, Outcome::Delivered { .. }));
            if let Some(outcome) = missed {
                bail!("the plugin does not deliver with these settings, so nothing is measured: {}", describe(outcome));
            }
            calls += 1;
            spent += run.report.stats.duration;
            memory = memory.max(run.report.stats.peak_memory_bytes);
        }
        let micros = spent.as_secs_f64() * 1e6 / f64::from(calls) / batch as f64;
        rows.push((batch, micros, memory, calls));
    }
    if out.is_json() {
        for (batch, micros, memory, calls) in rows {
            out.json(&json!({"batch": batch, "us_per_delivery": micros, "memory_bytes": memory, "calls": calls}))?;
        }
        return Ok(());
    }
    let rows = rows.iter().map(|(batch, micros, memory, calls)| {
        [batch.to_string(), format!("{micros:.0} us"), format!("{} KiB", memory.div_ceil(1024)), calls.to_string()]
    });
    Ok(out.table(["batch", "a delivery", "memory", "calls measured"], &rows.collect::<Vec<_>>())?)
}
