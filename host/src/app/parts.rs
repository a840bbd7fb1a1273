//! The wiring of `serve`: makes every part from those before it, binds the listener, and then starts the tasks.

use std::sync::Arc;

use anyhow::Context as _;
use tidings_bus::Publisher;
use tidings_sandbox::{Compiler, Sandbox, SandboxOptions};
use tidings_store::Store;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::bus::BusSources;
use super::intake_parts::IntakeParts;
use super::prune::prune;
use super::running::RunningDaemon;
use super::supervisor::Supervisor;
use crate::api::{self, ApiState};
use crate::changes::Announcer;
use crate::channels::{Channels, Environment, PluginHost};
use crate::config::{Config, ConfigError};
use crate::dispatch::DispatchSettings;
use crate::fetch::Fetcher;
use crate::link_signer::LinkSigner;
use crate::streams::Streams;
use crate::trust::Trust;

/// Everything that `serve` needs, with nothing running yet.
pub(super) struct Parts {
    intake_parts: IntakeParts,
    channels: Arc<Channels>,
    links: Arc<LinkSigner>,
    streams: Streams,
    fetcher: Fetcher,
    bus: BusSources,
    listener: TcpListener,
    announcer: Option<Announcer>,
}

impl Parts {
    pub(super) async fn prepare(config: &Config, compiler: Compiler) -> anyhow::Result<Parts> {
        let intake_parts = IntakeParts::open(config).await?;
        let links = Arc::new(LinkSigner::open(config).context("the key of links")?);
        let streams = Streams::default();
        let channels = Channels::new(environment(config, compiler, &intake_parts, &links, &streams)?);
        let fetcher = Fetcher::new(&config.install, config.tls.ca_file.as_ref()).map_err(ConfigError::File)?;
        let bus = BusSources::prepare(config)?;
        let listen = config.api.listen;
        let listener = TcpListener::bind(listen).await.with_context(|| format!("api.listen {listen}"))?;
        let announcer = announcer(config, &intake_parts.store).await?;
        Ok(Parts { intake_parts, channels, links, streams, fetcher, bus, listener, announcer })
    }

    /// Starts the enabled channels, then the background tasks.
    pub(super) async fn start(self, config: &Config) -> anyhow::Result<RunningDaemon> {
        let Parts { intake_parts, channels, links, streams, fetcher, bus, listener, announcer } = self;
        channels.start().await?;
        let (stop, bus_stop) = (CancellationToken::new(), CancellationToken::new());
        let state = ApiState {
            store: Arc::clone(&intake_parts.store),
            channels: Arc::clone(&channels),
            fetcher: Arc::new(fetcher),
            requests_per_second: config.api.requests_per_second,
            knowledge: Arc::clone(&intake_parts.matching),
            lists: Arc::clone(&intake_parts.lists),
            links,
            metrics: Arc::clone(&intake_parts.metrics),
            streams,
            endpoints: bus.endpoints.clone(),
            stopping: stop.child_token(),
        };
        let mut supervisor = Supervisor::default();
        supervisor.spawn("api", api::serve(listener, state, stop.child_token()));
        let (sink, queue) = tidings_bus::buffer();
        let sources = bus.start(&mut supervisor, sink, &bus_stop);
        supervisor.spawn("intake", intake_parts.intake(config).run(queue, stop.child_token()));
        let (matching, follow_stop) = (Arc::clone(&intake_parts.matching), stop.child_token());
        supervisor.spawn("feed follower", async move { matching.follow(follow_stop).await });
        if let Some(announcer) = announcer {
            supervisor.spawn("announcer", announcer.run(stop.child_token()));
        }
        supervisor.spawn("pruner", prune(intake_parts.store.clone(), config.retention.messages, stop.child_token()));
        supervisor.spawn("failure policies", Arc::clone(&channels).sweep_policies(stop.child_token()));
        Ok(RunningDaemon { intake_parts, channels, supervisor, sources, bus_stop, stop })
    }
}

fn environment(
    config: &Config,
    compiler: Compiler,
    intake_parts: &IntakeParts,
    links: &Arc<LinkSigner>,
    streams: &Streams,
) -> anyhow::Result<Environment> {
    let sandbox = SandboxOptions {
        cache_dir: config.data_dir.cache(),
        tls_ca_file: config.tls.ca_file.clone(),
        max_instances: config.sandbox.max_instances,
        compiler,
    };
    Ok(Environment {
        store: Arc::clone(&intake_parts.store),
        sandbox: Sandbox::new(sandbox)?,
        trust: Arc::new(Trust::new(&config.trust).map_err(ConfigError::File)?),
        host: Arc::new(PluginHost::new(
            Arc::clone(&intake_parts.store),
            Arc::clone(&intake_parts.matching),
            streams.clone(),
        )),
        links: Arc::clone(links),
        matching: Arc::clone(&intake_parts.matching),
        wakers: Arc::clone(&intake_parts.wakers),
        metrics: Arc::clone(&intake_parts.metrics),
        dispatch: DispatchSettings::from(&config.dispatch),
    })
}

/// What announces changes on the bus, where `bus.publish` is set.
async fn announcer(config: &Config, store: &Arc<dyn Store>) -> anyhow::Result<Option<Announcer>> {
    let Some(publish) = &config.bus.publish else { return Ok(None) };
    let publisher = Publisher::bind(&publish.bind, "tidings").await.context("bus.publish")?;
    let topic_prefix = format!("{}.{}", config.bus.topic_prefix, config.bus.environment);
    Ok(Some(Announcer::new(publisher, &topic_prefix, store.clone()).await?))
}
