//! The access lists that matching needs: packages and groups, each behind its provider. `ready` returns lists in memory
//! at once; `view` waits for missing ones without holding up other messages. `list_cache` has the rules of one kind of
//! list.

use std::sync::Arc;

use futures::future::join_all;
use tidings_domain::acl::{Cause, Holders, Key};
use tokio::runtime::Handle;
use tokio::time::{Duration, Instant};

use crate::entry::{List, ListEntry, Package};
use crate::group_set::{GroupSet, Memberships};
use crate::list_cache::ListCache;
use crate::metrics::{Figures, Invalidations};
use crate::provider::{Members, Provider};
use crate::settings::AclSettings;
use crate::view::{Missing, Need, Sorted, Unavailable, View};

/// Access lists in memory. Clones share them.
#[derive(Clone)]
pub struct AclCache {
    packages: Arc<ListCache<Package>>,
    groups: Arc<ListCache<Members>>,
    wait: Duration,
    invalidations: Arc<Invalidations>,
}

impl AclCache {
    /// An empty cache in front of two providers. Tasks on `runtime` fetch the lists.
    pub fn new(
        packages: Arc<dyn Provider<Holders>>,
        groups: Arc<dyn Provider<Members>>,
        settings: &AclSettings,
        runtime: Handle,
    ) -> AclCache {
        AclCache {
            packages: Arc::new(ListCache::new(packages, settings.package_bytes, settings, runtime.clone())),
            groups: Arc::new(ListCache::new(groups, settings.group_bytes, settings, runtime)),
            wait: settings.wait,
            invalidations: Arc::default(),
        }
    }

    /// Everything that a message needs, if all of it is in memory. Never waits, and takes no lock that another message
    /// may hold. For an old list it starts a refresh and serves the old one. None: call `view`.
    pub fn ready(&self, need: &Need<'_>) -> Option<View> {
        let now = self.packages.now();
        let packages: Option<Vec<_>> = need.packages.iter().map(|name| self.packages.cached(name, now)).collect();
        let packages = packages?;
        let lists: Option<Vec<_>> =
            holding_groups(&packages).into_iter().map(|name| self.groups.cached(name, now)).collect();
        let groups = lists?;
        let members = match need.groups {
            None => None,
            Some(groups) => Some(self.memberships(groups, now)?),
        };
        packages.iter().for_each(|entry| self.packages.served(entry));
        groups.iter().for_each(|entry| self.groups.served(entry));
        Some(View::new(Sorted::new(packages), Sorted::new(groups), members, Vec::new()))
    }

    /// The members of the groups that rules refer to, if all their lists are in memory. Reuses the previous result
    /// unless a list changed since.
    fn memberships(&self, set: &GroupSet, now: u64) -> Option<Arc<Memberships>> {
        let version = self.groups.version();
        let known = set.memberships.load();
        if let Some(known) = known.as_ref().filter(|known| known.version == version && now < known.due) {
            return Some(Arc::clone(known));
        }
        let lists: Option<Vec<_>> = set.names.iter().map(|name| self.groups.cached(name, now).map(Some)).collect();
        let memberships = Arc::new(Memberships::new(set, version, lists?));
        set.memberships.store(Some(Arc::clone(&memberships)));
        Some(memberships)
    }

    /// The same after fetching what is missing: the holders of each package, then the members of each group among them.
    /// Takes at most `acl.wait`; lists that are still unknown then are in the view's `missing`. The future may be
    /// dropped at any time without harm to other waiters.
    pub async fn view(&self, need: &Need<'_>) -> View {
        let deadline = Instant::now() + self.wait;
        let mut missing = Vec::new();
        let packages = join_all(need.packages.iter().map(|name| self.packages.get(name, deadline))).await;
        let packages = known(need.packages, packages, Key::Package, &mut missing);
        let packages: Vec<_> = packages.into_iter().flatten().collect();
        let names = holding_groups(&packages);
        let groups = join_all(names.iter().map(|name| self.groups.get(name, deadline))).await;
        let groups = known(&names, groups, Key::Group, &mut missing).into_iter().flatten().collect();
        let members = match need.groups {
            None => None,
            Some(groups) => Some(self.fetched(groups, deadline, &mut missing).await),
        };
        View::new(Sorted::new(packages), Sorted::new(groups), members, missing)
    }

    /// The same as `memberships`, after fetching what is missing.
    async fn fetched(&self, set: &GroupSet, deadline: Instant, missing: &mut Vec<Missing>) -> Arc<Memberships> {
        if let Some(members) = self.memberships(set, self.groups.now()) {
            return members;
        }
        let version = self.groups.version();
        let lists = join_all(set.names.iter().map(|name| self.groups.get(name, deadline))).await;
        Arc::new(Memberships::new(set, version, known(&set.names, lists, Key::Group, missing)))
    }

    /// Invalidates lists. Those in memory are fetched again at once, and readers wait for the new list; an answer that
    /// is under way is not used. A list that is not in memory costs nothing.
    pub fn invalidate(&self, keys: &[Key], cause: Cause) {
        let known = keys.iter().filter(|key| match key {
            Key::Package(name) => self.packages.invalidate(name),
            Key::Group(name) => self.groups.invalidate(name),
        });
        self.invalidations.add(cause, known.count() as u64);
    }

    /// Invalidates every list, as after a file was read again. Each is fetched when it is next needed.
    pub fn invalidate_all(&self, cause: Cause) {
        let lists = self.packages.invalidate_all() + self.groups.invalidate_all();
        self.invalidations.add(cause, lists);
    }

    /// A copy of the counters and of the cache's state. Visits every entry: for an exporter, not for each message.
    pub fn figures(&self) -> Figures {
        Figures {
            packages: self.packages.figures(),
            groups: self.groups.figures(),
            invalidations: self.invalidations.figures(),
        }
    }
}

/// The groups that hold one of the packages, each once.
fn holding_groups(packages: &[Arc<ListEntry<Package>>]) -> Vec<&str> {
    let holding = packages.iter().filter_map(|entry| entry.list.as_ref()).flat_map(|package| &package.groups);
    let mut names: Vec<&str> = holding.map(|name| &**name).collect();
    names.sort_unstable();
    names.dedup();
    names
}

/// The lists in their order, none for a list that was not fetched; that one goes to `missing`.
fn known<L: List>(
    names: &[impl AsRef<str>],
    lists: Vec<Result<Arc<ListEntry<L>>, Unavailable>>,
    key: impl Fn(String) -> Key,
    missing: &mut Vec<Missing>,
) -> Vec<Option<Arc<ListEntry<L>>>> {
    let mut one = |name: &str, list: Result<_, _>| match list {
        Ok(entry) => Some(entry),
        Err(reason) => {
            missing.push(Missing { key: key(name.to_owned()), reason });
            None
        }
    };
    names.iter().zip(lists).map(|(name, list)| one(name.as_ref(), list)).collect()
}
