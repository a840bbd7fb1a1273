//! The data of one `Store`: what the instance may use, what its current call has used, and the outcomes that it
//! settled. It dies with the store: after one call, or with a resident plugin's instance.

use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use tidings_domain::outcome::Outcome;
use wasmtime::component::ResourceTable;

use super::connection::Connection;
use super::context::ChannelContext;
use super::growth_limiter::GrowthLimiter;
use super::wasi_context::WasiContext;
use crate::channel_host::LogLevel;
use crate::delivery_request::Batch;
use crate::network::Egress;
use crate::report::CallStats;
use crate::violation::Violation;

/// One instance and its current call. Host functions are methods on it, one file for each interface in `capabilities`.
pub(crate) struct InstanceState {
    pub(crate) context: ChannelContext,
    pub(crate) table: ResourceTable,
    /// Made at the first use: most plugins import nothing of WASI.
    pub(crate) wasi: Option<Box<WasiContext>>,
    pub(crate) growth: GrowthLimiter,
    pub(crate) egress: Egress,
    pub(crate) stats: CallStats,
    pub(crate) batch: Batch,
    /// The outcomes that the plugin settled before it returned, by index in the batch.
    pub(crate) settled: Vec<Option<Outcome>>,
    created: Instant,
    call_started: Instant,
    deadline: Instant,
    instantiated: bool,
}

impl InstanceState {
    /// The state for a first call with this batch, which ends `time` from now.
    pub(crate) fn new(context: ChannelContext, egress: Egress, batch: Batch, time: Duration) -> InstanceState {
        let now = Instant::now();
        let mut table = ResourceTable::new();
        table.set_max_capacity(context.limits.connections as usize);
        InstanceState {
            table,
            wasi: None,
            growth: GrowthLimiter::new(&context.limits),
            context,
            egress,
            stats: CallStats::default(),
            settled: vec![None; batch.len()],
            batch,
            created: now,
            call_started: now,
            deadline: now + time,
            instantiated: false,
        }
    }

    /// Starts the instance's next call: open connections stay, counters and quotas start from zero.
    pub(crate) fn begin_call(&mut self, batch: Batch, time: Duration) {
        self.call_started = Instant::now();
        self.deadline = self.call_started + time;
        self.stats = CallStats::default();
        self.settled = vec![None; batch.len()];
        self.batch = batch;
        self.egress.reset_bytes();
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

    /// Counts a host call; every host function starts with it. Fails, and so ends the call, beyond the limit.
    pub(crate) fn host_call(&mut self) -> Result<(), Violation> {
        self.stats.host_calls += 1;
        self.check_host_calls()
    }

    /// Fails if the plugin has made more host calls than its limit.
    pub(crate) fn check_host_calls(&self) -> Result<(), Violation> {
        let limit = self.context.limits.host_calls;
        if self.stats.host_calls > limit { Err(Violation::HostCalls { limit }) } else { Ok(()) }
    }

    /// Counts a denied access, and logs the first one of each call in the plugin's log.
    pub(crate) fn record_denial(&mut self, reason: &str) {
        self.stats.egress_denials += 1;
        if self.stats.egress_denials == 1 {
            self.context.log(LogLevel::Warning, format!("refused: {reason}"));
        }
    }

    pub(crate) fn deadline(&self) -> Instant {
        self.deadline
    }

    /// Time since the call started.
    pub(crate) fn elapsed(&self) -> Duration {
        self.call_started.elapsed()
    }

    /// Time since the instance was created.
    pub(crate) fn age(&self) -> Duration {
        self.created.elapsed()
    }

    /// Time until the call's deadline.
    pub(crate) fn remaining(&self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now())
    }

    /// Marks the component as instantiated: a later failure is the plugin's own.
    pub(crate) fn set_instantiated(&mut self) {
        self.instantiated = true;
    }

    pub(crate) fn is_instantiated(&self) -> bool {
        self.instantiated
    }

    /// Takes what the call used and the outcomes that it settled.
    pub(crate) fn take_report(&mut self) -> (CallStats, Vec<Option<Outcome>>) {
        self.log_printed(true);
        self.stats.duration = self.elapsed();
        self.stats.peak_memory_bytes = self.growth.peak_memory();
        self.stats.network_bytes = self.egress.bytes_used();
        let settled = std::mem::take(&mut self.settled).into_iter();
        let redacted = settled.map(|outcome| outcome.map(|outcome| self.context.redacted(outcome)));
        (std::mem::take(&mut self.stats), redacted.collect())
    }
}
