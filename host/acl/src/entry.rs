//! One list in memory: the provider's answer, its freshness, and when to fetch it again. Readers share it and see a
//! change of its freshness at once, without a lock.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU32, AtomicU64, Ordering};

use crate::limits;
use tidings_domain::acl::{GROUP_PREFIX, Holders};

use crate::provider::Members;

/// What is kept of a provider's answer.
pub(crate) trait List: Send + Sync + 'static {
    type Answer: Send;
    /// `package` or `group`: for logs.
    const KIND: &'static str;
    fn of(answer: Self::Answer) -> Self;
    /// The approximate memory that it uses.
    fn bytes(&self) -> usize;
}

/// A package's holders, and which groups are among them.
pub(crate) struct Package {
    pub(crate) holders: Holders,
    pub(crate) groups: Box<[Box<str>]>,
}

impl List for Package {
    type Answer = Holders;
    const KIND: &'static str = "package";

    fn of(holders: Holders) -> Package {
        let all = [&holders.point_of_contact, &holders.co_maintained, &holders.watch];
        let groups: BTreeSet<&str> =
            all.into_iter().flatten().filter_map(|name| name.strip_prefix(GROUP_PREFIX)).collect();
        let groups = groups.into_iter().map(Into::into).collect();
        Package { holders, groups }
    }

    fn bytes(&self) -> usize {
        let holders = [&self.holders.point_of_contact, &self.holders.co_maintained, &self.holders.watch];
        let groups: usize = self.groups.iter().map(|name| name.len() + size_of::<Box<str>>()).sum();
        holders.into_iter().map(names_bytes).sum::<usize>() + groups
    }
}

impl List for Members {
    type Answer = Members;
    const KIND: &'static str = "group";

    fn of(members: Members) -> Members {
        members
    }

    fn bytes(&self) -> usize {
        names_bytes(self)
    }
}

/// Names with their heap blocks, and the tree's nodes, which are two thirds full on average.
fn names_bytes(names: &BTreeSet<String>) -> usize {
    names.iter().map(|name| name.capacity() + 16 + size_of::<String>() * 3 / 2).sum()
}

/// Whether a list may be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Freshness {
    /// Up to date as far as known.
    Valid,
    /// A refresh failed: the list is the last known one.
    LastKnown,
    /// Invalidated, and a new one is being fetched: wait for it.
    Awaited,
}

/// One list, or the fact that the provider has none of this name.
pub(crate) struct ListEntry<L> {
    pub(crate) name: Arc<str>,
    /// None: the provider has no such package or group.
    pub(crate) list: Option<L>,
    pub(crate) bytes: u32,
    freshness: AtomicU8,
    /// When to fetch it again, in milliseconds since the cache's start.
    due: AtomicU64,
    /// Failed refreshes in a row.
    failures: AtomicU32,
}

/// The cost of an entry beside its list: itself, its name, and the cache's bookkeeping.
const OVERHEAD: usize = 250;

impl<L: List> ListEntry<L> {
    pub(crate) fn new(name: Arc<str>, list: Option<L>, freshness: Freshness, due: u64) -> ListEntry<L> {
        let bytes = list.as_ref().map_or(0, List::bytes) + name.len() + OVERHEAD;
        ListEntry {
            name,
            list,
            bytes: u32::try_from(bytes).unwrap_or(u32::MAX),
            freshness: AtomicU8::new(freshness as u8),
            due: AtomicU64::new(due),
            failures: AtomicU32::new(0),
        }
    }

    pub(crate) fn freshness(&self) -> Freshness {
        match self.freshness.load(Ordering::Acquire) {
            0 => Freshness::Valid,
            1 => Freshness::LastKnown,
            _ => Freshness::Awaited,
        }
    }

    /// Marks the list as invalid.
    pub(crate) fn invalidate(&self) {
        self.freshness.store(Freshness::Awaited as u8, Ordering::Release);
    }

    /// Records a failed refresh: the list stays in use and is due again later, after a pause that doubles each time.
    pub(crate) fn record_failed_refresh(&self, now: u64) {
        let failures = self.failures.fetch_add(1, Ordering::Relaxed);
        let pause = limits::ACL_RETRY_MIN.saturating_mul(1 << failures.min(16)).min(limits::ACL_RETRY_MAX);
        self.due.store(now + pause.as_millis() as u64, Ordering::Relaxed);
        self.freshness.store(Freshness::LastKnown as u8, Ordering::Release);
    }

    /// When to fetch it again, in milliseconds since the cache's start.
    pub(crate) fn due(&self) -> u64 {
        self.due.load(Ordering::Relaxed)
    }

    /// Returns true to one caller when a refresh is due; others see that a refresh is under way until `until`.
    pub(crate) fn claims_refresh(&self, now: u64, until: u64) -> bool {
        let due = self.due.load(Ordering::Relaxed);
        due <= now && self.due.compare_exchange(due, until, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }
}
