//! What an actor keeps apart: the changes of one channel from those of another and from all readers, and a panic from
//! everything else. Workers and plugins are in the scenarios.

use std::time::Duration;

use tempfile::TempDir;
use tidings_domain::grant::Grants;
use tidings_domain::limits::PluginLimits;
use tidings_domain::plugin_life::ChannelVersions;
use tidings_sandbox::{Compiler, Sandbox, SandboxOptions};
use tidings_store::Mode;
use tokio::sync::oneshot;

use super::*;
use crate::clock;
use crate::config::Config;
use crate::dispatch::DispatchSettings;
use crate::link_signer::LinkSigner;
use crate::matching_state::MatchingState;
use crate::streams::Streams;
use crate::telemetry::Metrics;
use crate::trust::Trust;

/// How long an answer may take that waits for nothing.
const AT_ONCE: Duration = Duration::from_secs(10);

struct Stand {
    channels: Arc<Channels>,
    _dir: TempDir,
}

impl Stand {
    /// Channels of these names, disabled.
    async fn with(names: &[&str]) -> Stand {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let mut config = Config::default();
        config.data_dir.0 = dir.path().to_owned();
        let store = tidings_store::open(&config.data_dir.database(), Mode::Daemon).await.expect("a new database");
        let metrics = Arc::<Metrics>::default();
        let matching = MatchingState::load(&config, store.clone(), store.clone(), Arc::clone(&metrics), |_| {}).await;
        let matching = Arc::new(matching.expect("the embedded catalogue is valid"));
        let sandbox = SandboxOptions {
            cache_dir: config.data_dir.cache(),
            tls_ca_file: None,
            max_instances: 2,
            compiler: Compiler::InProcess,
        };
        let channels = Channels::new(Environment {
            store: Arc::clone(&store),
            sandbox: Sandbox::new(sandbox).expect("the engine starts"),
            trust: Arc::new(Trust::default()),
            host: Arc::new(PluginHost::new(Arc::clone(&store), Arc::clone(&matching), Streams::default())),
            links: Arc::new(LinkSigner::open(&config).expect("a key")),
            matching,
            wakers: Arc::default(),
            metrics,
            dispatch: DispatchSettings::from(&config.dispatch),
        });
        for name in names {
            store.change_channel(&channel(name), None, clock::now()).await.expect("the channel is stored");
        }
        Stand { channels, _dir: dir }
    }

    /// Has the actor of a channel run a future.
    async fn run(&self, name: &str, work: impl Future<Output = ()> + Send + 'static) -> Result<Channel, ChannelError> {
        self.channels.change(name, &Precondition::None, ChannelChange::Run(Box::pin(work))).await
    }

    /// Begins a change of a channel that ends when the sender is dropped, and returns when it has begun.
    async fn hold(&self, name: &str) -> oneshot::Sender<()> {
        let ((end, ended), (begin, begun)) = (oneshot::channel(), oneshot::channel());
        let (channels, name) = (Arc::clone(&self.channels), name.to_owned());
        let work = async move {
            begin.send(()).expect("the test waits");
            let _: Result<(), _> = ended.await;
        };
        tokio::spawn(
            async move { channels.change(&name, &Precondition::None, ChannelChange::Run(Box::pin(work))).await },
        );
        begun.await.expect("the change begins");
        end
    }

    fn reason(&self, name: &str) -> Option<String> {
        match self.channels.registry.status(name) {
            Some(ChannelStatus::Failed { reason }) => Some(reason),
            _ => None,
        }
    }
}

fn channel(name: &str) -> Channel {
    Channel {
        name: name.to_owned(),
        component: "0".repeat(64),
        config: BTreeMap::new(),
        former: BTreeMap::new(),
        grants: Grants::default(),
        limits: PluginLimits::default(),
        enabled: false,
        life: ChannelVersions::default(),
    }
}

