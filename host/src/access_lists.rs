//! The access lists of this daemon: the cache in front of the providers that the configuration names. Messages and
//! administrators say which lists are no longer right. How lists are kept and fetched is the cache's own crate.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tidings_acl::{
    AclCache, AclSettings, DistGit, FasJson, GroupSet, GroupSource, JsonFile, Missing, Need, PackageSource, Pkgdb,
    Provider, ProviderError, View,
};
use tidings_domain::acl::{Cause, Holders, Key, invalidated};
use tidings_domain::facts::Facts;
use tidings_domain::message::Envelope;
use tidings_store::{AccessListStore, Change, StoreError};
use tokio::runtime::Handle;

use crate::telemetry::chain;

/// How long a list waits before it is read again from a store that is not available.
const STORE_PAUSE: Duration = Duration::from_millis(500);

/// The lists, and the files among their providers.
pub struct AccessLists {
    cache: AclCache,
    files: Vec<Arc<JsonFile>>,
    /// Files and the store alone: no list takes long.
    local: bool,
}

/// What one message needs of them.
#[derive(Clone, Debug, Default)]
pub struct RequiredLists {
    pub packages: Vec<String>,
    groups: Option<Arc<GroupSet>>,
}

impl RequiredLists {
    /// The lists of the message's packages, and of the groups that rules ask about where it names somebody.
    pub fn new(facts: &Facts, asked: &Arc<GroupSet>) -> RequiredLists {
        let groups = (!facts.usernames.is_empty()).then(|| Arc::clone(asked));
        RequiredLists { packages: facts.packages.clone(), groups }
    }

    pub fn package(name: &str) -> RequiredLists {
        RequiredLists { packages: vec![name.to_owned()], groups: None }
    }

    pub fn group(name: &str) -> RequiredLists {
        RequiredLists { packages: Vec::new(), groups: Some(Arc::new(GroupSet::new([name.into()]))) }
    }
}

impl AccessLists {
    /// The providers of the configuration, behind an empty cache.
    pub fn open(settings: &AclSettings, store: Arc<dyn AccessListStore>) -> anyhow::Result<AccessLists> {
        let mut files = Vec::new();
        let mut file = |path| {
            let file = Arc::new(JsonFile::open(path)?);
            files.push(Arc::clone(&file));
            anyhow::Ok(file)
        };
        let packages: Arc<dyn Provider<Holders>> = match &settings.packages {
            PackageSource::Store => Arc::new(Stored(Arc::clone(&store))),
            PackageSource::File { path } => file(path)?,
            PackageSource::Pkgdb(service) => Arc::new(Pkgdb::new(service)?),
            PackageSource::DistGit(site) => Arc::new(DistGit::new(site)?),
        };
        let groups: Arc<dyn Provider<BTreeSet<String>>> = match &settings.groups {
            GroupSource::Store => Arc::new(Stored(Arc::clone(&store))),
            GroupSource::File { path } => file(path)?,
            GroupSource::FasJson(service) => Arc::new(FasJson::new(service)?),
        };
        let local = matches!(settings.packages, PackageSource::Store | PackageSource::File { .. })
            && matches!(settings.groups, GroupSource::Store | GroupSource::File { .. });
        Ok(AccessLists { local, cache: AclCache::new(packages, groups, settings, Handle::current()), files })
    }

    /// What a message with these facts needs, if it is here now.
    pub fn ready(&self, facts: &Facts, asked: &GroupSet) -> Option<View> {
        let groups = (!facts.usernames.is_empty()).then_some(asked);
        self.cache.ready(&Need { packages: &facts.packages, groups })
    }

    /// The same, after it was fetched; `acl.wait` at most.
    pub async fn view(&self, needed: &RequiredLists) -> View {
        self.cache.view(&Need { packages: &needed.packages, groups: needed.groups.as_deref() }).await
    }

    /// Whether no list comes from a service: then nothing is gained by letting messages pass each other.
    pub const fn are_local(&self) -> bool {
        self.local
    }

    /// Whatever the message says has changed is fetched anew, also for the message itself. To be called with verified
    /// messages only.
    pub fn observe(&self, envelope: &Envelope) {
        if let Some(invalidation) = invalidated(envelope) {
            self.cache.invalidate(&invalidation.keys, invalidation.cause);
        }
    }

    /// The same for what the store tells.
    pub fn apply(&self, change: &Change) {
        let one = |key| self.cache.invalidate(&[key], Cause::Administrator);
        match change {
            Change::Package(name) => one(Key::Package(name.clone())),
            Change::Group(name) => one(Key::Group(name.clone())),
            Change::AllAccessLists => self.cache.invalidate_all(Cause::Administrator),
            Change::User(_) | Change::AllSubscriptions | Change::Channel(_) => {}
        }
    }

    /// An administrator wants this list fetched anew.
    pub fn refresh(&self, key: Key) {
        self.cache.invalidate(&[key], Cause::Administrator);
    }

    /// Reads files again; one that cannot be read is an error, and its lists stay.
    pub fn reload(&self) -> anyhow::Result<()> {
        for file in &self.files {
            file.reload()?;
        }
        if !self.files.is_empty() {
            self.cache.invalidate_all(Cause::Reload);
        }
        Ok(())
    }

    /// The cache, for whoever reports how it does.
    pub const fn cache(&self) -> &AclCache {
        &self.cache
    }
}

/// Reports lists that a message does without.
pub fn report(missing: &[Missing], message: &str) {
    for Missing { key, reason } in missing {
        let (kind, name) = match key {
            Key::Package(name) => ("package", name),
            Key::Group(name) => ("group", name),
        };
        tracing::warn!(message, kind, name, %reason, "matched without an access list; somebody may not be told");
    }
}

/// The table in the daemon's own store.
struct Stored(Arc<dyn AccessListStore>);

#[async_trait]
impl Provider<Holders> for Stored {
    fn name(&self) -> &'static str {
        "store"
    }

    async fn fetch(&self, name: &str) -> Result<Option<Holders>, ProviderError> {
        read(|| self.0.package(name)).await
    }
}

#[async_trait]
impl Provider<BTreeSet<String>> for Stored {
    fn name(&self) -> &'static str {
        "store"
    }

    async fn fetch(&self, name: &str) -> Result<Option<BTreeSet<String>>, ProviderError> {
        read(|| self.0.group(name)).await
    }
}

/// Reads from the store, as soon as it is available: without it no message could be accepted either.
async fn read<T, F: Future<Output = Result<T, StoreError>>>(ask: impl Fn() -> F) -> Result<T, ProviderError> {
    loop {
        match ask().await {
            Err(StoreError::Unavailable { .. }) => tokio::time::sleep(STORE_PAUSE).await,
            answer => return answer.map_err(|error| ProviderError::Other(chain(&error))),
        }
    }
}
