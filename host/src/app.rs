//! The daemon put together: which part is made from what, in which order it starts, and in which it stops. Start is from
//! the inside out (store, plugins, rules, dispatch, API, bus), so that nothing comes in before it can go out; stop is the
//! reverse.

mod bus;
mod intake_parts;
mod parts;
mod prune;
mod running;
mod signals;
mod supervisor;

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context as _;
use tidings_bus::{EndpointStatus, Source};
use tidings_sandbox::Compiler;
use tokio_util::sync::CancellationToken;

use crate::config::Config;
use crate::telemetry::Metrics;
use intake_parts::IntakeParts;
use parts::Parts;
use signals::Signals;

pub use supervisor::TaskFailure;

/// Runs the daemon until a signal ends it. SIGTERM and SIGINT drain: intake stops, calls in flight finish within their
/// grace; a second one ends at once. SIGHUP reads catalogue, aliases and access lists again.
///
/// # Errors
/// What keeps the daemon from starting, and a [`TaskFailure`]: a background task panicked or ended although the daemon
/// was not to stop. The daemon drains before it returns that.
pub async fn serve(config: Config, config_file: PathBuf, compiler: Compiler) -> anyhow::Result<()> {
    let mut signals = Signals::listen()?;
    let parts = Parts::prepare(&config, compiler).await?;
    let mut running = parts.start(&config).await?;
    tracing::info!(listen = %config.api.listen, "tidings runs");
    let end = running.until_stop(&mut signals, &config_file).await;
    tracing::info!("stopping: intake first, then calls in flight");
    tokio::select! {
        () = running.drain(config.dispatch.stop_grace) => tracing::info!("stopped"),
        () = signals.second_stop() => tracing::warn!("stopped at once; leases are given back at the next start"),
    }
    Ok(end?)
}

/// What became of the messages of a replay.
pub struct ReplayResult {
    pub metrics: Arc<Metrics>,
    pub endpoints: Vec<EndpointStatus>,
}

/// Takes the messages of a source into the outbox, without sending anything. Refused while a daemon runs.
pub async fn replay(config: &Config, source: Box<dyn Source>) -> anyhow::Result<ReplayResult> {
    let intake_parts = IntakeParts::open(config).await?;
    let (sink, queue) = tidings_bus::buffer();
    let stop = CancellationToken::new();
    let intake = tokio::spawn(intake_parts.intake(config).run(queue, stop.clone()));
    let endpoints = source.endpoints();
    let end = source.run(sink, stop).await;
    intake.await.context("intake")?;
    intake_parts.store.close().await;
    end?;
    let endpoints = endpoints.iter().map(|endpoint| endpoint.status()).collect();
    Ok(ReplayResult { metrics: intake_parts.metrics, endpoints })
}
