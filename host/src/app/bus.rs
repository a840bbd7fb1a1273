//! The bus sources of the configuration.

use std::sync::Arc;

use tidings_bus::{Endpoint, Source, SourceSink, ZmqSettings, ZmqSource, ZmqSubscription};
use tokio::task::AbortHandle;
use tokio_util::sync::CancellationToken;

use super::supervisor::Supervisor;
use crate::config::{Config, ZeromqConfig};
use crate::telemetry::chain;

/// Sources that do not run yet, and their endpoints.
pub(super) struct BusSources {
    sources: Vec<Box<dyn Source>>,
    pub(super) endpoints: Vec<Arc<Endpoint>>,
}

impl BusSources {
    pub(super) fn prepare(config: &Config) -> anyhow::Result<BusSources> {
        let mut bus = BusSources { sources: Vec::new(), endpoints: Vec::new() };
        for zeromq in &config.bus.zeromq {
            let source = zeromq_source(zeromq)?;
            bus.endpoints.extend(source.endpoints());
            bus.sources.push(Box::new(source));
        }
        Ok(bus)
    }

    /// Starts the sources, which end with `stop`. Without a source the buffer stays open, so that the daemon serves its API
    /// and delivers what is queued.
    pub(super) fn start(
        self,
        supervisor: &mut Supervisor,
        sink: SourceSink,
        stop: &CancellationToken,
    ) -> Vec<AbortHandle> {
        if self.sources.is_empty() {
            return vec![supervisor.spawn("bus source", hold(sink, stop.clone()))];
        }
        let start = |source: Box<dyn Source>| supervisor.spawn("bus source", run(source, sink.clone(), stop.clone()));
        self.sources.into_iter().map(start).collect()
    }
}

fn zeromq_source(config: &ZeromqConfig) -> anyhow::Result<ZmqSource> {
    let subscription = |address: &String| ZmqSubscription { address: address.clone(), topics: config.topics.clone() };
    let settings = ZmqSettings { idle: config.idle_timeout, ..ZmqSettings::default() };
    Ok(ZmqSource::new(config.endpoints.iter().map(subscription).collect(), settings)?)
}

async fn run(source: Box<dyn Source>, sink: SourceSink, stop: CancellationToken) {
    if let Err(error) = source.run(sink, stop).await {
        tracing::error!(error = %chain(&error), "a bus source failed; no message comes from its endpoints any more");
    }
}

async fn hold(_sink: SourceSink, stop: CancellationToken) {
    stop.cancelled().await;
}
