//! A provider whose delay, failures and lists the tests control, and helpers that query a cache.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use tidings_acl::{AclCache, AclSettings, GroupSet, Members, Need, Provider, ProviderError, View};
use tidings_domain::acl::{Acl, AclTable, Holders, Key, Kinds};
use tokio::runtime::Handle;

/// How the provider answers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Behaviour {
    Answering,
    Failing,
    Panicking,
}

pub struct TestProvider {
    table: Mutex<AclTable>,
    behaviour: Mutex<Behaviour>,
    delay: Mutex<Duration>,
    calls: Mutex<Vec<String>>,
    at_once: AtomicUsize,
    most_at_once: AtomicUsize,
}

impl TestProvider {
    pub fn new(lists: &str) -> Arc<TestProvider> {
        Arc::new(TestProvider {
            table: Mutex::new(AclTable::from_json(lists).unwrap()),
            behaviour: Mutex::new(Behaviour::Answering),
            delay: Mutex::new(Duration::ZERO),
            calls: Mutex::default(),
            at_once: AtomicUsize::new(0),
            most_at_once: AtomicUsize::new(0),
        })
    }

    pub fn set(&self, lists: &str) {
        *self.table.lock().unwrap() = AclTable::from_json(lists).unwrap();
    }

    pub fn set_behaviour(&self, behaviour: Behaviour) {
        *self.behaviour.lock().unwrap() = behaviour;
    }

    pub fn set_delay(&self, seconds: u64) {
        *self.delay.lock().unwrap() = Duration::from_secs(seconds);
    }

    /// The number of requests for this name.
    pub fn calls(&self, name: &str) -> usize {
        self.calls.lock().unwrap().iter().filter(|called| *called == name).count()
    }

    pub fn most_at_once(&self) -> usize {
        self.most_at_once.load(SeqCst)
    }

    /// Returns after the delay the list at the time of the request.
    async fn answer<T>(&self, name: &str, lookup: impl Fn(&AclTable) -> Option<T>) -> Result<Option<T>, ProviderError> {
        self.calls.lock().unwrap().push(name.to_owned());
        let (answer, delay, behaviour) =
            (lookup(&self.table.lock().unwrap()), *self.delay.lock().unwrap(), *self.behaviour.lock().unwrap());
        self.most_at_once.fetch_max(self.at_once.fetch_add(1, SeqCst) + 1, SeqCst);
        tokio::time::sleep(delay).await;
        self.at_once.fetch_sub(1, SeqCst);
        match behaviour {
            Behaviour::Answering => Ok(answer),
            Behaviour::Failing => Err(ProviderError::Other("unavailable".into())),
            Behaviour::Panicking => panic!("the provider panics"),
        }
    }
}

#[async_trait]
impl Provider<Holders> for TestProvider {
    fn name(&self) -> &'static str {
        "test"
    }

    async fn fetch(&self, name: &str) -> Result<Option<Holders>, ProviderError> {
        self.answer(name, |table| table.packages.get(name).cloned()).await
    }
}

#[async_trait]
impl Provider<Members> for TestProvider {
    fn name(&self) -> &'static str {
        "test"
    }

    async fn fetch(&self, name: &str) -> Result<Option<BTreeSet<String>>, ProviderError> {
        self.answer(name, |table| table.groups.get(name).cloned()).await
    }
}

pub fn cache(service: &Arc<TestProvider>, settings: &AclSettings) -> AclCache {
    AclCache::new(service.clone(), service.clone(), settings, Handle::current())
}

pub fn packages(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

pub fn group_set(names: &[&str]) -> GroupSet {
    GroupSet::new(names.iter().map(|name| (*name).into()))
}

pub async fn view(cache: &AclCache, package: &str) -> View {
    cache.view(&Need { packages: &packages(&[package]), groups: None }).await
}

pub fn ready(cache: &AclCache, package: &str) -> Option<View> {
    cache.ready(&Need { packages: &packages(&[package]), groups: None })
}

/// Whether `user` holds `package` in any way, by commit, and by watch.
pub fn holds(view: &View, user: &str, package: &str) -> [bool; 3] {
    [Kinds::Any, Kinds::Commit, Kinds::Watch].map(|kinds| view.holds(user, package, kinds))
}

pub fn guake() -> [Key; 1] {
    [Key::Package("guake".into())]
}

pub const LISTS: &str = r#"{
    "packages": {
        "guake": {"point of contact": ["ann"], "co-maintained": ["group::shells"], "watch": ["cid"]},
        "bash": {"point of contact": ["dan"]}
    },
    "groups": {"shells": ["bob"]}
}"#;

/// The same after `ann` gave `guake` to `eve`.
pub const NEW_OWNER: &str = r#"{
    "packages": {
        "guake": {"point of contact": ["eve"], "co-maintained": ["group::shells"], "watch": ["cid"]},
        "bash": {"point of contact": ["dan"]}
    },
    "groups": {"shells": ["bob"]}
}"#;

/// The same after `fay` took the place of `bob` in the group.
pub const NEW_MEMBER: &str = r#"{
    "packages": {
        "guake": {"point of contact": ["ann"], "co-maintained": ["group::shells"], "watch": ["cid"]},
        "bash": {"point of contact": ["dan"]}
    },
    "groups": {"shells": ["fay"]}
}"#;
