//! The lists of one kind. A read is a lookup in moka's concurrent map and a check of the entry's freshness: it takes no
//! lock that another message could hold. All changes (starting a fetch, invalidating, storing an answer) take one mutex
//! for a moment, and so happen in one order:
//!
//! - At most one fetch of a list is in flight. It is a task of its own, so its waiters may leave.
//! - An invalidation marks the entry and, if a fetch is in flight, that its answer is outdated. An outdated answer is
//!   kept as the last known list, still invalid, and the fetch asks again. So an answer that a provider began to make
//!   before an invalidation is never used after it.
//! - A list that is only old is refreshed in the background: such fetches have few permits of their own, and become
//!   urgent when a message waits for them.
//!
//! moka only bounds the size: it evicts by weight and use. It does not track age, since its clock is not tokio's; the
//! entry holds its due time. An evicted list is fetched again like an unknown one.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::limits;
use tokio::runtime::Handle;
use tokio::sync::{Notify, Semaphore, watch};
use tokio::time::{Instant, sleep, timeout, timeout_at};

use crate::breaker::Breaker;
use crate::entry::{Freshness, List, ListEntry};
use crate::metrics::{ListFigures, ListMetrics, LoadResult};
use crate::provider::Provider;
use crate::settings::AclSettings;
use crate::view::Unavailable;

/// The result of a fetch: a list (the last known one, if need be) or why there is none.
type FetchResult<L> = Result<Arc<ListEntry<L>>, Unavailable>;

/// A fetch in fetch.
struct InflightFetch<L> {
    /// The list was invalidated after the provider was asked: its answer is outdated.
    late: bool,
    /// Notified when a message waits for it.
    needed: Arc<Notify>,
    /// Set when the fetch ends; closed without a value if its task was killed.
    result: watch::Receiver<Option<FetchResult<L>>>,
}

type InflightFetches<L> = HashMap<Arc<str>, InflightFetch<L>>;

pub(crate) struct ListCache<L: List> {
    provider: Arc<dyn Provider<L::Answer>>,
    cache: moka::sync::Cache<Arc<str>, Arc<ListEntry<L>>>,
    in_flight: Mutex<InflightFetches<L>>,
    permits: Semaphore,
    /// Permits of background fetches.
    background_permits: Semaphore,
    breaker: Breaker,
    metrics: ListMetrics,
    settings: AclSettings,
    start: Instant,
    runtime: Handle,
    /// Grows with each change of any list.
    version: AtomicU64,
}

impl<L: List> ListCache<L> {
    pub(crate) fn new(
        provider: Arc<dyn Provider<L::Answer>>,
        bytes: u64,
        settings: &AclSettings,
        runtime: Handle,
    ) -> ListCache<L> {
        let cache =
            moka::sync::Cache::builder().max_capacity(bytes).weigher(|_, entry: &Arc<ListEntry<L>>| entry.bytes);
        ListCache {
            provider,
            cache: cache.build(),
            in_flight: Mutex::default(),
            permits: Semaphore::new(settings.concurrency),
            background_permits: Semaphore::new(settings.concurrency.div_ceil(4)),
            breaker: Breaker::new(settings.breaker_failures, settings.breaker_rest),
            metrics: ListMetrics::default(),
            settings: settings.clone(),
            start: Instant::now(),
            runtime,
            version: AtomicU64::new(0),
        }
    }

    /// Milliseconds since the start.
    pub(crate) fn now(&self) -> u64 {
        self.start.elapsed().as_millis() as u64
    }

    /// A number that changes with every list. What is read after it is at least as new.
    pub(crate) fn version(&self) -> u64 {
        self.version.load(Ordering::Acquire)
    }

    fn changed(&self) {
        self.version.fetch_add(1, Ordering::AcqRel);
    }

    /// The list if it need not be waited for. Starts a background refresh if it is due.
    pub(crate) fn cached(self: &Arc<Self>, name: &str, now: u64) -> Option<Arc<ListEntry<L>>> {
        let entry = self.cache.get(name).filter(|entry| entry.freshness() != Freshness::Awaited)?;
        if entry.claims_refresh(now, now + self.settings.wait.as_millis() as u64) {
            self.join(name, Urgency::Background, |_| false);
        }
        Some(entry)
    }

    /// Counts that a message used this list.
    pub(crate) fn served(&self, entry: &ListEntry<L>) {
        match entry.freshness() {
            Freshness::Valid => self.metrics.hits.add(1),
            Freshness::LastKnown | Freshness::Awaited => self.metrics.stale_served.add(1),
        }
    }

