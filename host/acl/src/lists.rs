//! The lists of one kind. Reading is a lookup in moka's concurrent map and a look at the entry's standing: no lock that
//! another message could hold. Everything else (starting a load, invalidating, an answer that comes) takes turns on one
//! mutex, which is held for moments only, and therefore happens in one order:
//!
//! - At most one load of a list is under way (a *flight*). It is a task of its own: whoever waits for it may leave.
//! - An invalidation marks the entry and, if a flight is under way, that its answer is late. A late answer is kept as
//!   the newest that is known, still invalid, and the flight asks again. So an answer that a provider began to make
//!   before an invalidation is never believed after it.
//! - A list that is merely old is fetched when nobody else needs the provider: such flights have few turns of their own,
//!   and lose no time once somebody waits for them.
//!
//! moka keeps the size in bounds and nothing else: it evicts by weight, and by use. It is not asked about age, since its
//! clock is not tokio's; an entry's due time stands in the entry. An evicted list is fetched again like one never seen.

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

/// What a flight ends with: a list (the last known one, if need be) or why there is none.
type Landed<L> = Result<Arc<ListEntry<L>>, Unavailable>;

/// A load under way.
struct Flight<L> {
    /// The list was invalidated after the provider was asked.
    late: bool,
    /// Told when it is needed now.
    needed: Arc<Notify>,
    /// Filled when the flight ends; closed without if its task was killed.
    landing: watch::Receiver<Option<Landed<L>>>,
}

type Flights<L> = HashMap<Arc<str>, Flight<L>>;

pub(crate) struct ListCache<L: List> {
    provider: Arc<dyn Provider<L::Answer>>,
    cache: moka::sync::Cache<Arc<str>, Arc<ListEntry<L>>>,
    flights: Mutex<Flights<L>>,
    permits: Semaphore,
    /// Turns of flights that nobody waits for.
    spare: Semaphore,
    breaker: Breaker,
    metrics: ListMetrics,
    settings: AclSettings,
    start: Instant,
    runtime: Handle,
    /// Another number after each change of any list.
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
            flights: Mutex::default(),
            permits: Semaphore::new(settings.concurrency),
            spare: Semaphore::new(settings.concurrency.div_ceil(4)),
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

    /// A number that is another one whenever a list is. What is read after it is at least as new.
    pub(crate) fn version(&self) -> u64 {
        self.version.load(Ordering::Acquire)
    }

    fn changed(&self) {
        self.version.fetch_add(1, Ordering::AcqRel);
    }

    /// The list if it need not be waited for. Where it is time, this starts to fetch it anew.
    pub(crate) fn here(self: &Arc<Self>, name: &str, now: u64) -> Option<Arc<ListEntry<L>>> {
        let entry = self.cache.get(name).filter(|entry| entry.standing() != Freshness::Awaited)?;
        if entry.claims_refresh(now, now + self.settings.wait.as_millis() as u64) {
            self.board(name, Haste::Spare, |_| false);
        }
        Some(entry)
    }

    /// Counts that a message got this list.
    pub(crate) fn served(&self, entry: &ListEntry<L>) {
        match entry.standing() {
            Freshness::Valid => self.metrics.hits.add(1),
            Freshness::LastKnown | Freshness::Awaited => self.metrics.stale_served.add(1),
        }
    }

    /// The list, when it is there; after the deadline the last known one.
    pub(crate) async fn get(self: &Arc<Self>, name: &str, deadline: Instant) -> Landed<L> {
        let landed = self.wait(name, deadline).await;
        match &landed {
            Ok(entry) => self.served(entry),
            Err(_) => self.metrics.unavailable.add(1),
        }
        landed
    }

    async fn wait(self: &Arc<Self>, name: &str, deadline: Instant) -> Landed<L> {
        if let Some(entry) = self.here(name, self.now()) {
            return Ok(entry);
        }
        let mut landing = match self.board(name, Haste::Now, |entry| entry.standing() != Freshness::Awaited) {
            Boarded::Here(entry) => return Ok(entry),
            Boarded::Full => return self.cache.get(name).ok_or(Unavailable::Overloaded),
            Boarded::Waiting(landing) => landing,
        };
        self.metrics.misses.add(1);
        match timeout_at(deadline, landing.wait_for(Option::is_some)).await {
            Ok(Ok(landed)) => landed.clone().unwrap_or(Err(Unavailable::Lost)),
            Ok(Err(_)) => self.cache.get(name).ok_or(Unavailable::Lost),
            Err(_) => self.cache.get(name).ok_or(Unavailable::TimedOut),
        }
    }

    /// Joins the flight that fetches this list, or starts one; unless there is an entry that is `good` enough.
    fn board(self: &Arc<Self>, name: &str, haste: Haste, good: impl Fn(&ListEntry<L>) -> bool) -> Boarded<L> {
        let mut flights = self.flights();
        if let Some(entry) = self.cache.get(name).filter(|entry| good(entry)) {
            return Boarded::Here(entry);
        }
        if let Some(flight) = flights.get(name).filter(|flight| flight.landing.has_changed().is_ok()) {
            haste.tell(&flight.needed);
            return Boarded::Waiting(flight.landing.clone());
        }
        if flights.len() >= haste.most() {
            return Boarded::Full;
        }
        let (name, needed): (Arc<str>, Arc<Notify>) = (name.into(), Arc::default());
        haste.tell(&needed);
        let (sender, landing) = watch::channel(None);
        let flight = Flight { late: false, needed: Arc::clone(&needed), landing: landing.clone() };
        flights.insert(Arc::clone(&name), flight);
        self.runtime.spawn(Arc::clone(self).fly(name, needed, sender));
        Boarded::Waiting(landing)
    }

