//! The access lists of this daemon: the cache in front of the providers that the configuration names. Messages and
//! administrators invalidate lists. The crate `tidings-acl` keeps and fetches them.

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
    /// Only files and the store: no list takes long.
    local: bool,
}

/// The lists that one message needs.
#[derive(Clone, Debug, Default)]
pub struct RequiredLists {
    pub packages: Vec<String>,
    groups: Option<Arc<GroupSet>>,
}

impl RequiredLists {
    /// The lists of the message's packages, and of the groups that rules ask about where the message names users.
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

    /// The lists that a message with these facts needs, if all are in memory.
    pub fn ready(&self, facts: &Facts, asked: &GroupSet) -> Option<View> {
        let groups = (!facts.usernames.is_empty()).then_some(asked);
        self.cache.ready(&Need { packages: &facts.packages, groups })
    }

    /// The same, after they were fetched; waits for `acl.wait` at most.
    pub async fn view(&self, needed: &RequiredLists) -> View {
        self.cache.view(&Need { packages: &needed.packages, groups: needed.groups.as_deref() }).await
    }

    /// Whether no list comes from a service: then messages need not pass each other.
    pub const fn are_local(&self) -> bool {
        self.local
    }

    /// Invalidates what the message says has changed, also for the message itself. To be called with verified messages
    /// only.
    pub fn observe(&self, envelope: &Envelope) {
        if let Some(invalidation) = invalidated(envelope) {
            self.cache.invalidate(&invalidation.keys, invalidation.cause);
        }
    }

    /// Invalidates what the store's feed says has changed.
    pub fn apply(&self, change: &Change) {
        let one = |key| self.cache.invalidate(&[key], Cause::Administrator);
        match change {
            Change::Package(name) => one(Key::Package(name.clone())),
            Change::Group(name) => one(Key::Group(name.clone())),
            Change::AllAccessLists => self.cache.invalidate_all(Cause::Administrator),
            Change::User(_) | Change::AllSubscriptions | Change::Channel(_) => {}
        }
    }

    /// Invalidates one list: an administrator asks for it to be fetched again.
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

    /// The cache, for reports about it.
    pub const fn cache(&self) -> &AclCache {
        &self.cache
    }
}

/// Logs the lists that a message is matched without.
pub fn report(missing: &[Missing], message: &str) {
    for Missing { key, reason } in missing {
        let (kind, name) = match key {
            Key::Package(name) => ("package", name),
            Key::Group(name) => ("group", name),
        };
        tracing::warn!(message, kind, name, %reason, "matched without an access list; users may miss this message");
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

/// Reads from the store, and waits while it is unavailable: without it no message could be accepted either.
async fn read<T, F: Future<Output = Result<T, StoreError>>>(ask: impl Fn() -> F) -> Result<T, ProviderError> {
    loop {
        match ask().await {
            Err(StoreError::Unavailable { .. }) => tokio::time::sleep(STORE_PAUSE).await,
            answer => return answer.map_err(|error| ProviderError::Other(chain(&error))),
        }
    }
}