    /// Waits for the list; after the deadline, returns the last known one.
    pub(crate) async fn get(self: &Arc<Self>, name: &str, deadline: Instant) -> FetchResult<L> {
        let result = self.wait(name, deadline).await;
        match &result {
            Ok(entry) => self.served(entry),
            Err(_) => self.metrics.unavailable.add(1),
        }
        result
    }

    async fn wait(self: &Arc<Self>, name: &str, deadline: Instant) -> FetchResult<L> {
        if let Some(entry) = self.cached(name, self.now()) {
            return Ok(entry);
        }
        let mut result = match self.join(name, Urgency::Now, |entry| entry.freshness() != Freshness::Awaited) {
            Joined::Cached(entry) => return Ok(entry),
            Joined::Full => return self.cache.get(name).ok_or(Unavailable::Overloaded),
            Joined::Waiting(result) => result,
        };
        self.metrics.misses.add(1);
        match timeout_at(deadline, result.wait_for(Option::is_some)).await {
            Ok(Ok(result)) => result.clone().unwrap_or(Err(Unavailable::Lost)),
            Ok(Err(_)) => self.cache.get(name).ok_or(Unavailable::Lost),
            Err(_) => self.cache.get(name).ok_or(Unavailable::TimedOut),
        }
    }

    /// Joins the fetch of this list, or starts one, unless there is an entry that is `good` enough.
    fn join(self: &Arc<Self>, name: &str, urgency: Urgency, good: impl Fn(&ListEntry<L>) -> bool) -> Joined<L> {
        let mut fetches = self.fetches();
        if let Some(entry) = self.cache.get(name).filter(|entry| good(entry)) {
            return Joined::Cached(entry);
        }
        if let Some(fetch) = fetches.get(name).filter(|fetch| fetch.result.has_changed().is_ok()) {
            urgency.notify(&fetch.needed);
            return Joined::Waiting(fetch.result.clone());
        }
        if fetches.len() >= urgency.capacity() {
            return Joined::Full;
        }
        let (name, needed): (Arc<str>, Arc<Notify>) = (name.into(), Arc::default());
        urgency.notify(&needed);
        let (sender, result) = watch::channel(None);
        let fetch = InflightFetch { late: false, needed: Arc::clone(&needed), result: result.clone() };
        fetches.insert(Arc::clone(&name), fetch);
        self.runtime.spawn(Arc::clone(self).run(name, needed, sender));
        Joined::Waiting(result)
    }

    /// Invalidates a list. If it is in memory, a fetch begins at once. Returns true if it was in memory or in fetch.
    pub(crate) fn invalidate(self: &Arc<Self>, name: &str) -> bool {
        let (entry, fetching) = {
            let mut fetches = self.fetches();
            let fetch = fetches.get_mut(name).map(|fetch| fetch.late = true);
            let entry = self.cache.get(name);
            entry.iter().for_each(|entry| entry.invalidate());
            self.changed();
            (entry.is_some(), fetch.is_some())
        };
        if entry {
            self.join(name, Urgency::Now, |entry| entry.freshness() != Freshness::Awaited);
        }
        entry || fetching
    }

    /// Invalidates every list, and returns how many there are. Each is fetched when it is needed.
    pub(crate) fn invalidate_all(&self) -> u64 {
        let mut fetches = self.fetches();
        fetches.values_mut().for_each(|fetch| fetch.late = true);
        let lists = self.cache.iter().map(|(_, entry)| entry.invalidate()).count() as u64;
        self.changed();
        lists
    }

    /// Fetches a list until an answer is not outdated, or further attempts are useless.
    async fn run(self: Arc<Self>, name: Arc<str>, needed: Arc<Notify>, sender: watch::Sender<Option<FetchResult<L>>>) {
        let _permit = tokio::select! {
            biased;
            () = needed.notified() => None,
            permit = self.background_permits.acquire() => permit.ok(),
        };
        let mut attempt = 0;
        let result = loop {
            match self.fetch(&name).await {
                Ok(list) => match self.complete(&name, list) {
                    Some(entry) => break Ok(entry),
                    None => continue,
                },
                Err(reason) => {
                    attempt += 1;
                    // With a last known list nobody has to wait for another attempt.
                    let no_use = reason == Unavailable::Resting || attempt == limits::ACL_ATTEMPTS;
                    if no_use || self.cache.contains_key(&name) {
                        break self.give_up(&name, reason);
                    }
                    sleep(limits::ACL_ATTEMPT_REST * 2_u32.pow(attempt - 1)).await;
                }
            }
        };
        sender.send_replace(Some(result));
    }

