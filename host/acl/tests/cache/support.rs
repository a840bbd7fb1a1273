//! A provider that the tests can slow down, break and change, and short ways to ask a cache.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use tidings_acl::{AclCache, AclSettings, GroupSet, Members, Need, Provider, ProviderError, View};
use tidings_domain::acl::{Acl, AclTable, Holders, Key, Kinds};
use tokio::runtime::Handle;

/// How the service behaves.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Mood {
    Well,
    Failing,
    Panicking,
}

pub struct Service {
    table: Mutex<AclTable>,
    mood: Mutex<Mood>,
    takes: Mutex<Duration>,
    calls: Mutex<Vec<String>>,
    at_once: AtomicUsize,
    most_at_once: AtomicUsize,
}

impl Service {
    pub fn new(lists: &str) -> Arc<Service> {
        Arc::new(Service {
            table: Mutex::new(AclTable::from_json(lists).unwrap()),
            mood: Mutex::new(Mood::Well),
            takes: Mutex::new(Duration::ZERO),
            calls: Mutex::default(),
            at_once: AtomicUsize::new(0),
            most_at_once: AtomicUsize::new(0),
        })
    }

    pub fn set(&self, lists: &str) {
        *self.table.lock().unwrap() = AclTable::from_json(lists).unwrap();
    }

    pub fn feels(&self, mood: Mood) {
        *self.mood.lock().unwrap() = mood;
    }

    pub fn takes(&self, seconds: u64) {
        *self.takes.lock().unwrap() = Duration::from_secs(seconds);
    }

    /// How often this name was asked for.
    pub fn calls(&self, name: &str) -> usize {
        self.calls.lock().unwrap().iter().filter(|called| *called == name).count()
    }

    pub fn most_at_once(&self) -> usize {
        self.most_at_once.load(SeqCst)
    }

    /// What the service knew when it was asked, delivered when it is done.
    async fn answer<T>(&self, name: &str, look: impl Fn(&AclTable) -> Option<T>) -> Result<Option<T>, ProviderError> {
        self.calls.lock().unwrap().push(name.to_owned());
        let (answer, takes, mood) =
            (look(&self.table.lock().unwrap()), *self.takes.lock().unwrap(), *self.mood.lock().unwrap());
        self.most_at_once.fetch_max(self.at_once.fetch_add(1, SeqCst) + 1, SeqCst);
        tokio::time::sleep(takes).await;
        self.at_once.fetch_sub(1, SeqCst);
        match mood {
            Mood::Well => Ok(answer),
            Mood::Failing => Err(ProviderError::Other("out of order".into())),
            Mood::Panicking => panic!("a provider's own fault"),
        }
    }
}

#[async_trait]
impl Provider<Holders> for Service {
    fn name(&self) -> &'static str {
        "test"
    }

    async fn fetch(&self, name: &str) -> Result<Option<Holders>, ProviderError> {
        self.answer(name, |table| table.packages.get(name).cloned()).await
    }
}

#[async_trait]
impl Provider<Members> for Service {
    fn name(&self) -> &'static str {
        "test"
    }

    async fn fetch(&self, name: &str) -> Result<Option<BTreeSet<String>>, ProviderError> {
        self.answer(name, |table| table.groups.get(name).cloned()).await
    }
}

pub fn cache(service: &Arc<Service>, settings: &AclSettings) -> AclCache {
    AclCache::new(service.clone(), service.clone(), settings, Handle::current())
}

pub fn packages(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

pub fn asked(names: &[&str]) -> GroupSet {
    GroupSet::new(names.iter().map(|name| (*name).into()))
}

pub async fn view(cache: &AclCache, package: &str) -> View {
    cache.view(&Need { packages: &packages(&[package]), groups: None }).await
}

pub fn ready(cache: &AclCache, package: &str) -> Option<View> {
    cache.ready(&Need { packages: &packages(&[package]), groups: None })
}

/// Whether `user` holds `package` by any, commit, watch.
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
pub const GIVEN: &str = r#"{
    "packages": {
        "guake": {"point of contact": ["eve"], "co-maintained": ["group::shells"], "watch": ["cid"]},
        "bash": {"point of contact": ["dan"]}
    },
    "groups": {"shells": ["bob"]}
}"#;

/// The same after `fay` took the place of `bob` in the group.
pub const JOINED: &str = r#"{
    "packages": {
        "guake": {"point of contact": ["ann"], "co-maintained": ["group::shells"], "watch": ["cid"]},
        "bash": {"point of contact": ["dan"]}
    },
    "groups": {"shells": ["fay"]}
}"#;
