//! The cost of the access lists of a message when they are in memory, alone and beside another thread; and how long
//! twenty messages wait for one package that is not in memory and whose service delay 15 s (in tokio's paused time, so
//! that the result does not depend on the machine).

#![allow(clippy::expect_used, clippy::panic, reason = "a benchmark panics on failure")]

use std::collections::BTreeSet;
use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use serde_json::json;
use tidings_acl::{AclCache, AclSettings, Members, Need, Provider, ProviderError};
use tidings_domain::acl::Holders;
use tokio::runtime::{Builder, Handle};

const PACKAGES: usize = 25_000;
/// Packages that most messages are about; their lists stay in the caches of the processor.
const FREQUENT: usize = 100;
const MESSAGES: usize = 1_000_000;

/// Returns five holders and a group for each package, after a delay.
struct BenchProvider {
    delay: Duration,
    requests: AtomicU32,
}

impl BenchProvider {
    fn new(delay: Duration) -> Arc<BenchProvider> {
        Arc::new(BenchProvider { delay, requests: AtomicU32::new(0) })
    }
}

#[async_trait]
impl Provider<Holders> for BenchProvider {
    fn name(&self) -> &'static str {
        "bench"
    }

    async fn fetch(&self, _name: &str) -> Result<Option<Holders>, ProviderError> {
        self.requests.fetch_add(1, Relaxed);
        tokio::time::sleep(self.delay).await;
        let names = |names: &[&str]| -> BTreeSet<String> { names.iter().map(|name| (*name).to_owned()).collect() };
        Ok(Some(Holders {
            point_of_contact: names(&["ralph"]),
            co_maintained: names(&["pingou", "group::infra-sig"]),
            watch: names(&["kevin", "ralph", "toshio"]),
        }))
    }
}

#[async_trait]
impl Provider<Members> for BenchProvider {
    fn name(&self) -> &'static str {
        "bench"
    }

    async fn fetch(&self, _name: &str) -> Result<Option<Members>, ProviderError> {
        Ok(Some((0..50).map(|n| format!("member{n}")).collect()))
    }
}

fn main() {
    let names: Vec<String> = (0..PACKAGES).map(|n| format!("package-{n}")).collect();
    let runtime = Builder::new_multi_thread().enable_all().build().expect("a runtime");
    let service = BenchProvider::new(Duration::ZERO);
    let cache = AclCache::new(service.clone(), service, &AclSettings::default(), runtime.handle().clone());
    for names in names.chunks(5000) {
        runtime.block_on(cache.view(&Need { packages: names, groups: None }));
    }
    report("acl_bytes_per_package", cache.figures().packages.bytes as f64 / PACKAGES as f64, "bytes");
    report("acl_ready_ns", lookups(&cache, &names[..FREQUENT]), "ns");
    report("acl_ready_any_package_ns", lookups(&cache, &names), "ns");
    let beside = std::thread::scope(|scope| {
        let threads = [0, 1].map(|_| scope.spawn(|| lookups(&cache, &names[..FREQUENT])));
        threads.into_iter().map(|thread| thread.join().expect("no panic")).fold(0.0, f64::max)
    });
    report("acl_ready_beside_another_thread_ns", beside, "ns");
    cold();
}

/// Nanoseconds for one message's lists: one package, and the group that holds it.
fn lookups(cache: &AclCache, names: &[String]) -> f64 {
    let began = Instant::now();
    for n in 0..MESSAGES {
        let at = n * 7919 % names.len();
        let need = Need { packages: &names[at..=at], groups: None };
        black_box(cache.ready(black_box(&need))).expect("all lists are in memory");
    }
    began.elapsed().as_nanos() as f64 / MESSAGES as f64
}

fn cold() {
    let runtime = Builder::new_current_thread().enable_all().start_paused(true).build().expect("a runtime");
    runtime.block_on(async {
        let service = BenchProvider::new(Duration::from_secs(15));
        let cache = AclCache::new(service.clone(), service.clone(), &AclSettings::default(), Handle::current());
        let package = ["kernel".to_owned()];
        let need = Need { packages: &package, groups: None };
        let began = tokio::time::Instant::now();
        let views = futures::future::join_all((0..20).map(|_| cache.view(&need))).await;
        assert!(views.iter().all(|view| view.missing().is_empty()), "all twenty get the list");
        report("cold_acl_s", began.elapsed().as_secs_f64(), "s");
        report("cold_acl_requests", f64::from(service.requests.load(Relaxed)), "requests");
    });
}

fn report(name: &str, value: f64, unit: &str) {
    println!("{}", json!({"name": name, "value": (value * 1000.0).round() / 1000.0, "unit": unit}));
}
