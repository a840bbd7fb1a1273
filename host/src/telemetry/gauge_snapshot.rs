//! Metrics that are not counted but read for each scrape: the bus, the queue, the rules, the access lists.

use std::collections::BTreeMap;
use std::sync::atomic::AtomicU64;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use tidings_acl::{Figures, LOAD_BUCKETS, ListFigures};
use tidings_bus::{EndpointState, EndpointStatus};
use tidings_domain::ruleset::Sizes;
use tidings_domain::time::Timestamp;
use tidings_sandbox::ResidentStats;
use tidings_store::Books;

type Gauges<L> = Family<L, Gauge<f64, AtomicU64>>;

/// The present state of everything that is not counted.
#[derive(Debug)]
pub struct GaugeSnapshot<'a> {
    pub bus: &'a [EndpointStatus],
    pub books: &'a BTreeMap<String, Books>,
    /// When the earliest pending delivery of a channel is due.
    pub due: &'a BTreeMap<String, Timestamp>,
    /// What each running resident plugin did, by channel.
    pub residents: &'a BTreeMap<String, ResidentStats>,
    pub lists: &'a Figures,
    pub rules: Sizes,
    pub now: Timestamp,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct EndpointLabel {
    endpoint: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct StateLabel {
    channel: String,
    state: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ChannelLabel {
    channel: String,
}

/// Lists of packages or of groups.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct KindLabel {
    kind: &'static str,
    provider: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct LoadLabel {
    kind: &'static str,
    result: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct BucketLabel {
    kind: &'static str,
    /// Upper bound in milliseconds.
    le_ms: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct CauseLabel {
    cause: &'static str,
}

impl GaugeSnapshot<'_> {
    pub(super) fn registry(&self) -> Registry {
        let mut registry = Registry::with_prefix("tidings");
        self.bus(&mut registry);
        self.queue(&mut registry);
        self.residents(&mut registry);
        self.rules(&mut registry);
        self.lists(&mut registry);
        registry
    }

    fn bus(&self, registry: &mut Registry) {
        let mut endpoints = |name: &str, help: &str, read: &dyn Fn(&EndpointStatus) -> f64| {
            let family = Gauges::default();
            for endpoint in self.bus {
                family.get_or_create(&EndpointLabel { endpoint: endpoint.name.clone() }).set(read(endpoint));
            }
            registry.register(name, help, family);
        };
        let silence = |endpoint: &EndpointStatus| endpoint.silence(self.now).as_secs_f64();
        endpoints("bus_subscribed", "Whether the endpoint is subscribed", &|e| {
            f64::from(e.state == EndpointState::Subscribed)
        });
        endpoints("bus_messages", "Messages handed to intake since the start", &|e| e.messages as f64);
        endpoints("bus_silence_seconds", "How long nothing has come", &silence);
        endpoints("bus_reconnects", "Connections that replaced a lost one", &|e| e.reconnects as f64);
        endpoints("bus_waits", "Messages that found the buffer full", &|e| e.waits as f64);
        endpoints("bus_gaps", "Jumps of a publisher's counter", &|e| e.gaps as f64);
        endpoints("bus_missing", "Messages missing by those jumps", &|e| e.missing as f64);
    }

    fn queue(&self, registry: &mut Registry) {
        let family = Gauges::default();
        for (channel, books) in self.books {
            let Books { accepted: _, delivered, dead, cancelled, pending } = books;
            let states = [("delivered", delivered), ("dead", dead), ("cancelled", cancelled), ("pending", pending)];
            for (state, count) in states {
                family.get_or_create(&StateLabel { channel: channel.clone(), state }).set(*count as f64);
            }
        }
        registry.register("deliveries", "Deliveries by channel and state", family);
        let family = Gauges::default();
        for (channel, due) in self.due {
            family.get_or_create(&ChannelLabel { channel: channel.clone() }).set(self.now.since(*due).as_secs_f64());
        }
        registry.register("queue_overdue_seconds", "How long the earliest pending delivery has been due", family);
    }

    fn residents(&self, registry: &mut Registry) {
        let mut each = |name: &str, help: &str, read: &dyn Fn(&ResidentStats) -> f64| {
            let family = Gauges::default();
            for (channel, resident) in self.residents {
                family.get_or_create(&ChannelLabel { channel: channel.clone() }).set(read(resident));
            }
            registry.register(name, help, family);
        };
        each("resident_alive", "Whether the resident plugin has an instance", &|r| f64::from(r.alive));
        each("resident_starts", "Instances started since the channel was", &|r| r.starts as f64);
        each("resident_crashes", "Those of them that crashed", &|r| r.crashes as f64);
        each("resident_wakes", "Wakes of its instances", &|r| r.wakes as f64);
        each("resident_held_wakes", "Wakes that were asked for too soon and held back", &|r| r.delayed_wakes as f64);
    }

    fn rules(&self, registry: &mut Registry) {
        let Sizes { users, filters, entries, residue, anywhere, bytes } = self.rules;
        for (name, help, value) in [
            ("rules_users", "Users with subscriptions", users),
            ("rules_filters", "Filters in memory", filters),
            ("index_entries", "Filters under atoms; one may be under several", entries),
            ("index_residue", "Filters that every message is tested against", residue),
            ("index_anywhere", "Rules that are tested for messages of any topic", anywhere),
            ("index_bytes", "Memory of index and rules, names and addresses aside", bytes),
        ] {
            let gauge = Gauge::<i64>::default();
            gauge.set(i64::try_from(value).unwrap_or(i64::MAX));
            registry.register(name, help, gauge);
        }
    }

    fn lists(&self, registry: &mut Registry) {
        let Figures { packages, groups, invalidations } = self.lists;
        let kinds = [("package", packages), ("group", groups)];
        let mut each = |name: &str, help: &str, read: &dyn Fn(&ListFigures) -> f64| {
            let family = Gauges::default();
            for (kind, figures) in kinds {
                family.get_or_create(&KindLabel { kind, provider: figures.provider }).set(read(figures));
            }
            registry.register(name, help, family);
        };
        each("acl_hits", "Lists that a message found in memory and right", &|f| f.hits as f64);
        each("acl_misses", "Lists that a message had to wait for", &|f| f.misses as f64);
        each("acl_stale_served", "Lists served although they may have changed", &|f| f.stale_served as f64);
        each("acl_unavailable", "Lists that a message did without", &|f| f.unavailable as f64);
        each("acl_late", "Answers that were out of date when they came", &|f| f.late as f64);
        each("acl_entries", "Lists in memory", &|f| f.entries as f64);
        each("acl_unknown_entries", "Names in memory that do not exist", &|f| f.unknown_entries as f64);
        each("acl_bytes", "Memory of the lists", &|f| f.bytes as f64);
        each("acl_in_flight", "Lists that are being fetched", &|f| f.in_flight as f64);
        each("acl_breaker_open", "Whether the provider is left alone", &|f| f64::from(f.breaker.as_str() != "closed"));
        each("acl_load_seconds_sum", "Time spent fetching", &|f| f.load_time.sum.as_secs_f64());
        let (loads, buckets) = (Gauges::default(), Gauges::default());
        for (kind, figures) in kinds {
            for (result, count) in figures.loads {
                loads.get_or_create(&LoadLabel { kind, result: result.as_str() }).set(count as f64);
            }
            let mut below = 0;
            let bounds = LOAD_BUCKETS.iter().map(u64::to_string).chain(["+Inf".to_owned()]);
            for (bound, count) in bounds.zip(figures.load_time.buckets) {
                below += count;
                buckets.get_or_create(&BucketLabel { kind, le_ms: bound }).set(below as f64);
            }
        }
        registry.register("acl_loads", "Requests to providers by result", loads);
        registry.register("acl_load_duration", "Requests to providers that took no longer", buckets);
        let family = Gauges::default();
        for (cause, count) in invalidations {
            family.get_or_create(&CauseLabel { cause: cause.as_str() }).set(*count as f64);
        }
        registry.register("acl_invalidations", "Lists declared wrong, by who said so", family);
    }
}
