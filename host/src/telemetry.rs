//! The log and the metrics. Counters are the only copy of their number; the API's status reads them from here. It decides
//! nothing.

mod durations;
mod gauge_snapshot;
mod versions;

use std::fmt;

use prometheus_client::encoding::{EncodeLabelSet, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;
use tidings_domain::message::Refusal;

use crate::config::{LogConfig, LogFormat};

pub use gauge_snapshot::GaugeSnapshot;
pub use versions::{VersionLabel, VersionMetrics, VersionStats};

/// Sends the log to standard error in the configured form. Call it once.
pub fn start_log(config: &LogConfig) -> Result<(), String> {
    let filter = config.filter()?;
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let started = match config.format {
        LogFormat::Text => builder.with_ansi(false).try_init(),
        LogFormat::Json => builder.json().try_init(),
    };
    started.map_err(|error| error.to_string())
}

/// An error with its causes, on one line.
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

/// The reason of an event.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct ReasonLabel {
    pub reason: &'static str,
}

/// A channel.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct ChannelLabel {
    pub channel: String,
}

/// A channel and an outcome of its attempts.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct OutcomeLabel {
    pub channel: String,
    pub outcome: &'static str,
}

/// The counters of the daemon.
pub struct Metrics {
    registry: Registry,
    /// Messages that intake took from the buffer. Each ends as one of the following.
    pub received: Counter,
    pub matched: Counter,
    pub unmatched: Counter,
    pub duplicate: Counter,
    pub conflict: Counter,
    pub refused: Family<ReasonLabel, Counter>,
    /// Messages that were dropped because they provoked a panic or cannot be stored.
    pub poison: Counter,
    /// Deliveries that intake made.
    pub deliveries: Counter,
    /// Commits that had to be repeated since the store was unavailable.
    pub store_retries: Counter,
    /// Attempts, by outcome.
    pub outcomes: Family<OutcomeLabel, Counter>,
    pub calls: Family<ChannelLabel, Counter>,
    pub call_seconds: Family<ChannelLabel, Histogram>,
    /// The same and more for each version of a plugin.
    pub versions: VersionMetrics,
    /// 1 while the channel is quarantined.
    pub quarantined: Family<ChannelLabel, Gauge>,
    /// Messages that had to wait for access lists, and those that were matched without one that was unavailable.
    pub waited: Counter,
    pub without_lists: Counter,
    /// Duration of matching one message.
    pub match_seconds: Histogram,
    /// Rules read again, one user's or all users', by what said that they changed.
    pub rule_invalidations: Family<ReasonLabel, Counter>,
    /// Duration of reading and compiling one user's rules.
    pub rule_load_seconds: Histogram,
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Metrics")
    }
}

impl Default for Metrics {
    fn default() -> Self {
        let metrics = Metrics {
            registry: Registry::with_prefix("tidings"),
            received: Counter::default(),
            matched: Counter::default(),
            unmatched: Counter::default(),
            duplicate: Counter::default(),
            conflict: Counter::default(),
            refused: Family::default(),
            poison: Counter::default(),
            deliveries: Counter::default(),
            store_retries: Counter::default(),
            outcomes: Family::default(),
            calls: Family::default(),
            call_seconds: Family::new_with_constructor(|| Histogram::new(exponential_buckets(0.001, 4.0, 9))),
            versions: VersionMetrics::default(),
            quarantined: Family::default(),
            waited: Counter::default(),
            without_lists: Counter::default(),
            match_seconds: Histogram::new(exponential_buckets(1e-6, 4.0, 10)),
            rule_invalidations: Family::default(),
            rule_load_seconds: Histogram::new(exponential_buckets(1e-4, 4.0, 9)),
        };
        metrics.registered()
    }
}

impl Metrics {
    fn registered(mut self) -> Self {
        let registry = &mut self.registry;
        registry.register("messages_received", "Messages taken from the bus", self.received.clone());
        registry.register("messages_matched", "Messages with a recipient", self.matched.clone());
        registry.register("messages_unmatched", "Messages without a recipient", self.unmatched.clone());
        registry.register("messages_duplicate", "Messages seen before", self.duplicate.clone());
        registry.register("messages_conflict", "Other content under a known id", self.conflict.clone());
        registry.register("messages_refused", "Messages refused, by reason", self.refused.clone());
        registry.register("messages_poison", "Messages that broke the code", self.poison.clone());
        registry.register("deliveries_accepted", "Deliveries committed", self.deliveries.clone());
        registry.register("store_retries", "Commits repeated", self.store_retries.clone());
        registry.register("attempts", "Attempts by channel and outcome", self.outcomes.clone());
        registry.register("plugin_calls", "Calls of plugins", self.calls.clone());
        registry.register("plugin_call_seconds", "Duration of calls", self.call_seconds.clone());
        registry.register("channel_quarantined", "Whether the channel is quarantined", self.quarantined.clone());
        self.versions.register(registry);
        registry.register("messages_waited", "Messages that waited for access lists", self.waited.clone());
        registry.register("messages_without_lists", "Messages matched without a list", self.without_lists.clone());
        registry.register("match_seconds", "Duration of matching", self.match_seconds.clone());
        registry.register("rule_invalidations", "Rules read anew, by cause", self.rule_invalidations.clone());
        registry.register("rule_load_seconds", "Duration of reading a user", self.rule_load_seconds.clone());
        self
    }

    /// Counts a refused message.
    pub fn refuse(&self, refusal: Refusal) {
        self.refused.get_or_create(&ReasonLabel { reason: refusal.as_str() }).inc();
    }

    /// Counts rules that are read again for this reason.
    pub fn invalidated(&self, reason: &'static str) {
        self.rule_invalidations.get_or_create(&ReasonLabel { reason }).inc();
    }

    /// The metrics as OpenMetrics text; `present` has those that are not counted.
    pub fn encode(&self, present: &GaugeSnapshot<'_>) -> Result<String, fmt::Error> {
        let mut out = String::new();
        text::encode_registry(&mut out, &self.registry)?;
        text::encode(&mut out, &present.registry())?;
        Ok(out)
    }
}
