//! What each version of a plugin does and uses, so that an upgrade can be judged by numbers. It decides nothing.

use std::collections::BTreeMap;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use serde::Serialize;
use tidings_domain::manifest::Manifest;
use tidings_domain::outcome::CrashKind;
use tidings_sandbox::CallStats;

use super::durations::{DurationBucket, Durations};

/// One version of one channel's plugin.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct VersionLabel {
    pub channel: String,
    pub plugin: String,
    /// As its manifest says.
    pub version: String,
    /// The first 12 characters of its SHA-256: two builds may say the same version.
    pub component: String,
}

impl VersionLabel {
    pub fn new(channel: &str, plugin: &Manifest, component: &str) -> VersionLabel {
        VersionLabel {
            channel: channel.to_owned(),
            plugin: plugin.name.clone(),
            version: plugin.version.clone(),
            component: component.chars().take(12).collect(),
        }
    }
}

/// What a version did since the daemon started, as far as it is known.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct VersionStats {
    pub calls: u64,
    /// Calls that crashed, by kind.
    pub crashes: BTreeMap<&'static str, u64>,
    /// How long its calls took, all together.
    pub seconds: f64,
    /// The same, by how long each took; empty where there was none.
    pub latency: Vec<DurationBucket>,
    /// Processor time, of its code and of the host's on its behalf.
    pub cpu_seconds: f64,
    /// The most linear memory of one instance.
    pub memory_peak_bytes: i64,
    pub host_calls: u64,
    /// Connections, requests and credentials that no grant covered.
    pub egress_denials: u64,
    pub network_bytes: u64,
    pub log_lines: u64,
    pub log_lines_dropped: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct CrashLabel {
    channel: String,
    plugin: String,
    version: String,
    component: String,
    kind: &'static str,
}

impl CrashLabel {
    fn new(label: &VersionLabel, kind: CrashKind) -> CrashLabel {
        let VersionLabel { channel, plugin, version, component } = label.clone();
        CrashLabel { channel, plugin, version, component, kind: kind.as_str() }
    }
}

/// By version.
#[derive(Default)]
pub struct VersionMetrics {
    calls: Family<VersionLabel, Counter>,
    crashes: Family<CrashLabel, Counter>,
    seconds: Family<VersionLabel, Durations>,
    cpu: Family<VersionLabel, Counter<f64, AtomicU64>>,
    memory: Family<VersionLabel, Gauge>,
    host_calls: Family<VersionLabel, Counter>,
    denials: Family<VersionLabel, Counter>,
    network_bytes: Family<VersionLabel, Counter>,
    log_lines: Family<VersionLabel, Counter>,
    log_lines_dropped: Family<VersionLabel, Counter>,
}

impl VersionMetrics {
    pub(super) fn register(&self, registry: &mut Registry) {
        registry.register("version_calls", "Calls of a version", self.calls.clone());
        registry.register("version_crashes", "Crashes of a version, by kind", self.crashes.clone());
        registry.register("version_call_seconds", "Duration of a version's calls", self.seconds.clone());
        registry.register("version_cpu_seconds", "Processor time of a version's code", self.cpu.clone());
        registry.register("version_memory_peak_bytes", "Most memory of one instance", self.memory.clone());
        registry.register("version_host_calls", "Calls of a version to the host", self.host_calls.clone());
        registry.register("version_egress_denials", "Reaching beyond its grants", self.denials.clone());
        registry.register("version_network_bytes", "Bytes sent and received", self.network_bytes.clone());
        registry.register("version_log_lines", "Lines a version logged", self.log_lines.clone());
        registry.register("version_log_lines_dropped", "Lines beyond its limit", self.log_lines_dropped.clone());
    }