    /// Declares a list wrong. If it is known, fetching it anew begins at once. True if it was known or on its way.
    pub(crate) fn invalidate(self: &Arc<Self>, name: &str) -> bool {
        let (entry, flying) = {
            let mut flights = self.flights();
            let flight = flights.get_mut(name).map(|flight| flight.late = true);
            let entry = self.cache.get(name);
            entry.iter().for_each(|entry| entry.invalidate());
            self.changed();
            (entry.is_some(), flight.is_some())
        };
        if entry {
            self.board(name, Haste::Now, |entry| entry.standing() != Freshness::Awaited);
        }
        entry || flying
    }

    /// Declares every list wrong, and returns how many there are. Each is fetched anew when it is needed.
    pub(crate) fn invalidate_all(&self) -> u64 {
        let mut flights = self.flights();
        flights.values_mut().for_each(|flight| flight.late = true);
        let lists = self.cache.iter().map(|(_, entry)| entry.invalidate()).count() as u64;
        self.changed();
        lists
    }

    /// Fetches a list until there is an answer that is not late, or it is no use.
    async fn fly(self: Arc<Self>, name: Arc<str>, needed: Arc<Notify>, landing: watch::Sender<Option<Landed<L>>>) {
        let _turn = tokio::select! {
            biased;
            () = needed.notified() => None,
            turn = self.spare.acquire() => turn.ok(),
        };
        let mut attempt = 0;
        let landed = loop {
            match self.fetch(&name).await {
                Ok(list) => match self.land(&name, list) {
                    Some(entry) => break Ok(entry),
                    None => continue,
                },
                Err(reason) => {
                    attempt += 1;
                    // With a list to fall back on nobody has to wait for another try.
                    let no_use = reason == Unavailable::Resting || attempt == limits::ACL_ATTEMPTS;
                    if no_use || self.cache.contains_key(&name) {
                        break self.give_up(&name, reason);
                    }
                    sleep(limits::ACL_ATTEMPT_REST * 2_u32.pow(attempt - 1)).await;
                }
            }
        };
        landing.send_replace(Some(landed));
    }

    /// Asks the provider once.
    async fn fetch(&self, name: &Arc<str>) -> Result<Option<L>, Unavailable> {
        let Ok(_permit) = self.permits.acquire().await else { return Err(Unavailable::Lost) };
        let asked = Instant::now();
        if !self.breaker.admits(asked) {
            return Err(Unavailable::Resting);
        }
        if let Some(flight) = self.flights().get_mut(name) {
            flight.late = false;
        }
        let answer = timeout(self.settings.timeout, self.provider.fetch(name)).await;
        let (kind, provider, took) = (L::KIND, self.provider.name(), asked.elapsed());
        let (result, trouble) = match answer {
            Ok(Ok(answer)) => {
                let result = if answer.is_some() { LoadResult::List } else { LoadResult::Unknown };
                self.metrics.loaded(result, took);
                if self.breaker.succeeded() {
                    tracing::info!(kind, provider, "the access lists' provider answers again");
                }
                return Ok(answer.map(L::of));
            }
            Ok(Err(error)) => (LoadResult::Failed, error.to_string()),
            Err(_) => (LoadResult::TimedOut, "no answer in time".to_owned()),
        };
        self.metrics.loaded(result, took);
        tracing::warn!(kind, provider, name = &**name, reason = trouble, "an access list could not be fetched");
        if self.breaker.failed(Instant::now()) {
            tracing::warn!(kind, provider, rest = ?self.settings.breaker_rest, "the access lists' provider is left alone");
        }
        Err(Unavailable::Failed)
    }

    /// Keeps an answer. None if it was late: then it is the last known one, and has to be fetched again. The answer after a
    /// change is asked for once more soon, as the service may not have known of it yet.
    fn land(&self, name: &Arc<str>, list: Option<L>) -> Option<Arc<ListEntry<L>>> {
        let mut flights = self.flights();
        let late = flights.get(name).is_some_and(|flight| flight.late);
        let standing = if late { Freshness::Awaited } else { Freshness::Valid };
        let changed = self.cache.get(name).is_some_and(|entry| entry.standing() == Freshness::Awaited);
        let age = if list.is_some() { self.settings.max_age } else { self.settings.unknown_age };
        let age = if changed { age.min(limits::ACL_CONFIRM) } else { age };
        let entry = Arc::new(ListEntry::new(Arc::clone(name), list, standing, self.now() + age.as_millis() as u64));
        self.cache.insert(Arc::clone(name), Arc::clone(&entry));
        self.changed();
        if late {
            self.metrics.late.add(1);
            return None;
        }
        flights.remove(name);
        Some(entry)
    }

    /// Ends a flight without an answer: the last known list serves on, if there is one.
    fn give_up(&self, name: &Arc<str>, reason: Unavailable) -> Landed<L> {
        let mut flights = self.flights();
        flights.remove(name);
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
            in_flight: self.flights().len(),
            breaker: self.breaker.state(),
        }
    }

    fn flights(&self) -> MutexGuard<'_, Flights<L>> {
        self.flights.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How soon a list is needed.
#[derive(Clone, Copy)]
enum Haste {
    Now,
    /// It is old, and serves meanwhile.
    Spare,
}

impl Haste {
    fn tell(self, needed: &Notify) {
        if let Haste::Now = self {
            needed.notify_one();
        }
    }

    /// With so many flights no other is begun: those that can wait leave room for those that cannot.
    const fn most(self) -> usize {
        match self {
            Haste::Now => limits::ACL_FLIGHTS,
            Haste::Spare => limits::ACL_FLIGHTS / 2,
        }
    }
}

/// How somebody who wants a list is served.
enum Boarded<L> {
    Here(Arc<ListEntry<L>>),
    Waiting(watch::Receiver<Option<Landed<L>>>),
    Full,
}
