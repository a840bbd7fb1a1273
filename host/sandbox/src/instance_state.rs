//! The room in which calls of a plugin happen: what it may use, what it has used, what it said before the end. It is the
//! data of one `Store` and dies with it: after one call, or with a resident plugin's instance.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use tidings_domain::grant::Grants;
use tidings_domain::limits::PluginLimits;
use tidings_domain::outcome::Outcome;
use tidings_domain::secret::Redaction;
use wasmtime::component::ResourceTable;

use crate::capabilities::net::Connection;
use crate::credentials::Tokens;
use crate::growth::Growth;
use crate::host::{ChannelHost, LogLevel};
use crate::network::{Egress, Lookups};
use crate::plugin::Batch;
use crate::rate_limit::RateLimit;
use crate::report::CallStats;
use crate::violation::Violation;
use crate::wasi::Wasi;

/// What one channel's plugin is given, the same in each of its calls.
#[derive(Clone)]
pub(crate) struct ChannelContext {
    pub channel: Arc<str>,
    pub config: Arc<BTreeMap<String, String>>,
    pub grants: Arc<Grants>,
    /// What the grants' credentials were traded for.
    pub tokens: Arc<Tokens>,
    /// The channel's secrets, which are in no text that leaves the sandbox.
    pub redaction: Redaction,
    pub lookups: Lookups,
    pub pace: Arc<RateLimit>,
    pub limits: PluginLimits,
    pub host: Arc<dyn ChannelHost>,
}

/// One instance, and the call that it is in. Host functions are methods on it, one file for each interface in `capabilities`.
pub(crate) struct InstanceState {
    pub(crate) furniture: ChannelContext,
    pub(crate) table: ResourceTable,
    /// Made when it is first used: most plugins know nothing of WASI.
    pub(crate) wasi: Option<Box<Wasi>>,
    pub(crate) growth: Growth,
    pub(crate) egress: Egress,
    pub(crate) stats: CallStats,
    pub(crate) batch: Batch,
    /// What the plugin said of each place of its batch before it answered.
    pub(crate) settled: Vec<Option<Outcome>>,
    born: Instant,
    started: Instant,
    deadline: Instant,
    entered: bool,
}

impl InstanceState {
    /// A room for a call with this batch that ends `time` from now.
    pub(crate) fn new(furniture: ChannelContext, egress: Egress, batch: Batch, time: Duration) -> InstanceState {
        let started = Instant::now();
        let mut table = ResourceTable::new();
        table.set_max_capacity(furniture.limits.connections as usize);
        InstanceState {
            table,
            wasi: None,
            growth: Growth::new(&furniture.limits),
            furniture,
            egress,
            stats: CallStats::default(),
            settled: vec![None; batch.len()],
            batch,
            born: started,
            started,
            deadline: started + time,
            entered: false,
        }
    }

    /// The next call of the same instance: what it opened is still there, what it may use is counted from nothing.
    pub(crate) fn begin(&mut self, batch: Batch, time: Duration) {
        self.started = Instant::now();
        self.deadline = self.started + time;
        self.stats = CallStats::default();
        self.settled = vec![None; batch.len()];
        self.batch = batch;
        self.egress.begin();
    }

    /// Ready when one of the plugin's connections has something to read or has ended.
    pub(crate) fn poll_readable(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let connections = self.table.iter_mut().filter_map(|entry| entry.downcast_mut::<Connection>());
        for connection in connections {
            if connection.poll_readable(cx).is_ready() {
                return Poll::Ready(());
            }
        }
        Poll::Pending
    }

    /// Every host function starts here: counts the call and ends it for good beyond the limit.
    pub(crate) fn host_call(&mut self) -> Result<(), Violation> {
        self.stats.host_calls += 1;
        self.within_host_calls()
    }

    /// That the plugin has not made more host calls than it may.
    pub(crate) fn within_host_calls(&self) -> Result<(), Violation> {
        let limit = self.furniture.limits.host_calls;
        if self.stats.host_calls > limit { Err(Violation::HostCalls { limit }) } else { Ok(()) }
    }

    /// Notes that something was refused, and says so in the plugin's log once in a call.
    pub(crate) fn denied(&mut self, why: &str) {
        self.stats.egress_denials += 1;
        if self.stats.egress_denials == 1 {
            self.furniture.log(LogLevel::Warning, format!("refused: {why}"));
        }
    }

    pub(crate) fn deadline(&self) -> Instant {
        self.deadline
    }

    /// Since the call began.
    pub(crate) fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    /// Since the instance began.
    pub(crate) fn age(&self) -> Duration {
        self.born.elapsed()
    }

    /// What is left of the call.
    pub(crate) fn remaining(&self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now())
    }

    /// The component is instantiated: what fails from here on is its own doing.
    pub(crate) fn entered(&mut self) {
        self.entered = true;
    }

    pub(crate) fn has_entered(&self) -> bool {
        self.entered
    }

    /// What the call used.
    pub(crate) fn report(&mut self) -> (CallStats, Vec<Option<Outcome>>) {
        self.print(true);
        self.stats.duration = self.elapsed();
        self.stats.peak_memory_bytes = self.growth.peak_memory();
        self.stats.network_bytes = self.egress.bytes_used();
        let settled = std::mem::take(&mut self.settled).into_iter();
        let redacted = settled.map(|outcome| outcome.map(|outcome| self.furniture.redacted(outcome)));
        (std::mem::take(&mut self.stats), redacted.collect())
    }
}