    /// The numbers of one version, for the API; reading makes no new label.
    pub fn stats(&self, label: &VersionLabel) -> VersionStats {
        let count = |family: &Family<VersionLabel, Counter>| family.get(label).map_or(0, |counter| counter.get());
        let crashes = CrashKind::ALL.into_iter().filter_map(|kind| {
            let crashes = self.crashes.get(&CrashLabel::new(label, kind))?.get();
            Some((kind.as_str(), crashes))
        });
        VersionStats {
            calls: count(&self.calls),
            crashes: crashes.collect(),
            seconds: self.seconds.get(label).map_or(0.0, |seconds| seconds.sum()),
            latency: self.seconds.get(label).map_or_else(Vec::new, |seconds| seconds.buckets()),
            cpu_seconds: self.cpu.get(label).map_or(0.0, |seconds| seconds.get()),
            memory_peak_bytes: self.memory.get(label).map_or(0, |memory| memory.get()),
            host_calls: count(&self.host_calls),
            egress_denials: count(&self.denials),
            network_bytes: count(&self.network_bytes),
            log_lines: count(&self.log_lines),
            log_lines_dropped: count(&self.log_lines_dropped),
        }
    }

    /// Counts a call that ended. A call that was cut off has no `stats`.
    pub fn observe(
        &self,
        label: &VersionLabel,
        took: Duration,
        stats: Option<&CallStats>,
        crash: Option<(CrashKind, &str)>,
    ) {
        self.calls.get_or_create(label).inc();
        self.seconds.get_or_create(label).observe(took);
        if let Some((kind, _)) = crash {
            self.crashed(label, kind);
        }
        if let Some(stats) = stats {
            self.used(label, stats);
        }
    }

    /// Counts a crash, in a call or of a resident between its calls.
    pub fn crashed(&self, label: &VersionLabel, kind: CrashKind) {
        self.crashes.get_or_create(&CrashLabel::new(label, kind)).inc();
    }

    /// Counts what a call used, or a resident between its calls.
    pub fn used(&self, label: &VersionLabel, stats: &CallStats) {
        self.cpu.get_or_create(label).inc_by(stats.cpu.as_secs_f64());
        let peak = i64::try_from(stats.peak_memory_bytes).unwrap_or(i64::MAX);
        let memory = self.memory.get_or_create(label);
        memory.set(memory.get().max(peak));
        self.host_calls.get_or_create(label).inc_by(stats.host_calls);
        self.denials.get_or_create(label).inc_by(stats.egress_denials);
        self.network_bytes.get_or_create(label).inc_by(stats.network_bytes);
        self.log_lines.get_or_create(label).inc_by(u64::from(stats.log_lines));
        self.log_lines_dropped.get_or_create(label).inc_by(stats.log_lines_dropped);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stats_of_a_version_are_what_was_counted() {
        let metrics = VersionMetrics::default();
        let label = VersionLabel {
            channel: "email".into(),
            plugin: "email".into(),
            version: "1.0.0".into(),
            component: "0123456789ab".into(),
        };
        assert_eq!(metrics.stats(&label), VersionStats::default());
        let used =
            |peak| CallStats { host_calls: 3, egress_denials: 1, peak_memory_bytes: peak, ..CallStats::default() };
        metrics.observe(&label, Duration::from_secs(1), Some(&used(500)), None);
        metrics.observe(&label, Duration::from_secs(1), Some(&used(400)), Some((CrashKind::Trap, "unreachable")));
        let expected = VersionStats {
            calls: 2,
            crashes: [("trap", 1)].into(),
            seconds: 2.0,
            memory_peak_bytes: 500,
            host_calls: 6,
            egress_denials: 2,
            ..VersionStats::default()
        };
        let stats = metrics.stats(&label);
        let long: Vec<_> = stats.latency.iter().filter(|bucket| bucket.count > 0).collect();
        assert_eq!(long, [&DurationBucket { up_to: Some(1.024), count: 2 }]);
        assert_eq!(VersionStats { latency: Vec::new(), ..stats }, expected);
    }
}