    /// Asks the provider once.
    async fn fetch(&self, name: &Arc<str>) -> Result<Option<L>, Unavailable> {
        let Ok(_permit) = self.permits.acquire().await else { return Err(Unavailable::Lost) };
        let asked = Instant::now();
        if !self.breaker.admits(asked) {
            return Err(Unavailable::Resting);
        }
        if let Some(fetch) = self.fetches().get_mut(name) {
            fetch.late = false;
        }
        let answer = timeout(self.settings.timeout, self.provider.fetch(name)).await;
        let (kind, provider, took) = (L::KIND, self.provider.name(), asked.elapsed());
        let (result, trouble) = match answer {
            Ok(Ok(answer)) => {
                let result = if answer.is_some() { LoadResult::List } else { LoadResult::Unknown };
                self.metrics.loaded(result, took);
                if self.breaker.succeeded() {
                    tracing::info!(kind, provider, "an access-list provider answers again");
                }
                return Ok(answer.map(L::of));
            }
            Ok(Err(error)) => (LoadResult::Failed, error.to_string()),
            Err(_) => (LoadResult::TimedOut, "no answer in time".to_owned()),
        };
        self.metrics.loaded(result, took);
        tracing::warn!(kind, provider, name = &**name, reason = trouble, "cannot fetch an access list");
        if self.breaker.failed(Instant::now()) {
            tracing::warn!(kind, provider, rest = ?self.settings.breaker_rest, "an access-list provider failed repeatedly; it gets no requests during the rest");
        }
        Err(Unavailable::Failed)
    }

    /// Stores an answer. Returns none if it is outdated: then it is the last known list, and must be fetched again. The
    /// answer
    /// after a change is confirmed by another fetch soon, as the service may not have made the change yet.
    fn complete(&self, name: &Arc<str>, list: Option<L>) -> Option<Arc<ListEntry<L>>> {
        let mut fetches = self.fetches();
        let late = fetches.get(name).is_some_and(|fetch| fetch.late);
        let freshness = if late { Freshness::Awaited } else { Freshness::Valid };
        let changed = self.cache.get(name).is_some_and(|entry| entry.freshness() == Freshness::Awaited);
        let age = if list.is_some() { self.settings.max_age } else { self.settings.unknown_age };
        let age = if changed { age.min(limits::ACL_CONFIRM) } else { age };
        let entry = Arc::new(ListEntry::new(Arc::clone(name), list, freshness, self.now() + age.as_millis() as u64));
        self.cache.insert(Arc::clone(name), Arc::clone(&entry));
        self.changed();
        if late {
            self.metrics.late.add(1);
            return None;
        }
        fetches.remove(name);
        Some(entry)
    }

    /// Ends a fetch without an answer: the last known list stays in use, if there is one.
    fn give_up(&self, name: &Arc<str>, reason: Unavailable) -> FetchResult<L> {
        let mut fetches = self.fetches();
        fetches.remove(name);
        let entry = self.cache.get(name).ok_or(reason)?;
        entry.keep(self.now());
        Ok(entry)
    }

    pub(crate) fn figures(&self) -> ListFigures {
        self.cache.run_pending_tasks();
        ListFigures {
            provider: self.provider.name(),
            hits: self.metrics.hits.get(),
            misses: self.metrics.misses.get(),
            stale_served: self.metrics.stale_served.get(),
            unavailable: self.metrics.unavailable.get(),
            late: self.metrics.late.get(),
            loads: self.metrics.loads(),
            load_time: self.metrics.load_time(),
            entries: self.cache.entry_count(),
            unknown_entries: self.cache.iter().filter(|(_, entry)| entry.list.is_none()).count() as u64,
            bytes: self.cache.weighted_size(),
            in_flight: self.fetches().len(),
            breaker: self.breaker.state(),
        }
    }

    fn fetches(&self) -> MutexGuard<'_, InflightFetches<L>> {
        self.in_flight.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How urgently a list is needed.
#[derive(Clone, Copy)]
enum Urgency {
    Now,
    /// It is old, and stays in use meanwhile.
    Background,
}

impl Urgency {
    fn notify(self, needed: &Notify) {
        if let Urgency::Now = self {
            needed.notify_one();
        }
    }

    /// The number of fetches in fetch from which no other starts: background fetches leave capacity for urgent ones.
    const fn capacity(self) -> usize {
        match self {
            Urgency::Now => limits::ACL_IN_FLIGHT,
            Urgency::Background => limits::ACL_IN_FLIGHT / 2,
        }
    }
}

/// The result of joining a fetch.
enum Joined<L> {
    Cached(Arc<ListEntry<L>>),
    Waiting(watch::Receiver<Option<FetchResult<L>>>),
    Full,
}
