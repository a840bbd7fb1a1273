//! The daemon put together: which room is made from what, in which order it starts, and in which it stops. Start is from
//! the inside out (store, plugins, rules, dispatch, API, bus), so that nothing comes in before it can go out; stop is the
//! reverse.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use tidings_bus::{
    Endpoint, EndpointStatus, Publisher, Received, Source, SourceSink, ZmqSettings, ZmqSource, ZmqSubscription,
};
use tidings_sandbox::{Sandbox, SandboxOptions};
use tidings_store::{Change, Maintenance, Mode, Store};
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::access_lists::AccessLists;
use crate::api::{self, ApiState};
use crate::changes::Announcer;
use crate::channels::{Channels, Environment, PluginHost};
use crate::clock;
use crate::config::Config;
use crate::dispatch::{DispatchSettings, Wakers};
use crate::fetch::Fetcher;
use crate::intake::Intake;
use crate::link_signer::LinkSigner;
use crate::matching_state::MatchingState;
use crate::streams::Streams;
use crate::telemetry::{Metrics, chain};
use crate::trust::Trust;
use crate::verify::AdmissionPolicy;

/// How often old messages are forgotten.
const PRUNE_EVERY: Duration = Duration::from_secs(3600);

/// The rooms that serve and replay have in common.
struct Core {
    store: Arc<dyn Store>,
    lists: Arc<AccessLists>,
    knowledge: Arc<MatchingState>,
    wakers: Arc<Wakers>,
    metrics: Arc<Metrics>,
}

impl Core {
    async fn open(config: &Config) -> anyhow::Result<Core> {
        make_data_dir(&config.data_dir.0)?;
        let metrics = Arc::new(Metrics::default());
        let store = tidings_store::open_with(&config.data_dir.database(), Mode::Daemon, &config.key_file()).await?;
        // Nobody else has this store: what a killed daemon had leased is free.
        let freed = store.release_all().await?;
        if freed > 0 {
            tracing::info!(freed, "leases of an earlier run are given back");
        }
        let lists = Arc::new(AccessLists::open(&config.acl, store.clone()).context("acl")?);
        let changed = Arc::clone(&lists);
        let changed = move |change: &Change| changed.apply(change);
        let knowledge =
            Arc::new(MatchingState::load(config, store.clone(), store.clone(), Arc::clone(&metrics), changed).await?);
        Ok(Core { store, lists, knowledge, wakers: Arc::default(), metrics })
    }

    fn intake(&self, config: &Config) -> Intake {
        Intake {
            knowledge: Arc::clone(&self.knowledge),
            lists: Arc::clone(&self.lists),
            store: self.store.clone(),
            policy: AdmissionPolicy { max_age: config.bus.max_message_age },
            wakers: Arc::clone(&self.wakers),
            metrics: Arc::clone(&self.metrics),
        }
    }
}

/// Runs the daemon until a signal ends it. SIGTERM and SIGINT drain: intake stops, calls in flight finish within their
/// grace; a second one ends at once. SIGHUP reads catalogue, aliases and access lists again.
pub async fn serve(config: Config, config_file: PathBuf) -> anyhow::Result<()> {
    let mut signals = Signals::listen()?;
    let core = Core::open(&config).await?;
    let links = Arc::new(LinkSigner::open(&config).context("the key of links")?);
    let streams = Streams::default();
    let channels = Channels::new(Environment {
        store: Arc::clone(&core.store),
        sandbox: Sandbox::new(SandboxOptions {
            cache_dir: config.data_dir.cache(),
            tls_ca_file: config.tls.ca_file.clone(),
            max_instances: config.sandbox.max_instances,
            compiler: crate::cli::compiler(),
        })?,
        trust: Arc::new(Trust::new(&config.trust).map_err(anyhow::Error::msg)?),
        host: Arc::new(PluginHost::new(Arc::clone(&core.store), Arc::clone(&core.knowledge), streams.clone())),
        links: Arc::clone(&links),
        knowledge: Arc::clone(&core.knowledge),
        wakers: Arc::clone(&core.wakers),
        metrics: Arc::clone(&core.metrics),
        dispatch: DispatchSettings::from(&config.dispatch),
    });
    let fetcher = Fetcher::new(&config.install, config.tls.ca_file.as_ref()).map_err(anyhow::Error::msg)?;
    let bus = Bus::prepare(&config)?;
    let listener =
        TcpListener::bind(config.api.listen).await.with_context(|| format!("api.listen {}", config.api.listen))?;
    let announcer = match &config.bus.publish {
        None => None,
        Some(publish) => {
            let publisher = Publisher::bind(&publish.bind, "tidings").await.context("bus.publish")?;
            let topic_prefix = format!("{}.{}", config.bus.topic_prefix, config.bus.environment);
            Some(Announcer::new(publisher, &topic_prefix, core.store.clone()).await?)
        }
    };
    channels.start().await?;

    let stop = CancellationToken::new();
    let state = ApiState {
        store: Arc::clone(&core.store),
        channels: Arc::clone(&channels),
        fetcher: Arc::new(fetcher),
        knowledge: Arc::clone(&core.knowledge),
        lists: Arc::clone(&core.lists),
        links,
        metrics: Arc::clone(&core.metrics),
        streams,
        endpoints: bus.endpoints.clone(),
        stopping: stop.child_token(),
    };
    let mut api = tokio::spawn(api::serve(listener, state, stop.child_token()));
    let bus_stop = CancellationToken::new();
    let (sources, queue) = bus.start(&bus_stop);
    let mut intake = tokio::spawn(core.intake(&config).run(queue, stop.child_token()));
    let feed = Arc::clone(&core.knowledge);
    let follow_stop = stop.child_token();
    let following = tokio::spawn(async move { feed.follow(follow_stop).await });
    let announcing = announcer.map(|announcer| tokio::spawn(announcer.run(stop.child_token())));
    let pruning = tokio::spawn(prune(core.store.clone(), config.retention.messages));
    tracing::info!(listen = %config.api.listen, "tidings runs");

    let end = loop {
        tokio::select! {
            next = signals.next() => match next {
                Wish::Reload => reload(&core, &config_file).await,
                Wish::Stop => break Ok(()),
            },
            ended = &mut api => break Err(anyhow!("the API ended: {ended:?}")),
            ended = &mut intake => break Err(anyhow!("intake ended: {ended:?}")),
        }
    };

    tracing::info!("stopping: intake first, then calls in flight");
    let drain = async {
        bus_stop.cancel();
        drop(sources);
        if !intake.is_finished() {
            // The sources are gone: intake ends when the buffer is empty, unless it waits for the store.
            if tokio::time::timeout(config.dispatch.stop_grace, &mut intake).await.is_err() {
                stop.cancel();
                let _ = (&mut intake).await;
            }
        }
        channels.stop().await;
        stop.cancel();
        pruning.abort();
        let _ = following.await;
        if let Some(announcing) = announcing {
            let _ = announcing.await;
        }
        core.store.close().await;
    };
    tokio::select! {
        () = drain => tracing::info!("stopped"),
        () = signals.second() => tracing::warn!("stopped at once; leases are given back at the next start"),
    }
    end
}