async fn at_once<T>(work: impl Future<Output = T>) -> T {
    tokio::time::timeout(AT_ONCE, work).await.expect("it waits for nothing")
}

#[tokio::test]
async fn a_change_that_lasts_holds_up_neither_readers_nor_another_channel() {
    let stand = Stand::with(&["slow", "other"]).await;
    let end = stand.hold("slow").await;
    assert!(at_once(stand.channels.change("other", &Precondition::None, ChannelChange::Disable)).await.is_ok());
    assert_eq!(at_once(async { stand.channels.residents() }).await.len(), 0);
    assert!(matches!(stand.channels.registry.status("slow"), Some(ChannelStatus::Stopped)));
    let next = stand.channels.change("slow", &Precondition::None, ChannelChange::Disable);
    tokio::pin!(next);
    assert!(futures::poll!(&mut next).is_pending(), "changes of one channel come one after the other");
    drop(end);
    assert!(at_once(next).await.is_ok());
}

#[tokio::test]
async fn a_panic_fails_its_own_channel_and_its_actor_goes_on() {
    let stand = Stand::with(&["broken", "other"]).await;
    let error = stand.run("broken", async { panic!("a defect") }).await.expect_err("it panicked");
    assert!(matches!(error, ChannelError::Panicked { .. }), "{error}");
    assert!(stand.reason("broken").is_some_and(|reason| reason.contains("a defect")));
    assert!(
        stand.channels.change("broken", &Precondition::None, ChannelChange::Disable).await.is_ok(),
        "the actor takes the next command"
    );
    assert_eq!(stand.reason("broken"), None);
    assert!(stand.channels.change("other", &Precondition::None, ChannelChange::Disable).await.is_ok());
}

#[tokio::test]
async fn more_commands_than_may_wait_are_refused() {
    let stand = Stand::with(&["slow"]).await;
    let end = stand.hold("slow").await;
    let actor = stand.channels.registry.actor("slow").expect("it runs");
    let ask = || {
        actor.ask(|reply| actor::ActorCommand::Change {
            change: ChannelChange::Disable,
            condition: Precondition::None,
            reply,
        })
    };
    let mut waiting: Vec<_> = (0..limits::CHANNEL_COMMANDS).map(|_| Box::pin(ask())).collect();
    for command in &mut waiting {
        assert!(futures::poll!(command).is_pending());
    }
    let error = ask().await.expect_err("the queue is full");
    assert!(matches!(error, ChannelError::Busy { .. }), "{error}");
    drop(end);
    for command in waiting {
        assert!(at_once(command).await.is_ok());
    }
}

#[tokio::test]
async fn a_channel_that_was_removed_is_missing_and_may_come_back() {
    let stand = Stand::with(&["mail"]).await;
    stand.channels.remove("mail", &Precondition::None).await.expect("nothing waits for it");
    assert!(stand.channels.registry.status("mail").is_none(), "its actor is forgotten");
    let missing =
        |result: Result<Channel, ChannelError>| matches!(result, Err(ChannelError::Store(StoreError::Missing { .. })));
    assert!(missing(stand.channels.change("mail", &Precondition::None, ChannelChange::Disable).await));
    let store = &stand.channels.environment().store;
    store.change_channel(&channel("mail"), None, clock::now()).await.expect("it is stored");
    assert!(stand.channels.change("mail", &Precondition::None, ChannelChange::Disable).await.is_ok());
}

#[tokio::test]
async fn no_channel_starts_after_the_stop() {
    let stand = Stand::with(&["mail"]).await;
    assert!(stand.channels.change("mail", &Precondition::None, ChannelChange::Disable).await.is_ok());
    stand.channels.stop().await;
    let error =
        stand.channels.change("mail", &Precondition::None, ChannelChange::Disable).await.expect_err("it is stopped");
    assert!(matches!(error, ChannelError::NotReady(NotReady::Stopping)), "{error}");
}