/// Takes the messages of a source into the outbox, without sending anything, and says what became of them. For a daemon
/// that is not running.
pub async fn replay(config: &Config, source: Box<dyn Source>) -> anyhow::Result<(Arc<Metrics>, Vec<EndpointStatus>)> {
    let core = Core::open(config).await?;
    let (sink, queue) = tidings_bus::buffer();
    let stop = CancellationToken::new();
    let intake = tokio::spawn(core.intake(config).run(queue, stop.clone()));
    let endpoints = source.endpoints();
    let end = source.run(sink, stop).await;
    intake.await.context("intake")?;
    core.store.close().await;
    end?;
    Ok((core.metrics, endpoints.iter().map(|endpoint| endpoint.status()).collect()))
}

/// The sources of the configuration.
struct Bus {
    sources: Vec<Box<dyn Source>>,
    endpoints: Vec<Arc<Endpoint>>,
}

impl Bus {
    fn prepare(config: &Config) -> anyhow::Result<Bus> {
        let mut bus = Bus { sources: Vec::new(), endpoints: Vec::new() };
        for zeromq in &config.bus.zeromq {
            let subscription =
                |address: &String| ZmqSubscription { address: address.clone(), topics: zeromq.topics.clone() };
            let settings = ZmqSettings { idle: zeromq.idle_timeout, ..ZmqSettings::default() };
            let source = ZmqSource::new(zeromq.endpoints.iter().map(subscription).collect(), settings)?;
            bus.endpoints.extend(source.endpoints());
            bus.sources.push(Box::new(source));
        }
        Ok(bus)
    }

    fn start(self, stop: &CancellationToken) -> (JoinSet<()>, mpsc::Receiver<Received>) {
        let (sink, queue) = tidings_bus::buffer();
        let mut tasks = JoinSet::new();
        for source in self.sources {
            let (sink, stop) = (sink.clone(), stop.clone());
            tasks.spawn(async move {
                if let Err(error) = source.run(sink, stop).await {
                    tracing::error!(error = %chain(&error), "a bus source ended");
                }
            });
        }
        if tasks.is_empty() {
            // Without a source the buffer stays open, so that the daemon serves its API and what is queued.
            tasks.spawn(hold(sink, stop.clone()));
        }
        (tasks, queue)
    }
}

async fn hold(_sink: SourceSink, stop: CancellationToken) {
    stop.cancelled().await;
}

async fn reload(core: &Core, config_file: &Path) {
    let reloaded = async {
        let config = Config::load(config_file, std::env::vars())?;
        core.lists.reload()?;
        core.knowledge.reload(&config).await
    };
    let reloaded = reloaded.await;
    match reloaded {
        Ok(()) => tracing::info!("catalogue, aliases, access lists and rules are read again"),
        Err(error) => tracing::error!(error = format!("{error:#}"), "the reload failed; what was in force stays"),
    }
}

async fn prune(store: Arc<dyn Maintenance>, retention: Duration) {
    loop {
        tokio::time::sleep(PRUNE_EVERY).await;
        match store.prune(clock::now().before(retention)).await {
            Ok(0) => {}
            Ok(forgotten) => tracing::info!(forgotten, "old messages are forgotten"),
            Err(error) => tracing::warn!(error = %chain(&error), "old messages could not be forgotten"),
        }
    }
}

fn make_data_dir(path: &Path) -> anyhow::Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .with_context(|| format!("data_dir {} cannot be made", path.display()))
}

/// What a signal asks for.
enum Wish {
    Stop,
    Reload,
}

struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
}

impl Signals {
    fn listen() -> std::io::Result<Signals> {
        Ok(Signals {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    async fn next(&mut self) -> Wish {
        tokio::select! {
            _ = self.terminate.recv() => Wish::Stop,
            _ = self.interrupt.recv() => Wish::Stop,
            _ = self.hangup.recv() => Wish::Reload,
        }
    }

    /// Another wish to stop.
    async fn second(&mut self) {
        while let Wish::Reload = self.next().await {}
    }
}
